"""Errors that say what was given, what was wanted, and the line to write."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


def require(ok: Any, message: str, error: type[Exception] = ValueError) -> None:
    """Raises `error(message)` unless `ok`."""
    if not ok:
        raise error(message)


def nearest(name: str, known: Iterable[str]) -> str:
    """' Did you mean ...?' with the closest known names, or the list of all when none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name).lower(), known, n=3, cutoff=0.6)
    if close:
        return " Did you mean " + " or ".join(repr(each) for each in close) + "?"
    return " Known: " + ", ".join(known) + "."


def require_known(name: Any, known: Iterable[str], message: str, error: type[Exception] = ValueError, cure: str = "") -> None:
    """Raises `error(message, the nearest known names, cure)` unless `name` is known."""
    if name not in known:
        raise error(message + nearest(str(name), known) + cure)


def pick(kind: str, name: str, table: Mapping[str, T]) -> T:
    """table[name], or a ValueError that names the nearest entries."""
    require_known(name, table, f"Unknown {kind} {name!r}.")
    return table[name]


def known_words(owner: str, words: Iterable[str], known: Iterable[str]) -> None:
    """TypeError for the first of the keywords `words` that `owner` does not know, with the nearest ones it does."""
    known = set(known)
    for word in words:
        require_known(word, known, f"{owner} takes no argument {word!r}.", TypeError)


def absent(owner: Any, name: str, instead: str | None) -> Any:
    """AttributeError for an attribute that is not there, with the line to write where there is one; else Python's own."""
    there = hasattr(type(owner), name)          # and fails: its own error is the one to show
    require(there or instead is None, f"{type(owner).__name__} has no attribute {name!r}: {instead}", AttributeError)
    return object.__getattribute__(owner, name)


class Spelled:
    """A base whose constructors refuse a keyword that they do not take, with the nearest ones they do.

    A subclass's own `__init__` says what it takes; one with **options of its own takes everything.
    """

    other_words: ClassVar[tuple[str, ...]] = ()     # keywords that are understood and stand in no signature

    def __new__(cls, *values: Any, **words: Any) -> Self:
        own = cls.__init__ is not object.__init__       # which takes anything beside a `__new__` like this one
        require(own or not (values or words), f"{cls.__name__} takes no arguments.", TypeError)
        known = _keywords(cls.__init__) if words else None
        if known is not None:
            known_words(cls.__name__, words, {*known, *cls.other_words})
        return super().__new__(cls)


def spelled(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, which refuses a keyword that it does not take with the nearest ones it does."""
    known = _keywords(function) or set()

    @functools.wraps(function)
    def call(*values: P.args, **words: P.kwargs) -> T:
        known_words(function.__name__, words, known)
        return function(*values, **words)

    return call


def _keywords(function: Callable[..., Any]) -> set[str] | None:
    """The keywords that a function takes; None where it takes all."""
    taken = inspect.signature(function).parameters.values()
    return None if any(each.kind is each.VAR_KEYWORD for each in taken) else {each.name for each in taken} - {"self"}


class NoFunction:
    """A base of what has a `__call__` only to say what to write instead."""

    def as_function(self) -> Callable[[Any], Any]:
        """The function of an array that it stands for where an activation is asked for; ValueError where that is none."""
        raise ValueError(f"{self!r} is no activation of another layer: add it as a layer of its own, after that one.")


def is_function(value: Any) -> bool:
    """Whether it can be called to some end."""
    return callable(value) and not isinstance(value, NoFunction)


def one_of(argument: str, value: T, choices: tuple[T, ...]) -> T:
    """`value` if it is one of `choices`, else a ValueError that lists them."""
    require(value in choices, f"{argument}={value!r}: write one of {', '.join(map(repr, choices))}.")
    return value


def positive_int(argument: str, value: Any) -> int:
    """`value` as an int of at least 1, else a ValueError. Booleans and floats are refused."""
    whole = not isinstance(value, bool) and hasattr(value, "__index__")
    require(whole and int(value) >= 1, f"{argument}={value!r}: write a whole number of at least 1.")
    return int(value)
