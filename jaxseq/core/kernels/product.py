"""The product of rows and a matrix, with a gradient that XLA:CPU makes faster than its own."""

from __future__ import annotations

import jax
from jax import lax

from jaxseq.core.types import Array

NARROW = 32     # columns of a matrix, up to which its gradient is made lying on its side


@jax.custom_vjp
def product(x: Array, w: Array) -> Array:
    """y = x @ w.

    Shapes: x (rows, m), w (m, n) -> y (rows, n).

    The gradients are dx = dy @ w.T and dw = x.T @ dy, and on the CPU a product with a turned operand takes up to fourteen
    times as long as one without (512 x 128 @ 128 x 10). So dy, which is small, is turned by itself, and then

        dx = (w @ dy.T).T   where there are no more rows than w has,   dw = (dy.T @ x).T   where w is narrow.

    The barriers keep XLA from putting the turning back into the products; they cost nothing. Elsewhere XLA has its own way.
    It can be differentiated in reverse mode any number of times; jax.jvp raises TypeError: write x @ w for it.
    """
    return x @ w


def _forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ w, (x, w)


def _backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    def turned(x, w, dy):
        (rows, m), n = x.shape, w.shape[1]
        standing = lax.optimization_barrier(dy.T)                               # (n, rows)
        dx = lax.optimization_barrier(w @ standing).T if rows <= m else dy @ w.T
        dw = lax.optimization_barrier(standing @ x).T if n <= NARROW else x.T @ dy
        return dx, dw

    def plain(x, w, dy):
        return dy @ w.T, x.T @ dy

    return lax.platform_dependent(*saved, dy, cpu=turned, default=plain)


product.defvjp(_forward, _backward)
