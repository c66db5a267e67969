"""What people hand over, as columns: NumPy or JAX arrays with one row per example, in a dtype that JAX works in.

Nothing here looks at a model. Every error names the argument, what was given and the line to write.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api.sparse import SparseRows, compressed, is_sparse
from jaxseq.core.require import require

Column = np.ndarray | jax.Array
Rows = Column | SparseRows              # what x may be
_INT32 = np.iinfo(np.int32)


def column(name: str, data: Any, wide: bool = False) -> Column:
    """`data` as an array: lists, pandas objects and anything with __array__ included.

    float64 becomes float32 and int64 int32, unless a value does not fit; every other dtype stays what it is, so that
    uint8 images travel as bytes. wide: float64 stays as well.

    Raises: TypeError for data that are not numbers, ValueError for ragged lists, masked arrays and a single number.
    """
    array = numbers(name, data, wide)
    if array.ndim == 0:                                 # repr of large data is slow, so no message is made in advance
        raise ValueError(f"{name} is a single number, {data!r}: pass an array with one row per example.")
    return array


def numbers(name: str, data: Any, wide: bool = False) -> Column:
    """`column` of any rank, a single number included."""
    return _from_device(name, data) if isinstance(data, jax.Array) else _from_host(name, data, wide)


def predictors(name: str, data: Any, wide: bool = False) -> Rows:
    """`column`, or the rows of a sparse matrix, which stay sparse until a batch needs them."""
    if isinstance(data, SparseRows):
        return data
    if not is_sparse(data):
        return column(name, data, wide)
    require(len(data.shape) == 2, f"{name} is a sparse {type(data).__name__} of shape {data.shape}: pass a matrix with one row "
            "per example.")
    return compressed(data, lambda values: _narrowed(name, values, wide))


def the_only(data: Any, fits: Callable[[Any], bool]) -> Any:
    """The array in [array] or {"name": array}, which is how Keras gives a model one of several inputs; anything else as it is.

    fits: whether an array in a list is all the data, and not a row of them.
    """
    if isinstance(data, dict) and len(data) == 1:
        return next(iter(data.values()))
    alone = isinstance(data, list | tuple) and len(data) == 1 and hasattr(data[0], "shape") and fits(data[0])
    return data[0] if alone else data


def same_length(columns: Mapping[str, Rows | None]) -> None:
    """ValueError when the columns differ in their number of rows, or have none."""
    present = {name: array for name, array in columns.items() if array is not None}
    first, *others = present
    rows = present[first].shape[0]
    for name in others:
        count = present[name].shape[0]
        require(count == rows, f"{first} has {rows} rows and {name} has {count}: each row of {first} needs its row of {name}.")
    require(rows > 0, f"{first} is empty, shape {present[first].shape}: there is nothing to work on.")


def finite(name: str, array: Rows) -> None:
    """ValueError that counts the NaN and infinite values and says where the first one is."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return
    host = array.stored if isinstance(array, SparseRows) else np.asarray(array)
    with np.errstate(all="ignore"):                     # the sum may overflow, or add inf and -inf
        if np.isfinite(np.sum(host, dtype=np.float32)):
            return
    bad = ~np.isfinite(host)
    count = int(bad.sum())
    if count:
        place = _first(bad)
        told = "1 value that is NaN or infinite, at" if count == 1 else f"{count} values that are NaN or infinite, the first at"
        at = array.place(*place) if isinstance(array, SparseRows) else place
        raise ValueError(f"{name} has {told} {list(at)}: {host[place]!s}. Clean the data, for example with np.nan_to_num.")


def within(name: str, array: Column, low: float, high: float, meaning: str) -> None:
    """ValueError that names the first value outside [low, high]."""
    host = np.asarray(array)
    if host.size == 0 or (host.min() >= low and host.max() <= high):
        return
    place = _first((host < low) | (host > high))
    raise ValueError(f"{name}{list(place)} is {host[place]!s}{meaning}")


def whole(name: str, array: Column, meaning: str) -> None:
    """ValueError that names the first value that is not a whole number."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return
    host = np.asarray(array)
    broken = host != np.floor(host)
    if broken.any():
        place = _first(broken)
        raise ValueError(f"{name}{list(place)} is {host[place]!s}, not a whole number: {meaning}")


def in_code(name: str) -> str:
    """A column's name in a line to write: y for "validation y"."""
    return name.split()[-1]


def _first(bad: np.ndarray) -> tuple[int, ...]:
    """The place of the first True, without listing the others."""
    return tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))


def _from_device(name: str, array: jax.Array) -> jax.Array:
    usable = any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))
    require(usable, f"{name} has dtype {array.dtype}: pass numbers" + _cure(name, array.dtype), TypeError)
    require(not isinstance(array, jax.core.Tracer), f"{name} is being traced by jax.jit, jax.grad or the like: call the pure "
            "functions of model.functional() there.", TypeError)
    return array


def _from_host(name: str, data: Any, wide: bool) -> np.ndarray:
    require(data is not None, f"{name} is None: pass an array with one row per example.", TypeError)
    require(not isinstance(data, np.ma.MaskedArray), f"{name} is a masked array: pass {in_code(name)}.filled(0), and say which "
            "steps are real with a Masking layer.")
    if hasattr(data, "to_numpy"):                       # pandas, polars
        data = data.to_numpy()
    require(not hasattr(data, "toarray"), f"{name} is a sparse {type(data).__name__}: pass {in_code(name)}.toarray().",
            TypeError)
    told = f"{name} is of type {type(data).__name__}: pass an array of numbers"
    require(not _endless(data), f"{told}, or let it subclass jaxseq.utils.Sequence to be read batch by batch.", TypeError)
    try:
        array = np.asarray(data)
    except ValueError:
        if not isinstance(data, list | tuple):
            raise                                       # its own __array__ knows better what is wrong
        raise ValueError(_ragged(name, data)) from None
    require(array.ndim > 0 or array.dtype.kind != "O" and not isinstance(data, str | bytes),
            f"{name} is of type {type(data).__name__}: pass an array of numbers.", TypeError)
    return _narrowed(name, array, wide)


def _endless(data: Any) -> bool:
    """Whether NumPy would read the object item by item until an IndexError that may never come."""
    items = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    array = any(hasattr(data, each) for each in ("__array__", "__array_interface__", "__array_struct__"))
    return items and not array and not isinstance(data, Sequence | Mapping | memoryview)


def _ragged(name: str, rows: Any) -> str:
    """What to say of rows of different lengths."""
    shapes = [_shape(row) for row in rows]
    odd = next((i for i, shape in enumerate(shapes) if shape is None or shape != shapes[0]), 0)
    where = f"row {odd} is ragged itself" if shapes[odd] is None else f"row 0 has shape {shapes[0]}, row {odd} {shapes[odd]}"
    return (f"{name} is a ragged list, {where}: pad its rows to one length, so that np.asarray({in_code(name)}) is an "
            "array.")


def _shape(row: Any) -> tuple[int, ...] | None:
    try:
        return np.shape(row)
    except ValueError:
        return None


def _narrowed(name: str, array: np.ndarray, wide: bool) -> np.ndarray:
    """The same numbers in a dtype that JAX works in by default (see `column`), or an error for the first that does not fit."""
    if array.dtype.kind == "O":
        array = _from_objects(name, array, wide)
    dtype = array.dtype
    require(dtype.kind in "fiub" or jnp.issubdtype(dtype, jnp.floating), f"{name} has dtype {dtype}"
            + (f", its first value is {reprlib.repr(array.flat[0].item())}" if array.size and dtype.kind in "SUT" else "")
            + ": pass numbers" + _cure(name, dtype), TypeError)
    if not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
    if dtype.kind == "f" and dtype.itemsize >= 8:
        return array.astype(np.float64, copy=False) if wide else _to_float32(name, array)
    if dtype.kind in "iu" and dtype.itemsize >= 4:
        within(name, array, _INT32.min, _INT32.max, f", too large for int32: scale the data, or pass floats, "
               f"{in_code(name)}.astype('float32').")
        return array.astype(np.int32, copy=False)
    return array


def _cure(name: str, dtype: Any) -> str:
    """How data of no number's dtype become numbers."""
    it = in_code(name)
    numbered = f". Give each text a number: np.unique({it}, return_inverse=True)[1]."
    return {
        "S": numbered, "U": numbered, "T": numbered,
        "M": f", for example days since the first: ({it} - {it}.min()) / np.timedelta64(1, 'D').",
        "m": f", for example days: {it} / np.timedelta64(1, 'D').",
        "c": f", for example {it}.real and {it}.imag side by side.",
    }.get(getattr(dtype, "kind", ""), ".")


def _from_objects(name: str, array: np.ndarray, wide: bool) -> np.ndarray:
    """An object array (pandas makes them) of plain numbers, or of equally long rows, as numbers.

    Raises TypeError that names the first entry that is no number, ValueError for rows of different lengths.
    """
    entries = array.ravel().tolist()
    if array.ndim == 1 and entries and all(isinstance(each, list | tuple | np.ndarray) for each in entries):
        return _from_host(name, entries, wide)
    place = next((i for i, each in enumerate(entries) if not _is_real(each)), None)
    if place is not None:
        where, value = list(map(int, np.unravel_index(place, array.shape))), entries[place]
        raise TypeError(f"{name}{where} is {reprlib.repr(value)}, of type {type(value).__name__}: pass an array of numbers.")
    if all(isinstance(each, bool | np.bool_) for each in entries):
        return array.astype(bool)
    if all(isinstance(each, int | np.integer | np.bool_) for each in entries):
        within(name, array, _INT32.min, _INT32.max, f", too large for int32: scale the data, or pass floats, "
               f"{in_code(name)}.astype('float32').")
        return array.astype(np.int32)
    return array.astype(np.float64)


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating | np.bool_)


def _to_float32(name: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):                     # the cast and the sum may overflow
        narrow = array.astype(np.float32)
        if np.isfinite(np.sum(narrow)):
            return narrow
    lost = np.isinf(narrow) & np.isfinite(array)
    if lost.any():
        place = _first(lost)
        raise ValueError(f"{name}{list(place)} is {array[place]:g}, too large for float32: scale the data first.")
    return narrow
