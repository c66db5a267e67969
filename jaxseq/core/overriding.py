"""Classes that a user derives from ours: whether what ours says of itself is still true."""

from __future__ import annotations

from typing import Any


def speaks_for(thing: Any, telling: str, *methods: str) -> bool:
    """Whether what the object's class says by `telling` holds of its `methods`: no class below the one that defines the former
    defines one of the latter."""
    teller = _owner(type(thing), telling)
    return all(issubclass(teller, _owner(type(thing), method)) for method in methods)


def _owner(cls: type, name: str) -> type:
    """The class that defines what `cls` has under a name."""
    return next(each for each in cls.__mro__ if name in vars(each))
