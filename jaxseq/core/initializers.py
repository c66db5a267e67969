"""First weights: frozen declarations, each a pure function (key, shape, dtype) -> array of that shape and dtype.

`seed`: None draws from the key that is given, so that every weight of a model gets its own values. A whole number
draws from that seed instead, the same values at each call, and in float32 the very values that Keras 3 draws on JAX.
They may also be called as Keras has it, (shape, dtype): what draws then needs a seed.
Draws in bfloat16 and float16 are float32 draws, rounded.

Fans, for the initializers that scale with the shape of a kernel (receptive field..., in, out):
    fan_in = receptive field * in, fan_out = receptive field * out; (n,) counts as fan_in = fan_out = n, () as 1.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.core import rng
from jaxseq.core.declared import Declared, from_config, number
from jaxseq.core.precision import wide_dtype
from jaxseq.core.require import one_of, require
from jaxseq.core.types import Array, Key

# The standard deviation of a standard normal that is cut at -2 and 2.
_CUT_STDDEV = 0.87962566103423978


class Initializer(Declared):
    """What all of them are. A user's own may be any function of (key, shape, dtype), as JAX has it, or of
    (shape, dtype), as Keras has it, or a subclass with such a `__call__`."""


class _Filling(Initializer, ABC):
    """One of ours, given as `fill(key, shape, dtype)`."""

    def __call__(self, key: Key | Sequence[int] | None = None, shape: Sequence[int] | None = None, dtype: Any = None) -> Array:
        return self.fill(*_in_order(self, key, shape, dtype))

    @abstractmethod
    def fill(self, key: Key | None, shape: tuple[int, ...], dtype: Any) -> Array:
        """The array. Without a key it was called as in Keras."""


def _in_order(owner: Any, key: Any, shape: Any, dtype: Any) -> tuple[Key | None, tuple[int, ...], Any]:
    """(key, shape, dtype) of what was given in this order, or in Keras's: (shape, dtype)."""
    if isinstance(key, tuple | list):
        key, shape, dtype = None, key, shape if dtype is None else dtype
    require(isinstance(shape, Iterable) and not isinstance(shape, str), f"{owner} is called as (key, shape, dtype): write "
            f"initializer(jax.random.key(0), (3, 4)). Got shape={shape!r}.", TypeError)
    return key, tuple(shape), jnp.float32 if dtype is None else dtype


# ---- nothing drawn ----


@dataclass(frozen=True)
class Zeros(_Filling):
    """All 0."""

    def fill(self, key: Key | None, shape: tuple[int, ...], dtype: Any) -> Array:
        return jnp.zeros(shape, dtype)


@dataclass(frozen=True)
class Ones(_Filling):
    """All 1."""

    def fill(self, key: Key | None, shape: tuple[int, ...], dtype: Any) -> Array:
        return jnp.ones(shape, dtype)


@dataclass(frozen=True, eq=False)
class Constant(_Filling):
    """All `value`; or an array, as pretrained embeddings, of the weights' shape or one that broadcasts to it.

    Raises: ValueError when value is no number and no array of numbers, or does not fit the weights' shape.
    """

    value: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.value, int | float):
            object.__setattr__(self, "value", _frozen_copy(self.value))

    def fill(self, key: Key | None, shape: tuple[int, ...], dtype: Any) -> Array:
        fits = _broadcasts(np.shape(self.value), shape)
        require(fits, f"{self} cannot fill weights of shape {shape}: pass an array of that shape.")
        return jnp.broadcast_to(jnp.asarray(self.value, dtype), shape)

    def _content(self) -> tuple[Any, ...]:
        value = self.value
        return (value.shape, value.dtype.name, value.tobytes()) if isinstance(value, np.ndarray) else (value,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def __repr__(self) -> str:
        if isinstance(self.value, np.ndarray):
            return f"Constant(value=<array {self.value.shape} {self.value.dtype}>)"
        return f"Constant(value={self.value!r})"


@dataclass(frozen=True)
class Identity(_Filling):
    """gain times the identity matrix, cut off or padded with zeros where the weights are not square.

    Raises: ValueError for weights of another rank than 2. Source: Le, Jaitly & Hinton 2015, arXiv:1504.00941.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("Identity", "gain", self.gain)

    def fill(self, key: Key | None, shape: tuple[int, ...], dtype: Any) -> Array:
        require(len(shape) == 2, f"Identity fills weights (rows, columns), got {shape}. Write 'orthogonal' for "
                "more axes.")
        return (self.gain * jnp.eye(shape[0], shape[1])).astype(dtype)


# ---- something drawn ----


class _Drawn(_Filling):
    """A draw, given as `draw(key, shape, dtype)` for float32 and wider."""

    seed: int | None

    def __post_init__(self) -> None:
        super().__post_init__()
        whole = isinstance(self.seed, int) and not isinstance(self.seed, bool) and 0 <= self.seed < 2**63
        require(self.seed is None or whole, f"{type(self).__name__}(seed={self.seed!r}): write a whole number from 0 "
                "to 2**63 - 1, or None.")

    def fill(self, key: Key | None, shape: tuple[int, ...], dtype: Any) -> Array:
        require(jnp.issubdtype(dtype, jnp.floating), f"{self} draws floating numbers, got dtype {jnp.dtype(dtype)}: "
                "write dtype=jnp.float32.")
        chosen = key if self.seed is None else _key_of(self.seed)
        if chosen is None:
            raise ValueError(f"{self} draws, so it needs a key: write initializer(jax.random.key(0), {shape}), or "
                             f"{type(self).__name__}(seed=0) for the same numbers at each call.")
        return self.draw(chosen, shape, wide_dtype(dtype)).astype(dtype)

    @abstractmethod
    def draw(self, key: Key, shape: tuple[int, ...], dtype: Any) -> Array:
        """The values, float32 or wider, whatever the seed."""


@dataclass(frozen=True)
class RandomNormal(_Drawn):
    """Normal(mean, stddev^2).

    Raises: ValueError unless mean and stddev are finite and stddev at least 0.
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        number("RandomNormal", "mean", self.mean)
        number("RandomNormal", "stddev", self.stddev, least=0)

    def draw(self, key: Key, shape: tuple[int, ...], dtype: Any) -> Array:
        return rng.normal(key, shape).astype(dtype) * self.stddev + self.mean


@dataclass(frozen=True)
class TruncatedNormal(_Drawn):
    """Normal(mean, stddev^2), cut at two `stddev` on either side, so that its standard deviation is 0.88 * stddev.

    Raises: ValueError unless mean and stddev are finite and stddev at least 0.
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        number("TruncatedNormal", "mean", self.mean)
        number("TruncatedNormal", "stddev", self.stddev, least=0)

    def draw(self, key: Key, shape: tuple[int, ...], dtype: Any) -> Array:
        return jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype) * self.stddev + self.mean


@dataclass(frozen=True)
class RandomUniform(_Drawn):
    """Uniform in [minval, maxval).

    Raises: ValueError unless minval and maxval are finite and minval <= maxval.
    """

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        number("RandomUniform", "minval", self.minval)
        number("RandomUniform", "maxval", self.maxval)
        require(self.minval <= self.maxval, f"RandomUniform(minval={self.minval!r}, maxval={self.maxval!r}): write the "
                "smaller one first.")

    def draw(self, key: Key, shape: tuple[int, ...], dtype: Any) -> Array:
        return rng.uniform(key, shape, self.minval, self.maxval).astype(dtype)


@dataclass(frozen=True)
class Orthogonal(_Drawn):
    """gain * Q: orthonormal columns of the weights seen as (all other axes, last axis), or rows if these are fewer.

    Q is the Q of a normal draw's QR factors, with R's diagonal made positive, so uniform (Mezzadri 2007).
    Raises: ValueError for weights of rank 0 or 1. Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120.
    """

    gain: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        number("Orthogonal", "gain", self.gain)

    def draw(self, key: Key, shape: tuple[int, ...], dtype: Any) -> Array:
        require(len(shape) >= 2, f"Orthogonal fills weights of two axes and more, got {shape}. Write 'zeros' or 'ones' "
                "for a vector.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        q, r = jnp.linalg.qr(rng.normal(key, tall).astype(dtype))
        q = q * jnp.sign(jnp.diagonal(r))
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


# ---- drawn to the measure of the fans ----


@dataclass(frozen=True)
class VarianceScaling(_Drawn):
    """Zero mean and variance scale / n, n = the fan that `mode` names, at least 1.

    mode: "fan_in", "fan_out" or "fan_avg", their mean.
    distribution: "truncated_normal" (cut at two standard deviations, then widened to the variance; "normal", Keras 2's
        word, is the same), "untruncated_normal", or "uniform" in +-sqrt(3 * scale / n).
    input_axes, output_axes: the axes whose lengths multiply to fan_in and to fan_out; both or neither.
    Raises: ValueError unless scale > 0, for an unknown mode or distribution, and for one of the axes alone.
    Source: He et al. 2015, arXiv:1502.01852.
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: int | None = None
    input_axes: Sequence[int] | None = None
    output_axes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        number("VarianceScaling", "scale", self.scale)
        require(self.scale > 0, f"VarianceScaling(scale={self.scale!r}): write a number above 0.")
        one_of("VarianceScaling mode", self.mode, ("fan_in", "fan_out", "fan_avg"))
        one_of("VarianceScaling distribution", self.distribution,
               ("truncated_normal", "untruncated_normal", "uniform", "normal"))
        _check_axes(self, self.input_axes, self.output_axes)

    def draw(self, key: Key, shape: tuple[int, ...], dtype: Any) -> Array:
        fan_in, fan_out = fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(key, shape, -limit, limit).astype(dtype)
        if self.distribution == "untruncated_normal":
            return rng.normal(key, shape).astype(dtype) * math.sqrt(variance)
        return jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype) * (math.sqrt(variance) / _CUT_STDDEV)


@dataclass(frozen=True)
class _FanRule(_Drawn):
    """A VarianceScaling whose scale, mode and distribution have a name."""

    seed: int | None = None
    input_axes: Sequence[int] | None = None
    output_axes: Sequence[int] | None = None

    rule: ClassVar[tuple[float, str, str]]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_axes(self, self.input_axes, self.output_axes)

    def draw(self, key: Key, shape: tuple[int, ...], dtype: Any) -> Array:
        scaling = VarianceScaling(*self.rule, input_axes=self.input_axes, output_axes=self.output_axes)
        return scaling.draw(key, shape, dtype)


class GlorotUniform(_FanRule):
    """Uniform in +-sqrt(6 / (fan_in + fan_out)). Source: Glorot & Bengio 2010."""

    rule = (1.0, "fan_avg", "uniform")


class GlorotNormal(_FanRule):
    """Truncated normal of variance 2 / (fan_in + fan_out). Source: Glorot & Bengio 2010."""

    rule = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_FanRule):
    """Uniform in +-sqrt(6 / fan_in). Source: He et al. 2015, arXiv:1502.01852."""

    rule = (2.0, "fan_in", "uniform")


class HeNormal(_FanRule):
    """Truncated normal of variance 2 / fan_in. Source: He et al. 2015, arXiv:1502.01852."""

    rule = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_FanRule):
    """Uniform in +-sqrt(3 / fan_in). Source: LeCun et al. 1998, "Efficient backprop"."""

    rule = (1.0, "fan_in", "uniform")


class LecunNormal(_FanRule):
    """Truncated normal of variance 1 / fan_in. Source: LeCun et al. 1998; Klambauer et al. 2017, for selu."""

    rule = (1.0, "fan_in", "truncated_normal")


def fans(shape: Sequence[int], input_axes: Sequence[int] | None = None,
         output_axes: Sequence[int] | None = None) -> tuple[int, int]:
    """(fan_in, fan_out) of a kernel (receptive field..., in, out), or of the axes given."""
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def of_axes(initializer: Callable[..., Array], input_axes: Sequence[int], output_axes: Sequence[int]) -> Callable[..., Array]:
    """The initializer with the fans of these axes, where it scales with fans and does not say whose."""
    if isinstance(initializer, VarianceScaling | _FanRule) and initializer.input_axes is None:
        return replace(initializer, input_axes=input_axes, output_axes=output_axes)
    return initializer


def _check_axes(owner: Initializer, input_axes: Any, output_axes: Any) -> None:
    require((input_axes is None) == (output_axes is None), f"{type(owner).__name__}(input_axes={input_axes!r}, "
            f"output_axes={output_axes!r}): give both or neither.")


def _key_of(seed: int) -> Key:
    """The threefry key of a seed: low word first, where jax.random.key has it last, because Keras 3 does so."""
    words = np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)
    return jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")


def _frozen_copy(value: Any) -> np.ndarray:
    """A read-only array of the numbers in `value`."""
    array = np.array(value)
    require(array.dtype.kind not in "OUSMm", f"Constant(value={value!r}): write a number, or pass an array of numbers.")
    array.flags.writeable = False
    return array


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    paired = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(length in (1, wanted) for length, wanted in paired)


# ---- names ----

# Keras 2's and Keras 3's other names for the same.
zero = zeros = Zeros
one = ones = Ones
constant = Constant
identity = IdentityInitializer = Identity
normal = random_normal = RandomNormal
uniform = random_uniform = RandomUniform
truncated_normal = TruncatedNormal
orthogonal = OrthogonalInitializer = Orthogonal
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_uniform = HeUniform
he_normal = HeNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal

# Every class above under each of its names, which is how Keras writes them in strings.
TABLE: Mapping[str, type[Initializer]] = {
    name: each for name, each in dict(globals()).items()
    if isinstance(each, type) and issubclass(each, Initializer) and each is not Initializer and name[0] != "_"
}


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable[..., Array]:
    """The initializer that an identifier stands for, called as (key, shape, dtype).

    identifier: a name, a config, a class; a function of (key, shape, dtype), as jax.nn.initializers makes them,
        which is returned untouched; a function of (shape, dtype) or of (shape), as Keras has them, which is wrapped.
    custom_objects: the user's own name -> class or function.
    Raises: ValueError for an unknown name, for an array, and for what is none of these.
    """
    array = isinstance(identifier, np.ndarray | jax.Array)
    require(not array, "An array is no initializer: write Constant(array).")
    require(identifier is not None, "None is no initializer: write 'zeros', or leave the argument out.")
    found = from_config("initializer", identifier, TABLE, custom_objects)
    return FromShape(found) if _takes_shape_first(found) else found


@dataclass(frozen=True)
class FromShape:
    """A Keras-style initializer, function(shape) or function(shape, dtype=...), called as (key, shape, dtype).

    The key is not used: a function that draws must bring its own.
    Raises: ValueError when the values have another shape than the weights.
    """

    function: Callable[..., Any]

    def __call__(self, key: Key | Sequence[int] | None = None, shape: Sequence[int] | None = None, dtype: Any = None) -> Array:
        _, shape, dtype = _in_order(self, key, shape, dtype)
        words = {"dtype": dtype} if _takes_dtype(self.function) else {}
        values = jnp.asarray(self.function(shape, **words), dtype)
        require(values.shape == shape, f"{self.function!r} returned the shape {values.shape} for weights of shape {shape}.")
        return values


def _takes_shape_first(function: Callable[..., Any]) -> bool:
    """True of f(shape, dtype), False of f(key, shape, dtype): told by names, or by how many must be given.

    Raises ValueError for a function that takes neither.
    """
    taken = [each for each in _parameters(function).values() if each.kind <= each.POSITIONAL_OR_KEYWORD]
    names = [each.name for each in taken]
    needed = [each.name for each in taken if each.default is each.empty and each.name != "dtype"]
    if names[:1] in (["key"], ["rng"]) or names[1:2] == ["shape"]:
        return False
    require(names[:1] == ["shape"] or len(needed) == 1, f"The initializer {function!r} takes ({', '.join(names)}): "
            "write a function of (key, shape, dtype) or (shape, dtype). If it makes an initializer, add () to it.")
    return True


def _takes_dtype(function: Callable[..., Any]) -> bool:
    parameters = _parameters(function)
    return "dtype" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except ValueError as error:
        raise ValueError(f"The initializer {function!r} does not tell its parameters: write a function of "
                         "(key, shape, dtype) that calls it.") from error
