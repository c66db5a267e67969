"""What a file may ask for, before anything of it is made: layers, loops that are written out, numbers to count in, axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jaxseq.api.files.refusal import Source

LAYERS = 1000           # of all models in a file
SPARE, EACH = 32, 4     # layers of a file: so many in any case, and so many for each of its groups of weights
TURNS = 100             # of the loops that the layers of a file want written out
COUNTERS = 2**22        # numbers that the metrics of one model count in: an overlap of 2048 classes is that many
AXES, SIZE = 64, 2**31  # of what goes through a model: NumPy has no more axes, and nothing is so long
SHAPES = {"target_shape", "dims", "noise_shape", "axis", "axes", "shared_axes"}       # settings with a number for each axis


class Asked:
    """What a file has asked for so far. FileRejected for more than there is. groups: of weights, where the file has any."""

    def __init__(self, source: Source, groups: int | None = None):
        self.source = source
        self._most = LAYERS if groups is None else min(LAYERS, SPARE + EACH * groups)
        self._layers = self._turns = self._counters = 0

    def layer(self) -> None:
        """A layer."""
        self._layers += 1
        self.rows(0)

    def rows(self, number: int) -> None:
        """So many layers that are yet to be made."""
        self.source.require(self._layers + number <= self._most, f"more than {self._most:,} layers.")

    def settings(self, name: str, config: Mapping[str, Any], where: str = "") -> None:
        """The settings of a layer or an optimizer."""
        for key in SHAPES & config.keys():
            self.shape(config[key], key)
        self._turns += _turns(name, config)
        self.source.require(self._turns <= TURNS, f"{name} wants a loop of more than {TURNS:,} turns written out.", where)

    def counters(self, name: str, config: Mapping[str, Any]) -> None:
        """The settings of a metric."""
        self._counters += _counters(config)
        self.source.require(self._counters <= COUNTERS, f"{name} wants to count in more than {COUNTERS:,} numbers.",
                            "compile_config")

    def shape(self, shape: Any, what: str = "an input") -> tuple[Any, ...]:
        """The shape as a tuple."""
        sizes = tuple(shape) if isinstance(shape, list) else (shape,)
        self.source.require(len(sizes) <= AXES, f"{what} of {len(sizes):,} axes.")
        self.source.require(not any(isinstance(size, int) and size >= SIZE for size in sizes), f"{what} of the shape {sizes}.")
        return sizes


def _turns(name: str, config: Mapping[str, Any]) -> int:
    """How long the loops are that are written out in a program for the layer or optimizer, as far as its settings say."""
    told = [config.get("power_iterations"), config.get("ns_steps")]
    window = config.get("kernel_size") if name.startswith("LocallyConnected") else None
    told += window if isinstance(window, list) else [window]
    return sum(each for each in told if isinstance(each, int) and each > 0)


def _counters(config: Mapping[str, Any]) -> int:
    """How many numbers a metric of ours counts in, as far as its settings say: thresholds x labels, or classes x classes."""
    thresholds, labels, classes = (config.get(key) for key in ("num_thresholds", "num_labels", "num_classes"))
    listed = config.get("thresholds")
    sizes = len(listed) if isinstance(listed, list) else thresholds, labels, classes, classes
    return math.prod(size for size in sizes if isinstance(size, int) and size > 0)
