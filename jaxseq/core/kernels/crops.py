"""Parts in the middle of images."""

from __future__ import annotations


def largest_part(lengths: tuple[int, ...], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the largest part in the middle of an image that has the proportions of `size`."""
    (height, width), (wanted_height, wanted_width) = lengths, size
    tall, wide = max(1, width * wanted_height // wanted_width), max(1, height * wanted_width // wanted_height)
    return middle(height, min(height, tall)), middle(width, min(width, wide))


def middle(length: int, part: int) -> slice:
    """`part` elements in the middle of `length`, one nearer to the start where they cannot stand evenly."""
    start = (length - part) // 2
    return slice(start, start + part)
