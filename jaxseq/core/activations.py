"""Activations: plain functions, array in, array out of the same dtype.

Values and gradients are those of keras.activations on JAX, at the kinks too, where a function does not say otherwise.
Every function takes x (...) of any floating dtype and returns y (...) alike, unless its docstring gives other shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core.precision import widened
from jaxseq.core.require import NoFunction, is_function, pick, require
from jaxseq.core.types import Array

# ---- straight lines and kinks ----


def linear(x: Array) -> Array:
    """y = x."""
    return x


def relu(x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0,
         *, alpha: float | None = None) -> Array:
    """y = min(x, max_value) where x > threshold, else negative_slope * (x - threshold); plainly, y = max(x, 0).

    alpha: Keras 2's word for negative_slope, which is Keras 3's.
    Raises: ValueError for both words at once, and when max_value < 0.
    Source: Nair & Hinton 2010; dy/dx at 0 is 0 (Bertoin et al. 2021, arXiv:2106.12915), or 1 with a slope alone.
    """
    require(alpha is None or negative_slope == 0, f"relu(negative_slope={negative_slope!r}, alpha={alpha!r}): "
            "these are one thing, write negative_slope.")
    require(max_value is None or max_value >= 0, f"relu(max_value={max_value!r}): write at least 0, or None.")
    slope = negative_slope if alpha is None else alpha
    if slope != 0 and max_value is None and threshold == 0:
        return leaky_relu(x, slope)
    above = _part_above(x, max_value, threshold)
    return above if slope == 0 else above - slope * jax.nn.relu(threshold - x)


def _part_above(x: Array, max_value: float | None, threshold: float) -> Array:
    """x where it lies above the threshold, cut at max_value; 0 elsewhere."""
    if threshold == 0 and max_value == 6:
        return relu6(x)
    above = jax.nn.relu(x) if threshold == 0 else jnp.where(x > threshold, x, 0)
    return above if max_value is None else jnp.clip(above, 0, max_value)


def relu6(x: Array) -> Array:
    """y = min(max(x, 0), 6).

    Source: Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10"; dy/dx is 1/2 at 0 and at 6.
    """
    return jax.nn.relu6(x)


def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    """y = x where x >= 0, else negative_slope * x. Source: Maas, Hannun & Ng 2013.

    The slope defaults to 0.2, as in keras.activations (jax.nn: 0.01; the LeakyReLU layer: 0.3).
    """
    return jax.nn.leaky_relu(x, negative_slope)


def hard_sigmoid(x: Array) -> Array:
    """y = relu6(x + 3) / 6: 0 below -3, 1 above 3, slope 1/6 between.

    Differs from Keras 2, where the slope is 1/5: y = clip(x / 5 + 1/2, 0, 1).
    """
    return jax.nn.hard_sigmoid(x)


def hard_sigmoid_keras2(x: Array) -> Array:
    """y = clip(x / 5 + 1/2, 0, 1): what Keras 2 calls hard_sigmoid. Keras 3 has no name for it."""
    return jnp.clip(0.2 * x + 0.5, 0.0, 1.0)


def hard_silu(x: Array) -> Array:
    """y = x * hard_sigmoid(x), also called hard_swish. Source: Howard et al. 2019, arXiv:1905.02244."""
    return jax.nn.hard_silu(x)


def hard_tanh(x: Array) -> Array:
    """y = min(max(x, -1), 1). Source: Collobert 2004."""
    return jax.nn.hard_tanh(x)


def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    """y = x where |x| > threshold, else 0. Source: Donoho & Johnstone 1994 (hard thresholding)."""
    return jnp.where(jnp.abs(x) > threshold, x, 0)


def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    """y = sign(x) * max(|x| - threshold, 0). Source: Donoho & Johnstone 1994 (soft thresholding)."""
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0))


def threshold(x: Array, threshold: float, default_value: float) -> Array:
    """y = x where x > threshold, else default_value. Its two numbers have no defaults, so call it in a function."""
    return jnp.where(x > threshold, x, default_value)


def sparse_sigmoid(x: Array) -> Array:
    """y = min(max((x + 1) / 2, 0), 1). Source: Blondel, Martins & Niculae 2019, arXiv:1901.02324."""
    return jax.nn.sparse_sigmoid(x)


def sparse_plus(x: Array) -> Array:
    """y = 0 below -1, (x + 1)^2 / 4 between, x above 1: the integral of sparse_sigmoid."""
    return jax.nn.sparse_plus(x)


# ---- smooth curves ----


def sigmoid(x: Array) -> Array:
    """y = 1 / (1 + exp(-x))."""
    return jax.nn.sigmoid(x)


def log_sigmoid(x: Array) -> Array:
    """y = log sigmoid(x) = -softplus(-x), which stays finite where the sigmoid rounds to 0."""
    return jax.nn.log_sigmoid(x)


def tanh(x: Array) -> Array:
    """y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return jnp.tanh(x)


def tanh_shrink(x: Array) -> Array:
    """y = x - tanh(x)."""
    return x - jnp.tanh(x)


def exponential(x: Array) -> Array:
    """y = exp(x)."""
    return jnp.exp(x)


def softplus(x: Array) -> Array:
    """y = log(1 + exp(x)). Source: Dugas et al. 2000."""
    return jax.nn.softplus(x)


def softsign(x: Array) -> Array:
    """y = x / (1 + |x|)."""
    return jax.nn.soft_sign(x)


def squareplus(x: Array, b: float = 4) -> Array:
    """y = (x + sqrt(x^2 + b)) / 2. Source: Barron 2021, arXiv:2112.11687."""
    return jax.nn.squareplus(x, b)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """y = x where x > 0, else alpha * (exp(x) - 1). Source: Clevert et al. 2016, arXiv:1511.07289."""
    return jax.nn.elu(x, alpha)


def selu(x: Array) -> Array:
    """y = 1.0507 * elu(x, 1.6733), meant for lecun_normal weights. Source: Klambauer et al. 2017, arXiv:1706.02515."""
    return jax.nn.selu(x)


def celu(x: Array, alpha: float = 1.0) -> Array:
    """y = max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1). Source: Barron 2017, arXiv:1704.07483."""
    return jax.nn.celu(x, alpha)


def gelu(x: Array, approximate: bool = False) -> Array:
    """y = x * Phi(x), Phi the normal distribution function; by a tanh formula if `approximate`.

    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415. Exact by default, as in Keras (jax.nn approximates).
    """
    return jax.nn.gelu(x, approximate)


def silu(x: Array) -> Array:
    """y = x * sigmoid(x), also called swish. Source: Ramachandran, Zoph & Le 2017, arXiv:1710.05941."""
    return jax.nn.silu(x)


def mish(x: Array) -> Array:
    """y = x * tanh(softplus(x)). Source: Misra 2019, arXiv:1908.08681."""
    return jax.nn.mish(x)


# ---- functions of a whole axis ----


def softmax(x: Array, axis: int = -1) -> Array:
    """y_i = exp(x_i) / sum_j exp(x_j) along `axis`. A vector of rank 1 is taken too, which Keras 2 refuses."""
    return jax.nn.softmax(x, axis)


def log_softmax(x: Array, axis: int = -1) -> Array:
    """y_i = x_i - log sum_j exp(x_j) along `axis`."""
    return jax.nn.log_softmax(x, axis)


def sparsemax(x: Array, axis: int = -1) -> Array:
    """y = max(x - tau, 0) along `axis`, with the tau that makes y sum to 1: the point of the simplex nearest to x.

    Source: Martins & Astudillo 2016, arXiv:1602.02068, algorithm 1.
    Differs from Keras 3.15, whose tau is too large where more than one y_i is positive, so its y sums to less than 1.
    """
    z = widened(x) - jax.lax.stop_gradient(widened(x).max(axis, keepdims=True))    # y is the same for x and x + c
    falling = jnp.flip(jnp.sort(z, axis), axis)
    rank = (1 + jax.lax.broadcasted_iota(jnp.int32, z.shape, axis % z.ndim)).astype(z.dtype)
    positive = 1 + rank * falling > jnp.cumsum(falling, axis)                       # the first k of the falling z
    count = positive.sum(axis, keepdims=True).astype(z.dtype)
    tau = (jnp.where(positive, falling, 0).sum(axis, keepdims=True) - 1) / count
    return jnp.maximum(z - tau, 0).astype(x.dtype)


def glu(x: Array, axis: int = -1) -> Array:
    """y = a * sigmoid(b), a and b the two halves of x along `axis`, which becomes half as long.

    Raises: ValueError when that length is odd. Source: Dauphin et al. 2017, arXiv:1612.08083.
    """
    require(x.shape[axis] % 2 == 0, f"glu halves axis {axis} of x {x.shape}, whose length is odd: make it even.")
    return jax.nn.glu(x, axis)


swish = silu
hard_swish = hard_silu

# ---- names ----

TABLE: Mapping[str, Callable[..., Array]] = {each.__name__: each for each in (
    linear, relu, relu6, leaky_relu, hard_sigmoid, hard_sigmoid_keras2, hard_silu, hard_tanh, hard_shrink, soft_shrink,
    threshold,
    sparse_sigmoid, sparse_plus, sigmoid, log_sigmoid, tanh, tanh_shrink, exponential, softplus, softsign, squareplus,
    elu, selu, celu, gelu, silu, mish, softmax, log_softmax, sparsemax, glu,
)} | {"swish": silu, "hard_swish": hard_silu}

# JAX's own functions of the same values and defaults. To give one is to give ours, which can be saved and which the
# losses recognise.
_OF_JAX: Mapping[Callable[..., Array], Callable[..., Array]] = {
    jax.nn.identity: linear, jax.nn.relu: relu, jax.nn.relu6: relu6, jax.nn.hard_sigmoid: hard_sigmoid,
    jax.nn.hard_silu: hard_silu, jax.nn.hard_tanh: hard_tanh, jax.nn.sparse_sigmoid: sparse_sigmoid,
    jax.nn.sparse_plus: sparse_plus, jax.nn.sigmoid: sigmoid, jax.nn.log_sigmoid: log_sigmoid, jnp.tanh: tanh,
    jnp.exp: exponential, jax.nn.softplus: softplus, jax.nn.soft_sign: softsign, jax.nn.squareplus: squareplus,
    jax.nn.elu: elu, jax.nn.selu: selu, jax.nn.celu: celu, jax.nn.silu: silu, jax.nn.mish: mish,
    jax.nn.softmax: softmax, jax.nn.log_softmax: log_softmax, jax.nn.glu: glu,
}


def get(identifier: Any, custom_objects: Mapping[str, Callable[..., Array]] | None = None) -> Callable[..., Array]:
    """The function that an identifier stands for.

    identifier: None (linear), a name, a function of an array, which is returned untouched (jax.nn.relu and the like
        give ours, which is the same), a layer that is an activation without weights, as LeakyReLU(0.1), or what Keras 3
        writes for a user's function, {"class_name": "function", "config": name}.
    custom_objects: the user's own name -> function.
    Raises: ValueError for an unknown name and for what is none of these, another layer among them.
    """
    wanted = _unwrapped(identifier)
    if wanted is None:
        return linear
    if isinstance(wanted, str):
        return pick("activation", wanted, {**TABLE, **(custom_objects or {})})
    if isinstance(wanted, NoFunction):
        return wanted.as_function()
    require(is_function(wanted), f"{wanted!r} is no activation: write a name, as 'relu', or pass a function of an array.")
    return next((ours for theirs, ours in _OF_JAX.items() if wanted is theirs), wanted)


def _unwrapped(identifier: Any) -> Any:
    """The name in the record that Keras 3 keeps of a user's function; anything else as it is."""
    record = isinstance(identifier, Mapping) and identifier.get("class_name") == "function"
    return identifier["config"] if record else identifier


def name(function: Any) -> str:
    """The name that `get` turns back into the function: 'relu' of relu, of 'relu' and of jax.nn.relu.

    A user's function gives its own name, which `get` finds again in custom_objects.
    Raises: ValueError for a function without a name of its own, for one that has the name of another built-in, and for a
        layer.
    """
    require(not isinstance(function, NoFunction), f"{function!r} is a layer, which has settings and no name.")
    function = get(function)
    for known, built_in in TABLE.items():
        if function is built_in:
            return known
    own = getattr(function, "__name__", "<lambda>")
    require(own != "<lambda>", f"The activation {function!r} has no name to be saved under: write it as a def.")
    require(own not in TABLE, f"The activation {function!r} has the name of the built-in {own!r}, which would take its "
            "place when the model is loaded: rename it.")
    return own
