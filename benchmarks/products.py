"""At what rate do a model's own products and convolutions run, with nothing else in the step?

    python benchmarks/products.py [--workloads a,b] [--rounds 9]

Each is made again and again within one compiled loop, and so are the two products of its gradient; of a recurrence also
the one product per time step, forward and back. Their sum is the time below which no step can come, whoever writes it, as
long as XLA makes the products. To see what one core does alone: taskset -c 0 python benchmarks/products.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from parts import LSTM, Conv, Dense
from workloads import WORKLOADS, Workload

from jaxseq.core import run
from jaxseq.core.kernels.conv import conv
from jaxseq.core.kernels.product import product as with_gradient

SECONDS = 0.05          # of each measurement, about


class Product(NamedTuple):
    """times: in a step. flops: of one. make: (x, w) -> y, or a tuple of arrays."""

    name: str
    times: int
    flops: int
    make: Callable
    shapes: tuple[tuple[int, ...], tuple[int, ...]]


def products(rounds: int) -> list[dict]:
    """Of every workload: {"size": its name, "ms": milliseconds of a step's products and convolutions, one by one}."""
    whole = {name: counted(list(of_step(workload))) for name, workload in WORKLOADS.items()}
    return [{"size": name, "ms": 1e3 * sum(product.times * seconds(product, rounds) for product in found)}
            for name, found in whole.items()]


def of_step(workload: Workload) -> Iterator[Product]:
    """All of a training step, in order: forward, and for the gradients by the weights and (after what learns) the input."""
    shape, learned = workload.shape, False
    for part in workload.parts:
        match part:
            case Dense(units):
                yield from matrix("dense", workload.batch, shape[-1], units, learned)
            case LSTM(units):
                yield from matrix("lstm input", workload.batch * shape[0], shape[-1], 4 * units, learned)
                steps = [(workload.batch, units, 4 * units), (workload.batch, 4 * units, units)]
                for (m, k, n), way in zip(steps, ("forward", "back"), strict=True):
                    yield Product(f"lstm step {way}", shape[0], 2 * m * k * n, jnp.matmul, ((m, k), (k, n)))
                m = workload.batch * shape[0]
                yield Product("lstm recurrent, by kernel", 1, 8 * m * units**2, lambda x, dy: x.T @ dy,
                              ((m, units), (m, 4 * units)))
            case Conv(rank, filters, size):
                yield from convolution(workload.batch, shape, part, (size,) * rank + (shape[-1], filters), learned)
            case _:
                pass
        learned, shape = learned or part.learns, part.after(shape)


def matrix(name: str, m: int, k: int, n: int, learned: bool) -> Iterator[Product]:
    flops, x, w = 2 * m * k * n, jnp.zeros((m, k)), jnp.zeros((k, n))
    name = f"{name} {m}x{k}x{n}"
    yield Product(name, 1, flops, jnp.matmul, ((m, k), (k, n)))
    yield Product(f"{name}, by kernel", 1, flops, lambda x, dy: jax.vjp(lambda w: with_gradient(x, w), w)[1](dy)[0],
                  ((m, k), (m, n)))
    if learned:
        yield Product(f"{name}, by input", 1, flops, lambda dy, w: jax.vjp(lambda x: with_gradient(x, w), x)[1](dy)[0],
                      ((m, n), (k, n)))


def convolution(batch: int, shape: tuple[int, ...], part: Conv, kernel: tuple[int, ...], learned: bool) -> Iterator[Product]:
    bias = jnp.zeros(part.filters)
    forward = lambda x, w: conv(x, w, bias)
    flops, given = 2 * batch * part.products(shape), (batch, *shape)
    name = f"conv {shape[-1]} to {part.filters}"
    yield Product(name, 1, flops, forward, (given, kernel))

    def gradients(x, w):
        y, back = jax.vjp(forward, x, w)
        return back(y) if learned else back(y)[1]

    yield Product(f"{name}, with gradients", 1, flops * (3 if learned else 2), gradients, (given, kernel))


def seconds(product: Product, rounds: int) -> float:
    """Of one product, the median over the rounds. Each depends on the one before it through a single number."""
    x, w = (jax.random.normal(jax.random.key(number), shape) for number, shape in enumerate(product.shapes))

    def touched(x, y):
        first = jnp.ravel(jax.tree.leaves(y)[0])[:1] * 0
        return lax.dynamic_update_slice(x, first.reshape((1,) * x.ndim), (0,) * x.ndim)

    def repeat(times, x, w):
        def body(_, carry):
            x, w, _ = carry
            y = product.make(x, w)
            return touched(x, y), touched(w, y), y      # neither is the same twice, so nothing is done once before the loop

        return lax.fori_loop(0, times, body, (x, w, jax.tree.map(jnp.zeros_like, product.make(x, w))))

    program = run.compiled(repeat)

    def timed(times: int) -> float:
        began = time.perf_counter()
        jax.block_until_ready(program(times, x, w))
        return time.perf_counter() - began

    timed(1)
    times = max(2, int(SECONDS / max(timed(3) / 3, 1e-7)))
    return median((timed(2 * times) - timed(times)) / times for _ in range(rounds))


def counted(found: list[Product]) -> list[Product]:
    """Those that count: not a forward convolution, which the one with gradients contains."""
    names = {product.name for product in found}
    return [product for product in found if product.name + ", with gradients" not in names]


def report(workload: Workload, rounds: int) -> None:
    total = 0.0
    found = list(of_step(workload))
    whole = counted(found)
    for product in found:
        each = seconds(product, rounds)
        total += each * product.times * (product in whole)
        print(f"{workload.name:14} {product.name:34} {product.times:4} x {each * 1e6:10.1f} us "
              f"{product.flops / each / 1e9:7.0f} GFLOP/s", flush=True)
    print(f"{workload.name:14} {'in all':34} {total * 1e6:17.1f} us {workload.flops / total / 1e9:7.0f} GFLOP/s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for name in given.workloads.split(","):
        report(WORKLOADS[name], given.rounds)


if __name__ == "__main__":
    main()
