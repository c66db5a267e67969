"""Lambda and ActivityRegularization: layers that say something and have no weights."""

from __future__ import annotations

from typing import Any

from jaxseq.core import regularizers
from jaxseq.core.layer import Layer
from jaxseq.core.require import is_function, require
from jaxseq.core.types import Array


class Lambda(Layer):
    """A function of one's own: y = function(x, **arguments).

    Shapes: x (batch, ...) -> whatever the function gives, which must keep the rows. Params: none. State: none.
    function: pure, from JAX arrays to a JAX array. Its shape is found out by itself: output_shape= is accepted and not needed.
    mask: a function (x, mask) -> mask, or a mask; without it a mask ends here, as in Keras.
    arguments: {keyword: value} for the function.
    Raises: TypeError for what cannot be called.
    A model with a Lambda is saved by the function's name, never by its code.
    """

    function: Any
    mask: Any = None
    arguments: Any = None

    unused_words = ("output_shape",)

    def __post_init__(self):
        require(is_function(self.function), f"Lambda({self.function!r}): write a function of x, Lambda(lambda x: x ** 2).",
                TypeError)
        if isinstance(self.arguments, dict):
            object.__setattr__(self, "arguments", tuple(self.arguments.items()))

    def apply(self, params, state, x, ctx):
        y = self.function(x, **dict(self.arguments or ()))
        require(y is not None, f"{self!r} gave None: end the function with return.")
        return y, state

    def by_row(self, train):
        return not self.arguments and super().by_row(train)         # an argument may be the batch axis

    def out_mask(self, x, mask):
        own: Any = self.mask
        going_on: Any = own(x, mask) if callable(own) else own
        return going_on


class ActivityRegularization(Layer):
    """Hands x on, and adds l1 * sum(|x|) + l2 * sum(x^2) to the loss, per row.

    Shapes: x (batch, ...) -> y = x. Params: none. State: none.
    Source: as keras.layers.ActivityRegularization of Keras 3, which divides by the batch size; Keras 2 does not.
    """

    l1: float = 0.0
    l2: float = 0.0

    @property
    def activity_regularizer(self) -> regularizers.Regularizer:
        """What the chain asks for after `apply`."""
        return regularizers.L1L2(self.l1, self.l2)

    def apply(self, params: Any, state: Any, x: Array, ctx: Any) -> tuple[Array, Any]:
        return x, state
