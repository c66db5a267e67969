"""How a window lies on its axes: what convolution and pooling share."""

from __future__ import annotations

from typing import Any

from jaxseq.core.require import one_of, require

Ints = tuple[int, ...]
Edges = tuple[tuple[int, int], ...]


def per_axis(argument: str, value: Any, axes: int, least: int = 1) -> Ints:
    """One whole number for each of `axes` axes, from one number for all or a sequence of them; else a ValueError."""
    numbers = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    several = "" if axes == 1 else f", or {axes} of them in a tuple"
    whole = all(hasattr(each, "__index__") and not isinstance(each, bool) and int(each) >= least for each in numbers)
    require(whole and len(numbers) == axes, f"{argument}={value!r}: write a whole number of at least {least}{several}.")
    return tuple(int(each) for each in numbers)


def pairs(argument: str, value: Any, axes: int) -> Edges:
    """(before, after) for each axis; else a ValueError.

    value: one number for all; one number or one pair for each of several axes; or, for a single axis, its pair.
    """
    entries = tuple(value) if axes > 1 and isinstance(value, tuple | list) else (value,) * axes
    require(len(entries) == axes, f"{argument}={value!r}: write a whole number, or {axes} of them in a tuple, or a tuple of "
            f"{axes} pairs (before, after).")
    names = [argument] if axes == 1 else [f"{argument}[{number}]" for number in range(axes)]
    first_last = [per_axis(name, entry, 2, least=0) for name, entry in zip(names, entries, strict=True)]
    return tuple((before, after) for before, after in first_last)


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


def transposed_edges(size: Ints, strides: Ints, padding: str, dilation: Ints, output_padding: Ints | None) -> Edges:
    """What is added (before, after) each axis of x, spread by the strides, so that the kernel gives the transposed length.

    The outputs from the last element of x on are `tail`: the window, and at least a stride, with "valid"; a stride with
    "same". A given output_padding is counted from the window itself with "valid", and from size % 2 with "same".
    """
    one_of("padding", padding, ("valid", "same"))

    def of(each: int, stride: int, gap: int, extra: int | None) -> tuple[int, int]:
        reach = gap * (each - 1) + 1
        if extra is None:
            tail = max(reach, stride) if padding == "valid" else stride
        else:
            tail = extra + (reach if padding == "valid" else reach % 2)
        total = tail + reach - 2
        before = min(total - total // 2, reach - 1)
        return before, total - before

    extras = (None,) * len(size) if output_padding is None else output_padding
    return tuple(of(*each) for each in zip(size, strides, dilation, extras, strict=True))


def require_room(who: str, x_shape: tuple[int, ...], names: tuple[str, ...], lengths: Ints, size: Ints, padding: str,
                 dilation: Ints, cure: str = "padding='same', or a smaller window") -> None:
    """ValueError, with a cure, where a window that is not padded is longer than its axis: nothing would come out."""
    for name, length, each, gap in zip(names, lengths, size, dilation, strict=True):
        reach = gap * (each - 1) + 1
        spread = f" (size {each}, dilation {gap})" if gap > 1 else ""
        room = padding != "valid" or length >= reach
        require(room, f"{who}: its window is {reach} long{spread}, but x {x_shape} has only {length} along its {name}. "
                f"Write {cure}.")
