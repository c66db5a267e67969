"""What a layer in Keras's way was told: its constructor's arguments, which are shown, compared and written as JSON."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Self

from jaxseq.core.declared import as_data, in_python, same, told
from jaxseq.core.layer import BASE, INPUT_WORDS, Layer
from jaxseq.core.require import require


class Told(Layer, declared=False):
    """A layer that remembers how it was written. Its constructor is the user's, so its fields say nothing of it."""

    _written: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __new__(cls, *values: Any, **words: Any) -> Self:
        self = super().__new__(cls)
        object.__setattr__(self, "_written", (in_python(values), {word: in_python(value) for word, value in words.items()}))
        return self

    def get_config(self) -> dict[str, Any]:
        """What was written, as JSON can hold it; the constructor's own arguments where the class tells no others."""
        where = type(self).__name__
        arguments = {} if _tells_itself(type(self)) else self._arguments()
        return {name: as_data(value, f"{where}({name})") for name, value in (arguments | self._base()).items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The layer that `get_config` described. What the constructor does not take is set afterwards."""
        taken = inspect.signature(cls.__init__).parameters
        every = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values())
        later = {} if every else {word: config[word] for word in BASE if word in config and word not in taken}
        self = cls(**{word: value for word, value in config.items() if word not in later})
        return self.replaced(**later) if later else self

    def replaced(self, **changes: Any) -> Self:
        """A new layer like this one; of the settings, those of every layer may be others."""
        known = set(changes) <= {*BASE}
        require(known, f"{type(self).__name__}.replaced({', '.join(changes)}): of a layer in Keras's way {', '.join(BASE)} may "
                "be replaced. Write a new layer for anything else.", TypeError)
        return self._twin({"_homes": (), **changes})

    def _twin(self, changes: dict[str, Any]) -> Self:
        """An object with the same attributes, but for some."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), **changes)
        return twin

    def __repr__(self) -> str:
        shown = [f"{name}={told(value)}" for name, value in (self._arguments() | self._base()).items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and same(self._arguments(), other._arguments())  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), *self._arguments()))

    def _arguments(self) -> dict[str, Any]:
        """What the constructor was given, by name, but for what every layer has."""
        values, words = self._written
        given: dict[str, Any] = {}
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *values, **words).arguments
        for name, value in list(bound.items())[1:]:
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                given |= {word: each for word, each in value.items() if word not in {"weights", *INPUT_WORDS}}
            else:
                given[name] = value
        return {name: value for name, value in given.items() if name not in BASE}

    def _base(self) -> dict[str, Any]:
        """The fields of every layer that were written."""
        return {each.name: getattr(self, each.name) for each in fields(Layer) if getattr(self, each.name) != each.default}


def _tells_itself(cls: type[Told]) -> bool:
    return cls.get_config is not Told.get_config


def whole_and_plain(get_config: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """A class's own get_config, which finds all that the constructor kept, with NumPy's scalars as Python's."""

    @functools.wraps(get_config)
    def described(self: Any) -> dict[str, Any]:
        return {name: in_python(value) for name, value in get_config(self._with_all()).items()}

    return described
