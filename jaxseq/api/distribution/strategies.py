"""What is cut: batches alone, weights too, or weights by their names. And the one that new models are compiled with."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from jax.sharding import PartitionSpec

from jaxseq.api.distribution.layouts import LayoutMap
from jaxseq.api.distribution.meshes import DeviceMesh, list_devices, row_of
from jaxseq.core.layout import EVERYWHERE, Layout
from jaxseq.core.require import nearest, require, require_known


class Distribution(ABC):
    """How training is spread over the devices of a mesh.

    device_mesh: these. batch_dim_name: its axis that batches are cut along.
    """

    def __init__(self, device_mesh: DeviceMesh, batch_dim_name: str):
        require(isinstance(device_mesh, DeviceMesh), f"device_mesh={device_mesh!r}: pass a jaxseq.distribution.DeviceMesh; "
                f"devices have a word of their own, {type(self).__name__}(devices=...).", TypeError)
        require_known(batch_dim_name, device_mesh.axis_names, f"The mesh has no axis {batch_dim_name!r}.")
        self.device_mesh, self.batch_dim_name = device_mesh, batch_dim_name

    @abstractmethod
    def spec(self, path: str, shape: tuple[int, ...]) -> PartitionSpec:
        """How the weight at "layer/weight" is cut."""

    def without_effect(self, name: str, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
        """What it says and does not do to the model of that name, with weights of these shapes: a sentence for each."""
        return []

    def layout(self) -> Layout:
        """The same, as the core takes it."""
        return Layout(self.device_mesh.mesh, (self.batch_dim_name,), self.spec)

    def scope(self) -> AbstractContextManager[None]:
        """Models that are compiled inside are spread so."""
        return spread_as(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self.device_mesh}>"


class DataParallel(Distribution):
    """Every device has all weights and its share of every batch; gradients are added up over them.

    device_mesh: the batch is cut along its first axis. devices: those of a mesh in one row; all devices when both are absent.
    auto_shard_dataset: Keras's; accepted. Of arrays each process takes its rows by itself, and a loader always gives its own
        process's part.
    The batch need not be a multiple of the devices' number. In a step the gradients are added up over the devices, for which
    each sends and receives 2 (n - 1) / n times their bytes.
    Source: as keras.distribution.DataParallel.
    """

    def __init__(self, device_mesh: DeviceMesh | None = None, devices: Iterable[Any] | None = None,
                 auto_shard_dataset: bool = True):
        require(device_mesh is None or devices is None, f"{type(self).__name__}: device_mesh has its devices: leave out one "
                "of the two.")
        mesh = row_of(devices, "batch") if device_mesh is None else device_mesh
        super().__init__(mesh, mesh.axis_names[0] if isinstance(mesh, DeviceMesh) else "batch")

    def spec(self, path: str, shape: tuple[int, ...]) -> PartitionSpec:
        return EVERYWHERE


class FullySharded(DataParallel):
    """As DataParallel, and every device keeps only its part of the weights and of what the optimizer remembers of them.

    device_mesh: with two axes, as DeviceMesh((16, 8), ("host", "device")), batches are cut along both, and weights along the
        last: each host has all of them, so that they are put together within it.
    A weight is cut along the longest of its axes that the devices divide; one that has none stays whole. For a step the
    weights are put together, and each device updates its part.
    Source: Rajbhandari et al. 2020, "ZeRO" (stage 3). Keras has no such class.
    """

    def spec(self, path: str, shape: tuple[int, ...]) -> PartitionSpec:
        along = self.device_mesh.axis_names[-1]
        parts = self.device_mesh.mesh.shape[along]
        fitting = _divided(shape, parts)
        if not fitting:
            return EVERYWHERE
        longest = max(fitting, key=lambda axis: shape[axis])
        return PartitionSpec(*(along if axis == longest else None for axis in range(len(shape))))

    def without_effect(self, name: str, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
        along = self.device_mesh.axis_names[-1]
        parts = self.device_mesh.mesh.shape[along]
        cuts = lambda count: any(_divided(shape, count) for shape in shapes.values())
        if parts == 1 or not shapes or cuts(parts):
            return []
        fewer = next(filter(cuts, range(parts - 1, 1, -1)), None)
        path = max(shapes, key=lambda path: math.prod(shapes[path]))
        advice = "Write DataParallel(...)." if fewer is None else f"{fewer} devices along it do, or write DataParallel(...)."
        return [f"FullySharded cuts no weight of {name!r}, so every device keeps all: {parts} devices along {along!r} divide "
                f"no axis of any; the largest is {path!r} {shapes[path]}. {advice}"]

    def layout(self) -> Layout:
        return super().layout()._replace(batch=tuple(self.device_mesh.axis_names), together=True)


def _divided(shape: tuple[int, ...], parts: int) -> list[int]:
    """The axes that so many devices divide."""
    return [axis for axis, size in enumerate(shape) if size and size % parts == 0]


class ModelParallel(Distribution):
    """Weights are cut as a LayoutMap says, and batches along an axis of its mesh.

    layout_map: how. batch_dim_name: the axis that batches are cut along; the first when absent.
    Source: as keras.distribution.ModelParallel.
    """

    def __init__(self, *, layout_map: LayoutMap, batch_dim_name: str | None = None, auto_shard_dataset: bool = True):
        require(isinstance(layout_map, LayoutMap), f"layout_map={layout_map!r}: pass a jaxseq.distribution.LayoutMap.",
                TypeError)
        mesh = layout_map.device_mesh
        super().__init__(mesh, mesh.axis_names[0] if batch_dim_name is None else batch_dim_name)
        self.layout_map = layout_map

    def spec(self, path: str, shape: tuple[int, ...]) -> PartitionSpec:
        return self.layout_map.spec(path, shape)

    def without_effect(self, name: str, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
        return [f"LayoutMap[{pattern!r}] is found in no weight's path of {name!r}, so it cuts nothing there."
                f"{nearest(pattern, shapes)}" for pattern in self.layout_map.unfound(shapes)]


_current: ContextVar[Distribution | None] = ContextVar("jaxseq distribution", default=None)


def set_distribution(value: Distribution | None) -> None:
    """Models that are compiled from now on are spread so, unless compile(distribution=...) says another; None: one device."""
    require(value is None or isinstance(value, Distribution), f"set_distribution({value!r}): pass a DataParallel, a "
            "FullySharded, a ModelParallel, or None.", TypeError)
    _current.set(value)


def distribution() -> Distribution | None:
    """What set_distribution was given last."""
    return _current.get()


@contextmanager
def spread_as(value: Distribution | None) -> Iterator[None]:
    """Models that are compiled inside are spread so; None: on one device."""
    token = _current.set(value)
    try:
        yield
    finally:
        _current.reset(token)


def layout_of(spread: Distribution | None) -> Layout | None:
    """The layout that a model is compiled with. TypeError for something else than a Distribution."""
    require(spread is None or isinstance(spread, Distribution), f"distribution={spread!r}: pass a "
            "jaxseq.distribution.DataParallel, FullySharded or ModelParallel.", TypeError)
    require(spread is None or isinstance(spread.device_mesh, DeviceMesh), f"distribution={spread!r} comes out of a pickle, and "
            f"not all of its devices are here: there are {', '.join(list_devices())}.")
    return None if spread is None else spread.layout()


def taken_up(kept: Distribution | None) -> Distribution | None:
    """How a model out of a pickle is spread: as it was, where its devices are; else as set_distribution says; else not at all.
    The two latter are a warning where it was spread."""
    if kept is not None and isinstance(kept.device_mesh, DeviceMesh):
        return kept
    spread = distribution()
    if kept is not None:
        told = "it trains on one device" if spread is None else f"it is spread as set_distribution says, {spread!r}"
        warnings.warn(f"The model was spread as {kept!r}, and not all of these devices are here: {told}. compile(distribution="
                      "...) spreads it otherwise.", stacklevel=2)
    return spread


def look_over(spread: Distribution, name: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A warning for all that does nothing to the model. No error: one distribution may be of several models."""
    for told in spread.without_effect(name, shapes):
        warnings.warn(told, stacklevel=2)
