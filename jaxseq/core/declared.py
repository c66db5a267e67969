"""Declarations: objects of plain settings, to {"class_name", "config"} and back through a table of names."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import FunctionType
from typing import Any, Self, TypeGuard

import jax
import numpy as np

from jaxseq.core.require import Spelled, is_function, pick, require


class Declared(Spelled):
    """What initializers, losses, metrics, optimizers and their like share: their fields are their configuration."""

    def __post_init__(self) -> None:
        """Makes the settings of a new dataclass plain and hashable: NumPy scalars become Python's, lists tuples."""
        for each in fields(self) if is_dataclass(self) else ():
            object.__setattr__(self, each.name, _settled(getattr(self, each.name)))

    def get_config(self) -> dict[str, Any]:
        """The settings as JSON can hold them: {field: value}. A class that is no dataclass has none to tell."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)} if is_dataclass(self) else {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The object that `get_config` described. Raises TypeError for a setting the class does not have."""
        return cls(**{setting: restored(value) for setting, value in config.items()})


def to_config(declared: Any) -> Any:
    """{"class_name", "config"} of an object with `get_config`. A name, a config, a function or None stays as it is."""
    if inspect.isclass(declared) or not hasattr(declared, "get_config"):
        return declared
    return {"class_name": type(declared).__name__, "config": declared.get_config()}


def from_config(kind: str, identifier: Any, table: Mapping[str, Callable[..., Any]],
                custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The object that an identifier stands for.

    kind: the word for error messages, as "initializer".
    identifier: a name; a {"class_name", "config"} dict, as Keras 2 and Keras 3 write it; a class, or an entry of the
        table without its parentheses; or an object that can be called, which is returned untouched.
    table: name -> class, or function that makes the object.
    custom_objects: the user's own name -> class, or function that *is* the object.

    Raises ValueError for an unknown name and for what is none of these.
    """
    if inspect.isclass(identifier) or any(identifier is maker for maker in table.values()):
        return identifier()
    if isinstance(identifier, str | Mapping):
        return _by_name(kind, *_parsed(kind, identifier), table, custom_objects or {})
    require(is_function(identifier), f"{identifier!r} is no {kind}: write one of the names {', '.join(sorted(table))}, or "
            "pass an object that can be called.")
    return identifier


def as_data(value: Any, where: str) -> Any:
    """A field's value as JSON can hold it."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, tuple | list):
        return [as_data(each, where) for each in value]
    if isinstance(value, np.ndarray | jax.Array):
        return _plain(np.asarray(value))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "get_config") and (hasattr(value, "__dataclass_fields__") or hasattr(value, "as_row")):     # or a model
        return to_config(value)
    require(callable(value) and hasattr(value, "__name__"), f"{where}={value!r} cannot be written down as plain data.",
            TypeError)
    return {"class_name": "function", "config": value.__name__}


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number: Python's or NumPy's, but no bool."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool) and math.isfinite(value)


def is_zero(value: Any) -> bool:
    """Whether a setting is the number 0. One that a program is given is not: nobody knows it when the program is made."""
    return is_number(value) and value == 0


def number(owner: str, argument: str, value: Any, least: float = -math.inf, most: float = math.inf) -> None:
    """Raises ValueError unless `value` is a finite number from `least` to `most`."""
    at_least = "" if least == -math.inf else f" of at least {least:g}"
    wanted = f"a finite number{at_least}" if most == math.inf else f"a number from {least:g} to {most:g}"
    require(is_number(value) and least <= value <= most, f"{owner}({argument}={value!r}): write {wanted}.")


def in_python(value: Any) -> Any:
    """NumPy scalars as Python's, in lists and tuples, too; anything else as it is."""
    if type(value) in (list, tuple):
        return type(value)(map(in_python, value))
    return value.item() if isinstance(value, np.generic) else value


def told(value: Any) -> str:
    """A setting as it is shown: a function by its name, everything else as it shows itself."""
    return value.__name__ if isinstance(value, FunctionType) else repr(value)


def same(one: Any, other: Any) -> bool:
    """Whether two settings are equal, arrays among them."""
    if isinstance(one, np.ndarray | jax.Array) or isinstance(other, np.ndarray | jax.Array):
        return np.array_equal(np.asarray(one), np.asarray(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if type(one) in (list, tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _parsed(kind: str, identifier: str | Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """(name, config). Keras 3 writes a user's function as {"class_name": "function", "config": its name}."""
    if isinstance(identifier, str):
        return identifier, {}
    require({"class_name", "config"} <= set(identifier), f"{dict(identifier)!r} is no {kind}: write "
            '{"class_name": ..., "config": {...}}.')
    if identifier["class_name"] == "function":
        return identifier["config"], {}
    return identifier["class_name"], identifier["config"] or {}


def _by_name(kind: str, name: str, config: Mapping[str, Any], table: Mapping[str, Any],
             custom: Mapping[str, Any]) -> Any:
    maker = pick(kind, name, {**table, **custom})
    if name in custom and not inspect.isclass(maker):
        return maker
    return getattr(maker, "from_config", lambda settings: maker(**settings))(config)


def _settled(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return tuple(map(_settled, value)) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    """A setting as JSON can hold it; arrays in the form of Keras 3."""
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    return list(value) if isinstance(value, tuple) else value


def restored(value: Any) -> Any:
    """The setting that was written as data: a list of numbers that says so as an array."""
    if isinstance(value, Mapping) and value.get("class_name") in ("__numpy__", "__tensor__"):
        return np.asarray(value["config"]["value"], value["config"]["dtype"])
    return value
