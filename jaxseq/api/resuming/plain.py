"""What callbacks keep (numbers, text, lists, arrays) as JSON with the arrays beside it, and back without loss."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

MANY = 64           # a list of so many numbers is kept as an array

Arrays = list[np.ndarray]


class NotPlain(TypeError):
    """Something else than numbers, text, containers of them, and arrays."""


def packed(value: Any, arrays: Arrays) -> Any:
    """`value` as JSON can hold it; its arrays, copied, are added to `arrays`. NotPlain for anything else.

    Containers are told apart, so that a tuple comes back as a tuple and 1.0 as a float: {"tuple": [...]}.
    """
    match value:
        case None | bool() | str():
            return value
        case np.generic():
            return {"number": _kept(value, arrays)}
        case int():
            return value
        case float():
            return value if math.isfinite(value) else {"float": repr(value)}
        case list() if len(value) >= MANY and {type(each) for each in value} == {float}:
            return {"floats": _kept(np.array(value, np.float64), arrays)}
        case list():
            return [packed(each, arrays) for each in value]
        case tuple() if type(value) is tuple:
            return {"tuple": [packed(each, arrays) for each in value]}
        case set() | frozenset():
            return {type(value).__name__: [packed(each, arrays) for each in sorted(value, key=repr)]}
        case dict():
            return {"dict": [[packed(key, arrays), packed(each, arrays)] for key, each in value.items()]}
        case jax.Array() if not jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
            return {"device": _kept(value, arrays)}
        case np.ndarray() if not value.dtype.hasobject:
            return {"array": _kept(value, arrays)}
    raise NotPlain(f"a {type(value).__name__} is kept in no file")


def unpacked(data: Any, arrays: Arrays) -> Any:
    """What `packed` was given. ValueError, IndexError or TypeError for what it never gives."""
    return _unpacked(data, dict(enumerate(arrays)))


def _unpacked(data: Any, left: dict[int, np.ndarray]) -> Any:
    """left: the arrays that no value has taken yet, for each belongs to one."""
    if isinstance(data, list):
        return [_unpacked(each, left) for each in data]
    if not isinstance(data, dict):
        return data
    (kind, held), = data.items()
    match kind:
        case "number" | "floats" | "array" | "device":
            return _of_array(kind, left.pop(held))
        case "float":
            return float(held)
        case "dict":
            return {_unpacked(key, left): _unpacked(each, left) for key, each in held}
        case "tuple" | "set" | "frozenset" if isinstance(held, list):
            return {"tuple": tuple, "set": set, "frozenset": frozenset}[kind](_unpacked(held, left))
    raise ValueError(f"{kind!r} is no kind of value")


def _of_array(kind: str, array: np.ndarray) -> Any:
    match kind:
        case "number" if array.ndim == 0:
            return array[()]
        case "floats" if array.ndim == 1 and array.dtype == np.float64:
            return array.tolist()
        case "array":
            return array.copy()
        case "device":
            return jax.numpy.array(array)
    raise ValueError(f"{array.shape} {array.dtype} is no {kind}")


def equal(one: Any, others: Arrays, another: Any, more: Arrays) -> bool:
    """Whether two packed values are the same, arrays included."""
    if isinstance(one, dict) and isinstance(another, dict) and one.keys() == another.keys():
        (kind, held), (_, other) = *one.items(), *another.items()
        if kind in ("number", "floats", "array", "device"):
            a, b = others[held], more[other]
            return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        return equal(held, others, other, more)
    if isinstance(one, list) and isinstance(another, list):
        return len(one) == len(another) and all(equal(a, others, b, more) for a, b in zip(one, another, strict=True))
    return type(one) is type(another) and one == another


def _kept(value: Any, arrays: Arrays) -> int:
    arrays.append(np.array(value))
    return len(arrays) - 1
