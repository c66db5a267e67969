"""How weights are cut along the axes of a mesh: by patterns of their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
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
        self.axes, self.device_mesh = _checked("TensorLayout", axes, device_mesh), device_mesh

    def __repr__(self) -> str:
        return f"TensorLayout({self.axes})"


class LayoutMap(MutableMapping):
    """{pattern: layout}: how the weights are cut whose path a pattern is found in; all others stay whole.

        layouts = LayoutMap(mesh)
        layouts["dense.*kernel"] = (None, "model")
        layouts["dense.*bias"] = ("model",)

    A path is the names of a layer and of its weight, "dense_1/kernel"; a layer within a model has that model's name in front.
    A pattern is a regular expression, which may be found anywhere in a path. One map may be written for several models, so a
    pattern that is found in none of a model's paths is a warning when that model is first trained.
    Raises: ValueError when two patterns are found in one path, for a pattern that is no regular expression, and for a layout
    of another mesh.
    Source: as keras.distribution.LayoutMap.
    """

    def __init__(self, device_mesh: DeviceMesh):
        require(isinstance(device_mesh, DeviceMesh), f"LayoutMap({device_mesh!r}): pass a DeviceMesh.", TypeError)
        self.device_mesh = device_mesh
        self._layouts: dict[str, TensorLayout] = {}

    def __setitem__(self, pattern: str, layout: Any) -> None:
        told = f"LayoutMap[{pattern!r}]"
        _compiled(pattern)
        require(pattern not in self._layouts, f"{pattern!r} has a layout already: {self._layouts.get(pattern)}.")
        require(layout is not None, f"{told} = None: leave the pattern out, for what no pattern is found in stays whole; "
                "`del` takes one away.", TypeError)
        other = layout.device_mesh if isinstance(layout, TensorLayout) else None
        require(other is None or other.mesh == self.device_mesh.mesh, f"{told}: the layout is of {other}, and the map of "
                f"{self.device_mesh}. Write the layout without a mesh.")
        axes = layout.axes if isinstance(layout, TensorLayout) else layout
        self._layouts[pattern] = TensorLayout(_checked(told, axes, self.device_mesh), self.device_mesh)

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

    def __repr__(self) -> str:
        return f"<LayoutMap {({pattern: layout.axes for pattern, layout in self._layouts.items()})} of {self.device_mesh}>"

    def unfound(self, paths: Iterable[str]) -> list[str]:
        """The patterns that are found in none of these paths."""
        return [pattern for pattern in self._layouts if not any(re.search(pattern, path) for path in paths)]

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


def _compiled(pattern: Any) -> re.Pattern[str]:
    """A regular expression; an error that says what is wrong with it."""
    require(isinstance(pattern, str), f"LayoutMap[{pattern!r}]: a pattern is text, as \"dense.*kernel\".", TypeError)
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"LayoutMap[{pattern!r}]: {error}. A pattern is a regular expression: write {re.escape(pattern)!r} "
                         "for the text itself.") from error


def _checked(told: str, axes: Any, mesh: DeviceMesh | None) -> tuple[str | None, ...]:
    """The axes of a layout, each None or a name, each name once and of the mesh where there is one."""
    listed = isinstance(axes, Iterable) and not isinstance(axes, str)
    require(listed and all(each is None or isinstance(each, str) for each in axes), f"{told}: the layout {axes!r} is no tuple "
            'of names of axes. Write one entry for each axis of the array, None where it stays whole: ("model",) for a bias, '
            '(None, "model") for a kernel.', TypeError)
    axes = tuple(axes)
    for axis in filter(None, axes):
        if mesh is not None:
            require_known(axis, mesh.axis_names, f"{told}: the mesh has no axis {axis!r}.")
        require(axes.count(axis) == 1, f"{told}: the layout {axes} names {axis!r} twice, and an array can be cut along an axis "
                "of the mesh once. Write None for one of them.")
    return axes
