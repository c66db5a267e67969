"""PyTorch by hand: tensors on the device, a permutation of the rows per epoch, metric sums as tensors, one sync per epoch."""

from __future__ import annotations

from importlib.metadata import version

import torch
from parts import LSTM, Average, Conv, Dense, Dropout, Embedding, Flatten, Pool
from torch import nn
from torch.nn import functional
from workloads import RMSPROP, SGD, Workload, data

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cuda":
    torch.set_float32_matmul_precision("high")          # TF32, with which JAX multiplies there


class Net(nn.Module):
    """The layers in a row; channels before lengths, as PyTorch has them. states: the (h, c) of the LSTMs."""

    def __init__(self, workload: Workload):
        super().__init__()
        self.parts, self.layers, shape = workload.parts, nn.ModuleList(), workload.shape
        for part in workload.parts:
            self.layers.append(module(part, shape))
            shape = part.after(shape)

    def forward(self, x, states):
        new = []
        for part, layer in zip(self.parts, self.layers, strict=True):
            if isinstance(part, LSTM):
                x, state = layer(x, states[len(new)] if states else None)
                x = x if part.sequences else x[:, -1]
                new.append(state)
            else:
                x = layer(x)
        return x, new


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(-1)


def module(part, shape):
    match part:
        case Dense(units, activation):
            linear = nn.Linear(shape[-1], units)
            return nn.Sequential(linear, nn.ReLU()) if activation == "relu" else linear
        case Conv(rank, filters, size):
            return nn.Sequential((nn.Conv1d, nn.Conv2d)[rank - 1](shape[-1], filters, size), nn.ReLU())
        case Pool(rank, size):
            return (nn.MaxPool1d, nn.MaxPool2d)[rank - 1](size)
        case LSTM(units):
            return nn.LSTM(shape[-1], units, batch_first=True)
        case Embedding(words, units):
            return nn.Embedding(words, units)
        case Dropout(rate):
            return nn.Dropout(rate)
        case Flatten():
            return nn.Flatten()
        case Average():
            return Mean()


def make(workload: Workload, compiled: bool = False):
    torch.manual_seed(0)
    x, y = (torch.from_numpy(column).to(DEVICE) for column in data(workload))
    net = Net(workload).to(DEVICE)
    if x.ndim == 4:
        x, net = x.movedim(-1, 1), net.to(memory_format=torch.channels_last)        # the layout that is faster on a CPU
    elif isinstance(workload.parts[0], Conv):
        x = x.movedim(-1, 1).contiguous()
    optimizer, set_rate = optimizer_of(workload, net)
    run, states, steps = torch.compile(net) if compiled else net, None, 0
    loss_of, hits_of = measures(workload)

    def train(epochs: int):
        nonlocal states, steps
        for _ in range(epochs):
            order = (torch.arange if workload.stateful else torch.randperm)(workload.rows, device=DEVICE)
            total, hits = torch.zeros((), device=DEVICE), torch.zeros((), device=DEVICE)
            for rows in order.split(workload.batch):
                xs, ys = x[rows], y[rows]
                optimizer.zero_grad(set_to_none=True)
                logits, new = run(xs, states)
                loss = loss_of(logits, ys)
                loss.backward()
                set_rate(steps)
                optimizer.step()
                steps += 1
                states = [(h.detach(), c.detach()) for h, c in new] if workload.stateful else None
                total += loss.detach() * len(rows)
                hits += hits_of(logits.detach(), ys)
            _loss, _accuracy = float(total / workload.rows), float(hits / workload.rows)

    return train


def measures(workload: Workload):
    """(the loss, the number of hits), both of (logits, y)."""
    if workload.binary:
        return functional.binary_cross_entropy_with_logits, lambda logits, y: ((logits > 0) == (y > 0.5)).sum()
    return functional.cross_entropy, lambda logits, y: (logits.argmax(-1) == y.argmax(-1)).sum()


def optimizer_of(workload: Workload, net: nn.Module):
    """(the optimizer, what sets its learning rate before a step)"""
    if workload.optimizer == "rmsprop":
        rate, alpha, epsilon = RMSPROP.values()
        return torch.optim.RMSprop(net.parameters(), rate, alpha=alpha, eps=epsilon), lambda step: None
    optimizer = torch.optim.SGD(net.parameters(), SGD["learning_rate"], momentum=SGD["momentum"], nesterov=True)

    def set_rate(step: int):
        for group in optimizer.param_groups:
            group["lr"] = SGD["learning_rate"] / (1 + SGD["decay"] * step)

    return optimizer, set_rate


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "numpy")}
