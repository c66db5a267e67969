"""Devices by name, and meshes of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jaxseq.core.require import nearest, require


def list_devices(device_type: str | None = None) -> list[str]:
    """The names of all devices of all processes, as "cpu:0" or "gpu:3". device_type: "cpu", "gpu" or "tpu" alone."""
    return [_name(device) for device in _devices(device_type)]


def get_device_count(device_type: str | None = None) -> int:
    """How many devices there are, in all processes."""
    return len(_devices(device_type))


class DeviceMesh:
    """Devices in rows and columns, whose axes have names.

    shape: the lengths of the axes, (4, 2). axis_names: ("batch", "model"). devices: names as `list_devices` gives them, or
    JAX's own devices, in the order of the mesh; all when absent.

    Raises: ValueError unless the shape has room for exactly these devices, or for a device that is not there.
    Source: as keras.distribution.DeviceMesh.
    """

    def __init__(self, shape: Sequence[int], axis_names: Sequence[str], devices: Iterable[Any] | None = None):
        shape, names = tuple(shape), tuple(axis_names)
        require(len(shape) == len(names) == len(set(names)), f"DeviceMesh({shape}, {names}): write a name of its own for each "
                "axis.")
        found = _found(devices)
        require(math.prod(shape) == len(found), f"DeviceMesh({shape}, {names}) has room for {math.prod(shape)} devices, and "
                f"there are {len(found)}: {', '.join(map(_name, found))}.")
        self.mesh = Mesh(np.array(found, object).reshape(shape), names)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.mesh.devices.shape

    @property
    def axis_names(self) -> list[str]:
        """The names of the axes."""
        return list(self.mesh.axis_names)

    @property
    def devices(self) -> np.ndarray:
        """The names of the devices, in the form of the mesh."""
        return np.vectorize(_name, otypes=[object])(self.mesh.devices)

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}: {size}" for name, size in zip(self.axis_names, self.shape, strict=True))
        return f"<DeviceMesh {axes}; {self.devices.flat[0]} to {self.devices.flat[-1]}>"


def row_of(devices: Iterable[Any] | None, axis: str) -> DeviceMesh:
    """The devices in a row, along one axis."""
    found = _found(devices)
    return DeviceMesh((len(found),), (axis,), found)


def _found(devices: Iterable[Any] | None) -> list[Any]:
    """JAX's devices of those names; all where there are none."""
    if devices is None:
        return jax.devices()
    there = {_name(device): device for device in jax.devices()}
    given = list(np.ravel(np.array(list(devices), object)))
    for each in given:
        require(not isinstance(each, str) or each.lower() in there, f"There is no device {each!r}.{nearest(str(each), there)}")
    found = [there[each.lower()] if isinstance(each, str) else each for each in given]
    require(len(found) == len(set(found)) > 0, f"devices={given}: name each device once, and one at least.")
    return found


def _devices(device_type: str | None) -> list[Any]:
    try:
        return jax.devices(device_type and device_type.lower())
    except RuntimeError:
        return []


def _name(device: Any) -> str:
    return f"{'gpu' if device.platform in ('cuda', 'rocm') else device.platform}:{device.id}"
