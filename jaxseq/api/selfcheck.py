"""self_check: does this installation compute what NumPy computes?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jaxlib
import numpy as np
from jax import lax

from jaxseq.core import run

if TYPE_CHECKING:
    from jaxseq.api.golden import Case, Golden

TOLERANCE = {"cpu": 1e-4}       # of the largest number there is
ELSEWHERE = 3e-2                # accelerators multiply with fewer digits; what is looked for is garbage


class SelfCheck(NamedTuple):
    """What `self_check` found. outputs: how many were compared. error: the largest, relative to the output's size."""

    outputs: int
    error: float
    seconds: float
    device: str
    versions: str

    def __str__(self) -> str:
        return (f"{self.outputs} outputs agree with NumPy's to {self.error:.0e} ({self.versions} on {self.device}; "
                f"{self.seconds:.1f} s)")


class Off(NamedTuple):
    """How far one output of a program is off: y, or the gradient of x or of a weight."""

    program: str
    batch: int
    output: str
    error: float


def self_check(verbose: bool = False) -> SelfCheck:
    """Runs small programs of every kind of layer, forward and backward, and compares them with NumPy in float64.

    The programs are compiled as that of fit is, for batches of 1 to 128 rows; that takes nearly all of about two seconds.
    verbose: prints a line for each program.
    Raises: RuntimeError when any output is off, with the numbers and what to install.
    """
    from jaxseq.api.golden import PROGRAMS

    return check(PROGRAMS, verbose)


def check(programs: Sequence[Golden], verbose: bool = False) -> SelfCheck:
    """`self_check` of these programs."""
    began = time.perf_counter()
    errors = [off for program in programs for off in _errors(program)]
    if verbose:
        _tell(errors)
    device = jax.default_backend()
    versions = f"jax {jax.__version__}, jaxlib {jaxlib.__version__}"
    _require_right(errors, TOLERANCE.get(device, ELSEWHERE), f"{versions} on {device}")
    return SelfCheck(len(errors), max(off.error for off in errors), time.perf_counter() - began, device, versions)


def _errors(program: Golden) -> list[Off]:
    """How far each output of a program is off, at all batch sizes."""
    cases, wanted = zip(*(program.case(batch) for batch in program.batches), strict=True)
    blank = [{output: np.zeros(np.shape(value), np.float32) for output, value in want.items()} for want in wanted]
    given = jax.device_get(_compiled(program)(jax.tree.map(lambda leaf: leaf[None], cases), blank, 0, 1))
    return [Off(program.name, batch, output, _distance(found[output], want[output]))
            for batch, found, want in zip(program.batches, given, wanted, strict=True) for output in want]


def _compiled(program: Golden) -> Any:
    """(cases, blank, start, stop) -> the outputs of each case, all in one compiled program.

    They are computed as fit does it: in a loop, over data picked by the loop's counter.
    """
    def outputs(cases: Sequence[Case], blank: Any, start: int, stop: int) -> Any:
        pick = lambda i: jax.tree.map(lambda leaf: leaf[i], cases)
        return lax.fori_loop(start, stop, lambda i, _: [program.computed(case) for case in pick(i)], blank)

    return run.compiled(outputs)


def _distance(given: Any, wanted: Any) -> float:
    """The largest difference, relative to the largest number wanted (or 1). NaN is infinitely far off."""
    difference = np.max(np.abs(given - wanted)) / max(1.0, np.max(np.abs(wanted)))
    return float(np.nan_to_num(difference, nan=np.inf))


def _tell(errors: list[Off]) -> None:
    for name in dict.fromkeys(off.program for off in errors):
        own = [off.error for off in errors if off.program == name]
        print(f"{name:12} {len(own):3} outputs, off by {max(own):.1e} at most")


def _require_right(errors: list[Off], tolerance: float, where: str) -> None:
    """RuntimeError unless every error is within the tolerance."""
    wrong = [off for off in errors if not off.error <= tolerance]
    if not wrong:
        return
    worst = max(wrong, key=lambda off: off.error)
    output = "y" if worst.output == "y" else f"the gradient of {worst.output}"
    raise RuntimeError(
        f"{len(wrong)} of {len(errors)} outputs are wrong with {where}. The worst: in the program {worst.program!r}, on a "
        f"batch of {worst.batch}, {output} is off by {worst.error:.1e} of its largest number, where {tolerance:.0e} is "
        "allowed. Do not trust what is trained here. Install another jax: pip install 'jax>=0.10.1,!=0.10.2'")
