"""The guide's perceptron with PyTorch, from the first import to evaluated."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

rng = np.random.default_rng(0)
x_train, x_test = (torch.from_numpy(rng.random((rows, 20), np.float32)) for rows in (1000, 100))
y_train, y_test = (functional.one_hot(torch.from_numpy(rng.integers(10, size=rows)), 10).float() for rows in (1000, 100))

model = nn.Sequential(
    nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.5),
    nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5),
    nn.Linear(64, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + 1e-6 * step))


def measure(x, y):
    logits = model(x)
    hits = logits.argmax(-1) == y.argmax(-1)
    return functional.cross_entropy(logits, y), hits.float().mean()


model.train()
for _ in range(20):
    sums = torch.zeros(2)
    for rows in torch.randperm(1000).split(128):
        optimizer.zero_grad(set_to_none=True)
        loss, accuracy = measure(x_train[rows], y_train[rows])
        loss.backward()
        optimizer.step()
        schedule.step()
        sums += len(rows) * torch.stack([loss.detach(), accuracy])
    loss, accuracy = (sums / 1000).tolist()

model.eval()
with torch.no_grad():
    print([float(number) for number in measure(x_test, y_test)])
