"""How weights are cut along the axes of a mesh: by patterns of their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jaxseq.api.dealing import put
from jaxseq.api.distribution.meshes import DeviceMesh
from jaxseq.core.require import require, require_known


class TensorLayout:
    """Along which axis of a mesh each axis of an array is cut: TensorLayout((None, "model")) cuts a kernel by its columns.

    axes: for each axis of the array the name of an axis of the mesh, or None where it stays whole. device_mesh: which; a
    LayoutMap adds its own where none is given.
    Source: as keras.distribution.TensorLayout.
    """

    def __init__(self, axes: Sequence[str | None], device_mesh: DeviceMesh | None = None):
        self.axes, self.device_mesh = tuple(axes), device_mesh
        if device_mesh is not None:
            _check(self.axes, device_mesh)

    def __repr__(self) -> str:
        return f"TensorLayout({self.axes})"


class LayoutMap(MutableMapping):
    """{pattern: layout}: how the weights are cut whose path a pattern is found in; all others stay whole.

        layouts = LayoutMap(mesh)
        layouts["dense.*kernel"] = (None, "model")
        layouts["dense.*bias"] = ("model",)

    A path is the names of a layer and of its weight, "dense_1/kernel"; a layer within a model has that model's name in front.
    A pattern is a regular expression, which may be found anywhere in a path.
    Raises: ValueError when two patterns are found in one path.
    Source: as keras.distribution.LayoutMap.
    """

    def __init__(self, device_mesh: DeviceMesh):
        require(isinstance(device_mesh, DeviceMesh), f"LayoutMap({device_mesh!r}): pass a DeviceMesh.", TypeError)
        self.device_mesh = device_mesh
        self._layouts: dict[str, TensorLayout] = {}

    def __setitem__(self, pattern: str, layout: Any) -> None:
        require(pattern not in self._layouts, f"{pattern!r} has a layout already: {self._layouts.get(pattern)}.")
        re.compile(pattern)
        axes = layout.axes if isinstance(layout, TensorLayout) else tuple(layout)
        _check(axes, self.device_mesh)
        self._layouts[pattern] = TensorLayout(axes, self.device_mesh)

    def __getitem__(self, path: str) -> TensorLayout | None:
        if path in self._layouts:
            return self._layouts[path]
        found = [pattern for pattern in self._layouts if re.search(pattern, path)]
        require(len(found) < 2, f"The path {path!r} is told of by several patterns: {', '.join(map(repr, found))}. Make them "
                "narrower, so that one is found in it.")
        return self._layouts[found[0]] if found else None

    def __delitem__(self, pattern: str) -> None:
        del self._layouts[pattern]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layouts)

    def __len__(self) -> int:
        return len(self._layouts)

    def spec(self, path: str, shape: tuple[int, ...]) -> PartitionSpec:
        """How the weight at that path is cut. ValueError where it cannot be cut so."""
        layout = self[path]
        if layout is None:
            return PartitionSpec()
        require(len(layout.axes) == len(shape), f"{path} has the shape {shape}, and its layout {layout.axes}: write one entry "
                "for each axis.")
        for size, axis in zip(shape, layout.axes, strict=True):
            parts = 1 if axis is None else self.device_mesh.mesh.shape[axis]
            require(size % parts == 0, f"{path}, of shape {shape}, cannot be cut as {layout.axes}: {parts} devices along "
                    f"{axis!r} do not divide {size}. Leave that axis whole, or change the number of units.")
        return PartitionSpec(*layout.axes)


def distribute_tensor(tensor: Any, layout: TensorLayout) -> jax.Array:
    """The array on the devices of the layout's mesh, cut as it says."""
    require(layout.device_mesh is not None, "The layout has no mesh: write TensorLayout(axes, device_mesh).")
    assert layout.device_mesh is not None
    return put(NamedSharding(layout.device_mesh.mesh, PartitionSpec(*layout.axes)), np.asarray(tensor))


def _check(axes: Sequence[str | None], mesh: DeviceMesh) -> None:
    for axis in axes:
        if axis is not None:
            require_known(axis, mesh.axis_names, f"The mesh has no axis {axis!r}.")
