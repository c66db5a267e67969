"""What an optimizer answers once it stands in a model: its learning rate and its count of updates, as they are now.

The declaration stays free of arrays. `model.optimizer` is a copy of it with a weak reference to the model; both numbers ask
that model at each use, and an assignment to one changes the state that the next step begins from.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any, Protocol, Self

import numpy as np

from jaxseq.core.require import require
from jaxseq.core.transforms import updates_made, with_updates_made


class Owner(Protocol):
    """What a model answers to the optimizer that stands in it."""

    learning_rate: Any
    opt_state: Any


class Live(np.lib.mixins.NDArrayOperatorsMixin):
    """A scalar that is asked for at each use: float(rate), rate * 0.5, f"{rate:.4f}", rate.numpy(), np.log(rate).

    read: () -> its value now. write: sets it. setting: () -> what a constructor is given to begin with the same.
    Arithmetic gives NumPy scalars of this moment.
    """

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], None], setting: Callable[[], Any] | None = None):
        self._read, self._write, self._setting = read, write, setting or read

    def numpy(self) -> Any:
        """The value now, as a NumPy scalar."""
        return np.asarray(self._read())[()]

    def assign(self, value: Any) -> None:
        """Sets the value; it acts at the next step."""
        self._write(value)

    @property
    def setting(self) -> Any:
        """The value as a constructor takes it; of a rate that follows a schedule, the schedule."""
        return self._setting()

    @property
    def dtype(self) -> np.dtype:
        return self.numpy().dtype

    @property
    def shape(self) -> tuple[()]:
        return ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*(each.numpy() if isinstance(each, Live) else each for each in inputs), **options)

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __format__(self, form: str) -> str:
        return format(self.numpy(), form)

    def __repr__(self) -> str:
        return str(self.numpy())


class Standing:
    """The bound half of an optimizer. See `jaxseq.core.optimizers.Optimizer` for the pure half."""

    _home = None            # a weak reference to the model, in what `bound_to` gives

    def bound_to(self, model: Owner) -> Self:
        """The same settings, in `model`: learning_rate and iterations are then read there, and assigned there."""
        bound = object.__new__(type(self))
        vars(bound).update(vars(self), _home=weakref.ref(model))
        return bound

    @property
    def owner(self) -> Any:
        """The model that the optimizer stands in, or None."""
        return None if self._home is None else self._home()

    @property
    def lr(self) -> Any:
        """Keras 2's name of learning_rate."""
        return getattr(self, "learning_rate")           # noqa: B009  # a field of the other half

    @property
    def iterations(self) -> Live:
        """The number of updates made in the model since it was compiled."""
        model = self.owner
        require(model is not None, f"{self!r} stands in no model, so it has made no updates. Ask model.optimizer.iterations "
                "after model.compile(...).", AttributeError)

        def write(count: Any) -> None:
            model.opt_state = with_updates_made(model.opt_state, count)

        return Live(lambda: updates_made(model.opt_state), write)

    def __getstate__(self) -> dict[str, Any]:
        rate = getattr(self, "learning_rate")           # noqa: B009
        kept = {name: value for name, value in vars(self).items() if name != "_home"}       # a copy stands in no model
        return {**kept, "learning_rate": rate.setting if isinstance(rate, Live) else rate}

    def __setattr__(self, name: str, value: Any) -> None:
        if self.owner is not None and name in ("learning_rate", "lr", "iterations"):
            getattr(self, name).assign(value)
            return
        raise FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed: compile with another optimizer, or "
                                  f"write model.learning_rate = {value!r} for the rate of the next step.")


class Rate:
    """What `optimizer.learning_rate` gives: the declared rate; in a model the one that stands there now, a `Live`."""

    def __get__(self, optimizer: Any, owner: Any) -> Any:
        if optimizer is None:
            return owner.__dataclass_fields__["learning_rate"].default
        declared, model = vars(optimizer)["learning_rate"], optimizer.owner
        if model is None:
            return declared

        def setting() -> Any:
            now = model.learning_rate
            return declared if callable(declared) or np.float32(declared) == np.float32(now) else float(str(np.float32(now)))

        return Live(lambda: np.float32(model.learning_rate), lambda rate: setattr(model, "learning_rate", rate), setting)

    def __set__(self, optimizer: Any, value: Any) -> None:
        vars(optimizer)["learning_rate"] = value            # by the constructor; other assignments: `Standing.__setattr__`
