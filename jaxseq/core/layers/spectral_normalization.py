"""SpectralNormalization: a layer whose matrix has the norm 1."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxseq.core import initializers, rng
from jaxseq.core.last_activation import taken_off_within
from jaxseq.core.layer import Layer
from jaxseq.core.nested import Nested
from jaxseq.core.precision import widened
from jaxseq.core.require import positive_int, require
from jaxseq.core.types import Array, Params, State

KERNELS = "kernel", "embeddings", "depthwise_kernel"


class SpectralNormalization(Nested):
    """The layer with its kernel W, as a matrix (rest, last axis), divided by an estimate of its largest singular value:

        v = unit(u W^T), u' = unit(v W), `power_iterations` times;  sigma = v W u'^T;  y = layer(x) with W / sigma

    A step of training leaves u' in the place of u. No gradient flows through u and v. A kernel of zeros is left alone.

    Params: those of the layer, by its names. State: those of the layer, and vector_u (1, last axis).
    Raises: TypeError for what is no layer, ValueError for one without a kernel, and for power_iterations below 1.
    Source: Miyato et al. 2018; in training as keras.layers.SpectralNormalization. In evaluation Keras 3 on JAX uses W as it
        is; here it is normalized there, too.
    """

    layer: Any
    power_iterations: int = 1

    def __post_init__(self):
        require(isinstance(self.layer, Layer), f"SpectralNormalization({self.layer!r}): write a layer, "
                "SpectralNormalization(Dense(8)).", TypeError)
        positive_int("SpectralNormalization(power_iterations)", self.power_iterations)
        object.__setattr__(self, "input_dtype", self.layer.input_dtype)
        if self.batch_input_shape is None:
            object.__setattr__(self, "batch_input_shape", self.layer.batch_input_shape)
        super().__post_init__()

    def parts(self):
        return {"": self.layer}

    @property
    def statistics(self) -> tuple[str, ...]:        # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of the layer, and vector_u."""
        return *super().statistics, "vector_u"

    def init(self, key, x):
        params, state = self.layer.first_weights(key, x)
        kernel = params[self._kernel(params)]
        drawn = initializers.TruncatedNormal(stddev=0.02)(rng.fold_in(key, "vector_u"), (1, kernel.shape[-1]), kernel.dtype)
        return params, {**state, "vector_u": drawn}

    def apply(self, params, state, x, ctx):
        name = self._kernel(params)
        kernel, vector_u = self._normalized(params[name], state["vector_u"])
        layer = self.layer if self.trainable else self.layer.replaced(trainable=False)
        y, after = layer.apply({**params, name: kernel}, _of_layer(state), x, ctx)
        return y, {**after, "vector_u": vector_u if ctx.train and not self.stands_still else state["vector_u"]}

    def activity_penalty(self, y):
        return self.layer.activity_penalty(y)

    def reset(self, state):
        return {**super().reset(_of_layer(state)), "vector_u": state["vector_u"]}

    def without_activation(self):
        return taken_off_within(self, self.layer)

    def out_mask(self, x, mask):
        return self.layer.out_mask(x, mask)

    def _kernel(self, params: Params) -> str:
        found = next((name for name in KERNELS if name in params), None)
        require(found is not None, f"SpectralNormalization: {self.layer!r} has no kernel to normalize.")
        return str(found)

    def _normalized(self, kernel: Array, u: Array) -> tuple[Array, Array]:
        """(W / sigma, u')."""
        wide, before = widened(kernel), u
        matrix = wide.reshape(-1, kernel.shape[-1])
        still = lax.stop_gradient(matrix)
        u = u.astype(matrix.dtype)
        v = u
        for _ in range(self.power_iterations):
            v = _unit(u @ still.T)
            u = _unit(v @ still)
        sigma = (v @ matrix @ u.T)[0, 0]
        zero = ~jnp.any(still != 0)
        return (wide / jnp.where(zero, 1, sigma)).astype(kernel.dtype), jnp.where(zero, before, u.astype(before.dtype))


def _of_layer(state: State) -> State:
    """The layer's own state."""
    return {entry: value for entry, value in state.items() if entry != "vector_u"}


def _unit(x: Array) -> Array:
    """x / |x|."""
    return x * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x)), 1e-12))
