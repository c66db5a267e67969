"""How a window lies on its axes: what convolution and pooling share."""

from __future__ import annotations

from typing import Any

from jaxseq.core.require import one_of, require

Ints = tuple[int, ...]
Edges = tuple[tuple[int, int], ...]


def per_axis(argument: str, value: Any, axes: int) -> Ints:
    """One whole number for each of `axes` axes, from one number for all or a sequence of them; else a ValueError."""
    numbers = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    several = "" if axes == 1 else f", or {axes} of them in a tuple"
    whole = all(hasattr(each, "__index__") and not isinstance(each, bool) and int(each) >= 1 for each in numbers)
    require(whole and len(numbers) == axes, f"{argument}={value!r}: write a whole number of at least 1{several}.")
    return tuple(int(each) for each in numbers)


def edges(lengths: Ints, size: Ints, strides: Ints, padding: str, dilation: Ints) -> Edges:
    """What is added (before, after) each axis.

    "valid": nothing. "same": so much that ceil(length / stride) windows fit, the odd one after. "causal": all of it
    before, so that no window looks ahead.
    """
    one_of("padding", padding, ("valid", "same", "causal"))
    reaches = tuple(gap * (each - 1) for each, gap in zip(size, dilation, strict=True))
    if padding == "causal":
        return tuple((reach, 0) for reach in reaches)
    if padding == "valid":
        return tuple((0, 0) for _ in reaches)
    wanted = [max((-(-length // stride) - 1) * stride + reach + 1 - length, 0)
              for length, stride, reach in zip(lengths, strides, reaches, strict=True)]
    return tuple((total // 2, total - total // 2) for total in wanted)


def require_room(who: str, x_shape: tuple[int, ...], names: tuple[str, ...], lengths: Ints, size: Ints, padding: str,
                 dilation: Ints) -> None:
    """ValueError where a window that is not padded is longer than its axis: nothing would come out."""
    for name, length, each, gap in zip(names, lengths, size, dilation, strict=True):
        reach = gap * (each - 1) + 1
        spread = f" (size {each}, dilation {gap})" if gap > 1 else ""
        room = padding != "valid" or length >= reach
        require(room, f"{who}: its window is {reach} long{spread}, but x {x_shape} has only {length} along its {name}. "
                "Write padding='same', or a smaller window.")
