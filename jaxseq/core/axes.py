"""The axes of x that a layer works along: a number or several, and never the batch's."""

from __future__ import annotations

from typing import Any

from jaxseq.core.require import require


def as_axis(owner: str, axis: Any) -> int | tuple[int, ...]:
    """`axis` as a declaration keeps it, a list as a tuple. ValueError for what is no number of an axis, and for 0."""
    axis = tuple(axis) if isinstance(axis, list) else axis
    usable = all(hasattr(each, "__index__") and not isinstance(each, bool) and each != 0 for each in _several(axis))
    require(usable, f"{owner}(axis={axis!r}): write the number of an axis, or a tuple of them: -1 for the last, and not 0, "
            "the batch axis.")
    return axis


def axes_of(owner: str, axis: int | tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of an x of that shape, counted from 0 and in order. ValueError for one it does not have, and for the batch's."""
    axes = len(shape)
    require(all(-axes <= each < axes and each % axes != 0 for each in _several(axis)), f"{owner}(axis={axis}) needs x with "
            f"such an axis, and not the batch axis, got {shape}.")
    return tuple(sorted(each % axes for each in _several(axis)))


def _several(axis: Any) -> tuple[Any, ...]:
    return axis if isinstance(axis, tuple) else (axis,)
