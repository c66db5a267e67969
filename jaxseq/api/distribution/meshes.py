"""Devices by name, and meshes of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from jaxseq.core.require import positive_int, require, require_known


def list_devices(device_type: str | None = None) -> list[str]:
    """The names of all devices of all processes, as "cpu:0" or "gpu:3". device_type: "cpu", "gpu" or "tpu" alone."""
    return [_name(device) for device in _devices(device_type)]


def get_device_count(device_type: str | None = None) -> int:
    """How many devices there are, in all processes."""
    return len(_devices(device_type))


class DeviceMesh:
    """Devices in rows and columns, whose axes have names.

    shape: the lengths of the axes, (4, 2). axis_names: ("batch", "model"). devices: names as `list_devices` gives them ("gpu"
    is "gpu:0"), or JAX's own devices, in the order of the mesh; all when absent.

    Raises: ValueError unless the shape has room for exactly these devices, or for a device that is not there; TypeError for
    what is no shape, no names and no devices.
    Source: as keras.distribution.DeviceMesh.
    """

    def __init__(self, shape: Sequence[int], axis_names: Sequence[str], devices: Iterable[Any] | None = None):
        shape, names = _lengths(shape), _names(axis_names)
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

    def __reduce__(self) -> Any:
        return mesh_again, (self.shape, tuple(self.axis_names), tuple(self.devices.ravel().tolist()))

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}: {size}" for name, size in zip(self.axis_names, self.shape, strict=True))
        return f"<DeviceMesh {axes}; {self.devices.flat[0]} to {self.devices.flat[-1]}>"


class MissingMesh(NamedTuple):
    """A mesh out of a pickle, of devices that this machine has not."""

    shape: tuple[int, ...]
    axis_names: tuple[str, ...]
    devices: tuple[str, ...]


def mesh_again(shape: tuple[int, ...], axis_names: tuple[str, ...], devices: tuple[str, ...]) -> DeviceMesh | MissingMesh:
    """The mesh of the devices of these names."""
    made = DeviceMesh if {*devices} <= {*list_devices()} else MissingMesh
    return made(shape, axis_names, devices)


def row_of(devices: Iterable[Any] | None, axis: str) -> DeviceMesh:
    """The devices in a row, along one axis."""
    found = _found(devices)
    return DeviceMesh((len(found),), (axis,), found)


def _lengths(shape: Any) -> tuple[int, ...]:
    """The lengths of a mesh's axes."""
    listed = isinstance(shape, Iterable) and not isinstance(shape, str)
    require(listed, f"DeviceMesh(shape={shape!r}): write the length of every axis, as (8,) or (2, 4).", TypeError)
    return tuple(positive_int("DeviceMesh(shape): an axis", each) for each in shape)


def _names(axis_names: Any) -> tuple[str, ...]:
    """The names of a mesh's axes."""
    listed = isinstance(axis_names, Iterable) and not isinstance(axis_names, str)
    require(listed and all(isinstance(each, str) for each in axis_names), f"DeviceMesh(axis_names={axis_names!r}): write the "
            'name of every axis, as ("batch",) or ("batch", "model").', TypeError)
    return tuple(axis_names)


def _found(devices: Iterable[Any] | None) -> list[Any]:
    """JAX's devices of those names; all where there are none."""
    if devices is None:
        return jax.devices()
    require(isinstance(devices, Iterable) and not isinstance(devices, str), f"devices={devices!r}: write a list, as "
            'devices=["cpu:0"] or devices=list_devices()[:2].', TypeError)
    there = {_name(device): device for device in jax.devices()}
    given = list(np.ravel(np.array(list(devices), object)))
    found = [_device(each, there) for each in given]
    require(len(found) == len(set(found)) > 0, f"devices={given}: name each device once, and one at least.")
    return found


def _device(given: Any, there: Mapping[str, Any]) -> Any:
    """The device of that name, or one of JAX's as it is."""
    require(isinstance(given, str | jax.Device), f"devices: {given!r} is no device. Write names, as list_devices() gives them, "
            f"devices=[{next(iter(there))!r}], or JAX's own devices.", TypeError)
    if not isinstance(given, str):
        return given
    name = given.lower() if ":" in given else f"{given.lower()}:0"
    require_known(name, there, f"There is no device {given!r}.")
    return there[name]


def _devices(device_type: str | None) -> list[Any]:
    try:
        return jax.devices(device_type and device_type.lower())
    except RuntimeError:
        return []


def _name(device: Any) -> str:
    return f"{'gpu' if device.platform in ('cuda', 'rocm') else device.platform}:{device.id}"
