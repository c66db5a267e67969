"""Number formats and the three constants that Keras keeps in its configuration file."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api.backend.inputs import array
from jaxseq.core.require import pick, require
from jaxseq.core.types import Array

__all__ = [
    "cast", "cast_to_floatx", "dtype", "epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx",
    "set_image_data_format",
]

_EPSILON = 1e-7

_DTYPES = {name: np.dtype(name) for name in (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
)} | {"bfloat16": np.dtype(jnp.bfloat16)}


def resolve(dtype: Any) -> np.dtype:
    """The dtype that a name or a NumPy or JAX type stands for; None stands for float32.

    64-bit formats become their 32-bit kin, unless jax_enable_x64 is set. Raises ValueError for an unknown name.
    """
    wanted = pick("dtype", dtype, _DTYPES) if isinstance(dtype, str) else np.dtype(dtype or np.float32)
    return np.dtype(jax.dtypes.canonicalize_dtype(wanted))


def cast(x: Any, dtype: Any) -> Array:
    """x in another number format: K.cast(y, "float32"). Floats lose their fraction on the way to integers.

    "int64" and "float64" give int32 and float32, unless jax_enable_x64 is set.
    Raises: ValueError for an unknown name.
    """
    return array(x).astype(resolve(dtype))


def cast_to_floatx(x: Any) -> np.ndarray:
    """x as a NumPy array of float32."""
    return np.asarray(x, np.float32)


def dtype(x: Any) -> str:
    """The name of x's number format: "float32"."""
    return array(x).dtype.name


def epsilon() -> float:
    """1e-7, the small number that Keras adds where a logarithm or a quotient would overflow."""
    return _EPSILON


def set_epsilon(value: float) -> None:
    """Takes 1e-7 alone: there is no global setting, so no other file can change what yours computes.

    Raises: ValueError for any other value.
    """
    require(value == _EPSILON, f"K.set_epsilon({value!r}): K.epsilon() is 1e-7 and cannot be changed for the whole "
            "program. Write the number where it is used: Adam(epsilon=...), BatchNormalization(epsilon=...).")


def floatx() -> str:
    """"float32", the number format of weights and activations."""
    return "float32"


def set_floatx(floatx: str) -> None:
    """Takes "float32" alone.

    Raises: ValueError for any other format.
    """
    require(floatx == "float32", f"K.set_floatx({floatx!r}): jaxseq has no dtype for the whole program. Write "
            f"Sequential([...], dtype={floatx!r}), or dtype={floatx!r} in a layer; for one array write K.cast(x, dtype).")


def image_data_format() -> str:
    """"channels_last": images are (rows, columns, channels)."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Takes "channels_last" alone.

    Raises: ValueError for any other order.
    """
    require(data_format == "channels_last", f"K.set_image_data_format({data_format!r}): there is no global setting. "
            "Write K.set_image_data_format('channels_last'), or leave the line out, and move the channels of your "
            "images to the end: np.moveaxis(x, 1, -1).")
