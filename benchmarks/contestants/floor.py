"""What the machine can do: the rate of a large matrix product. One step is one product; an epoch is one step."""

from __future__ import annotations

from importlib.metadata import version

import jax
import jax.numpy as jnp
from workloads import PRODUCT

OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""}      # leaves the product to Eigen, which is the faster one


def make(workload: None = None):
    x = jax.random.normal(jax.random.key(0), (PRODUCT, PRODUCT), jnp.float32)
    product = _compiled(x)

    def train(epochs: int):
        for _ in range(epochs):
            product(x, x).block_until_ready()

    return train


def _compiled(x):
    """The product with OPTIONS, or without them where the compiler does not know them."""
    lowered = jax.jit(jnp.matmul).lower(x, x)
    try:
        return lowered.compile(OPTIONS)
    except jax.errors.JaxRuntimeError:
        return lowered.compile()


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("jax", "jaxlib")}
