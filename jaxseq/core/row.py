"""Row: layers in a row as one layer, which is what a model is inside another."""

from __future__ import annotations

from dataclasses import replace

from jaxseq.core import chain
from jaxseq.core.last_activation import parted
from jaxseq.core.layer import Layer
from jaxseq.core.require import require


class Row(Layer):
    """Applies layers one after the other: y = layer_n(... layer_1(x)).

    inner: ((name, layer), ...), each name once. enters: what the data become when the row stands first; None: what its
        first layer works in. dtype: the number format of layers that have none of their own.
    Shapes: x as the first layer takes it -> y as the last one gives it. A mask goes through as it does through the layers.
    Params, state: {name: the layer's}, without those that have none.
    Draws: each layer from the row's key, folded with its own name. trainable=False freezes all layers: their
        BatchNormalization takes its moving statistics, as in Keras 3.
    """

    inner: chain.Layers = ()
    enters: str | None = None

    def __post_init__(self):
        require(self.inner, "Row needs layers: Row(inner=((name, layer), ...)).")
        object.__setattr__(self, "input_dtype", self.enters or self.inner[0][1].input_dtype)

    @property
    def row_of(self) -> chain.Layers:       # pyright: ignore[reportIncompatibleVariableOverride]
        """Its layers: no other layer is a row of some."""
        return self.inner

    def __repr__(self) -> str:
        return f"Sequential([{', '.join(repr(layer) for _, layer in self.inner)}], name={self.name or 'sequential'!r})"

    def under(self, dtype):
        """The row with a dtype in each of its layers. It has none of its own then: what enters and leaves it is theirs."""
        usual = self.dtype or dtype
        return self if usual is None else replace(self, inner=tuple((name, each.under(usual)) for name, each in self.inner),
                                                  dtype=None)

    def take_dtype(self, dtype: str) -> None:
        """Takes a dtype for its own, as the model that it stands for does."""
        object.__setattr__(self, "dtype", dtype)

    def init(self, key, x):
        return chain.init(self.inner, key, x)

    def forward(self, params, state, x, ctx):
        layers = self.inner if self.trainable else chain.stilled(self.inner)
        out = chain.apply(layers, dict(params), dict(state), x, train=ctx.train, key=ctx.key, mask=ctx.mask)
        return out.y, out.state, out.mask

    def apply(self, params, state, x, ctx):
        y, state, _ = self.forward(params, state, x, ctx)
        return y, state

    def dtypes_within(self):
        return super().dtypes_within() | chain.dtypes(self.inner)

    def frozen_within(self):
        return chain.frozen(self.inner)

    def by_row(self, train):
        return chain.by_row(self.inner, train=train)

    def reset(self, state):
        return chain.reset(self.inner, dict(state))

    def penalty(self, params):
        return chain.penalty(self.inner, dict(params))

    def constrain(self, params):
        return chain.constrain(self.inner, dict(params))

    def without_activation(self):
        *before, (name, last) = self.inner
        parts = parted(last)
        return None if parts is None else (replace(self, inner=(*before, (name, parts[0]))), parts[1])
