"""The arithmetic of a traced program: how many operations its products and convolutions make."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any


def flops(program: Any, wanted: Sequence[bool] | None = None) -> int:
    """Two for every multiplication and addition in the matrix products and convolutions of a jaxpr.

    A `scan` counts as often as it runs; a loop whose number of rounds is not known, as the loop over steps of a training
    program, once. Of branches the one with the most. What nothing asks for does not count, as no compiler makes it. Zeros
    that a convolution has around its input count like numbers; those between its elements do not.
    wanted: which of the outputs are asked for; None: all.
    """
    wanted = [True] * len(program.outvars) if wanted is None else wanted
    alive, total = {id(each) for each, asked in zip(program.outvars, wanted, strict=True) if asked}, 0
    for equation in reversed(program.eqns):
        asked = [id(each) in alive for each in equation.outvars]
        if any(asked) or equation.effects:
            alive.update(map(id, equation.invars))
            total += _of(equation, asked)
    return total


def _of(equation: Any, asked: list[bool]) -> int:
    name, words = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = words["dimension_numbers"]
        left, result = equation.invars[0].aval, equation.outvars[0].aval
        return 2 * result.size * math.prod(left.shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel, result = equation.invars[1].aval, equation.outvars[0].aval
        _, channels, *sizes = (kernel.shape[axis] for axis in words["dimension_numbers"].rhs_spec)
        return 2 * result.size * channels * math.prod(sizes) // math.prod(words["lhs_dilation"])
    if name == "while":
        return sum(map(flops, _within(words)))
    if name == "scan":
        carried = [place < words["num_carry"] or each for place, each in enumerate(asked)]
        return words["length"] * flops(words["jaxpr"].jaxpr, carried)
    inner = [flops(each, asked) if len(each.outvars) == len(asked) else flops(each) for each in _within(words)]
    return max(inner) if name == "cond" else sum(inner)


def _within(words: dict[str, Any]) -> Iterator[Any]:
    """The jaxprs among an equation's parameters."""
    for value in words.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            program = getattr(each, "jaxpr", each)
            if hasattr(program, "eqns"):
                yield program
