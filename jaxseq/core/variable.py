"""What stands for a weight where Keras assigns to one: an array behind a name, and the words that ask for it.

A Variable lives for the length of one `call` of a layer in Keras's way, or within a metric that is used by itself. What was
assigned is read out of it afterwards, so a traced program stays a pure function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.core.require import known_words, require

KERAS_2 = "name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint"
KERAS_3 = ("shape", "initializer", "dtype", "trainable", "autocast", "regularizer", "constraint", "aggregation",
           "overwrite_with_gradient", "name")
TENSORFLOW = "synchronization", "experimental_autocast", "use_resource", "sparse"      # understood; they mean nothing here


class Variable:
    """An array that can be assigned to. In arithmetic, and for every function of jax.numpy, it is the array.

    value: the array. assign(x), assign_add(x), assign_sub(x): another value of the same shape, brought to the same dtype.
    Raises: ValueError for another shape.
    """

    __array_priority__ = 100        # NumPy leaves `array + variable` to the variable

    def __init__(self, name: str, value: Any):
        self.name, self.value = name, value

    def assign(self, value: Any) -> Any:
        """Replaces the value, and gives it."""
        value = jnp.asarray(plain(value))
        require(value.shape == self.shape, f"{self.name}.assign: the variable has shape {self.shape}, got {value.shape}.")
        self.value = value.astype(self.value.dtype)
        return self.value

    def assign_add(self, value: Any) -> Any:
        """value + x."""
        return self.assign(self.value + plain(value))

    def assign_sub(self, value: Any) -> Any:
        """value - x."""
        return self.assign(self.value - plain(value))

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array."""
        return np.asarray(self.value)

    def __jax_array__(self) -> jax.Array:
        return jnp.asarray(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype) if copy else np.asarray(self.value, dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "value":
            raise AttributeError(name)
        return getattr(self.value, name)        # shape, dtype, ndim, sum, astype and whatever else an array has

    def __repr__(self) -> str:
        return f"Variable({self.name!r}, {self.value!r})"


def _forwarded(name: str) -> Callable[..., Any]:
    def method(self: Variable, *others: Any) -> Any:
        return getattr(jnp.asarray(self.value) if others else self.value, name)(*map(plain, others))
    return method


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
_OPERATORS = [*_BINARY, *(f"r{each}" for each in _BINARY), "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "xor", "neg", "abs",
              "invert", "getitem", "len", "iter", "bool", "int", "float", "index"]
for _operator in _OPERATORS:
    setattr(Variable, f"__{_operator}__", _forwarded(f"__{_operator}__"))


def plain(value: Any) -> Any:
    """The array of a Variable; anything else as it is."""
    return value.value if isinstance(value, Variable) else value


def asked(owner: str, values: tuple[Any, ...], words: dict[str, Any]) -> dict[str, Any]:
    """What add_weight was asked for, by name. By position it may be written as in Keras 2, the name first, or as in Keras 3.

    Raises: TypeError for more arguments than there are, for one given twice, and for a keyword that neither knows.
    """
    order = KERAS_2 if values and isinstance(values[0], str) else KERAS_3
    require(len(values) <= len(order), f"{owner}.add_weight takes {', '.join(order)}; got {len(values)} arguments.", TypeError)
    known_words(f"{owner}.add_weight", words, {*KERAS_2, *KERAS_3, *TENSORFLOW})
    twice = next((word for word in order[:len(values)] if word in words), None)
    require(twice is None, f"{owner}.add_weight was given {twice} twice, by position and by name.", TypeError)
    return dict(zip(order, values, strict=False)) | words


def whole_shape(owner: str, name: str, shape: Any) -> tuple[int, ...]:
    """The shape of a weight: None is (), 3 is (3,). ValueError where a length is not known."""
    lengths = () if shape is None else (shape,) if hasattr(shape, "__index__") else tuple(shape)
    usable = all(hasattr(each, "__index__") and int(each) >= 0 for each in lengths)
    require(usable, f"{owner}.add_weight({name!r}, shape={shape!r}): write whole numbers. Where a length of the input is not "
            "known, declare it: input_shape=(...).")
    return tuple(int(each) for each in lengths)


def swapped(value: Any, place: str, swap: Callable[[Any, str], Any]) -> Any:
    """swap(leaf, its place) of every leaf; lists, tuples and dicts become new ones. The leaf at a[0] stands at "a/0"."""
    if type(value) in (list, tuple):
        return type(value)(swapped(each, f"{place}/{number}", swap) for number, each in enumerate(value))
    if type(value) is dict:
        return {key: swapped(each, f"{place}/{key}", swap) for key, each in value.items()}
    return swap(value, place)
