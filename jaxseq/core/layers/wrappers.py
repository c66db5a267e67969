"""Wrappers: a layer in both directions of time, and a layer at each step of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxseq.core import rng
from jaxseq.core.last_activation import taken_off_within
from jaxseq.core.layer import Layer, sequence_in_words
from jaxseq.core.layers.cells import inner_ctx
from jaxseq.core.layers.recurrent import zeroed
from jaxseq.core.nested import PENALTY, Nested, as_layer, joined, named, own
from jaxseq.core.require import one_of, require
from jaxseq.core.types import Array, Ctx, Spec

MERGES = {
    "concat": lambda forward, backward: jnp.concatenate([forward, backward], axis=-1),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
}
FORWARD, BACKWARD = "forward_", "backward_"


class Bidirectional(Nested):
    """Reads a sequence forward with one layer and backward with another like it: y = merge(forward(x), backward(x)).

    With return_sequences the outputs of the backward layer are turned round, so that those of one step meet: y stands in
    the order in which `layer` reads.

    layer: a recurrent layer. backward_layer: the one that reads the other way, a copy of `layer` by default.
    merge_mode: "concat", one beside the other in the last axis; "sum", "mul" or "ave", the mean.
    Shapes: x as the layer takes it -> its output, twice as wide with "concat".
    Params, state: those of the layers, with forward_ and backward_ before their names.
    Mask: goes on with return_sequences, and then what is masked is zero in the output.
    Raises: TypeError for a layer that has no go_backwards; ValueError for layers that read the same way, or of which only
        one has return_sequences or stateful; for merge_mode=None, which would have two outputs.
    Source: Schuster & Paliwal 1997; as keras.layers.Bidirectional, which drops the activity regularizer of its layer; here
        it counts for the outputs of each direction.
    """

    layer: Any
    merge_mode: str = "concat"
    backward_layer: Any = None

    shape_in_words = staticmethod(sequence_in_words)

    def __post_init__(self):
        require(self.merge_mode is not None, "Bidirectional(merge_mode=None): a layer of a Sequential has one output. Write "
                "merge_mode='concat', 'sum', 'mul' or 'ave'.")
        one_of("Bidirectional(merge_mode)", self.merge_mode, tuple(MERGES))
        for each in self.layer, self.backward_layer or self.layer:
            require(isinstance(each, Layer) and hasattr(each, "go_backwards"), f"Bidirectional({each!r}): write a recurrent "
                    "layer, Bidirectional(LSTM(32)).", TypeError)
        forward, backward = self.parts().values()
        require(forward.go_backwards != backward.go_backwards, f"{forward!r} and {backward!r} read the same way. Write "
                "go_backwards=True in one of them.")
        for option in "return_sequences", "stateful":
            require(getattr(forward, option) == getattr(backward, option), f"{forward!r} and {backward!r} need the same "
                    f"{option}.")
        if self.batch_input_shape is None:
            object.__setattr__(self, "batch_input_shape", self.layer.batch_input_shape)
        super().__post_init__()

    def parts(self) -> dict[str, Any]:
        other = self.backward_layer
        if other is None:
            other = replace(self.layer, go_backwards=not self.layer.go_backwards)
        return {FORWARD: self.layer, BACKWARD: other}

    def init(self, key, x):
        params, state = [], []
        for prefix, part in self.parts().items():
            weights, carried = part.first_weights(rng.fold_in(key, prefix), x)
            params.append(named(prefix, weights))
            state.append(named(prefix, carried))
        penalised = any(part.activity_regularizer is not None for part in self.parts().values())
        return joined(params), joined(state) | ({PENALTY: jnp.zeros((), jnp.float32)} if penalised else {})

    def apply(self, params, state, x, ctx):
        outputs, after, shares = [], [], []
        for prefix, part in self.parts().items():
            y, carried = part.apply(own(prefix, params), own(prefix, state), x, inner_ctx(ctx, prefix))
            outputs.append(y)
            after.append(named(prefix, carried))
            shares.append(part.activity_penalty(y))
        forward, backward = outputs
        y = MERGES[self.merge_mode](forward, backward[:, ::-1] if self.layer.return_sequences else backward)
        mask = self.out_mask(x, ctx.mask)
        shares = [share for share in shares if share is not None]
        return y if mask is None else zeroed(y, mask), joined([state, *after, {PENALTY: sum(shares)} if shares else {}])

    def out_mask(self, x, mask):
        return self.layer.out_mask(x, mask)


class TimeDistributed(Nested):
    """Applies a layer, or a model, to each step of a sequence: y[:, t] = layer(x[:, t]).

    Where the layer looks at each row by itself and carries nothing, all steps are rows of one batch; else it is applied to
    one step after the other, and what it carries goes along: BatchNormalization takes the moments of each step.

    Shapes: x (batch, time, ...), with (batch, ...) as the layer takes it -> y (batch, time, ...).
    Params, state: those of the layer, by its names; of a model, behind the names of its layers, "dense/kernel". They are the
        model's own, as where a model stands in another. Dropout draws for each step anew.
    Mask: a mask (batch, time) goes on and the layer does not see it. Of a mask with more axes, (batch, time, steps), the
        layer is given the part of its step; where it makes an end of it, a step stays real that had anything real in it.
    Raises: TypeError for what is no layer, ValueError for x without a time axis or without steps.
    Source: as keras.layers.TimeDistributed. Keras 3 passes the mask on as it came, and gives BatchNormalization that of a
        step; here its masked steps count.
    """

    layer: Any

    shape_in_words = staticmethod(sequence_in_words)

    def __post_init__(self):
        require(isinstance(as_layer(self.layer), Layer), f"TimeDistributed({self.layer!r}): write a layer, "
                "TimeDistributed(Dense(8)), or a model.", TypeError)
        object.__setattr__(self, "input_dtype", self._part.input_dtype)
        super().__post_init__()

    @property
    def _part(self) -> Layer:
        """The layer, or the model as one."""
        return as_layer(self.layer).under(self.dtype)

    def parts(self):
        return {"": self._part}

    def with_models(self, swap):
        is_layer = isinstance(self.layer, Layer)
        return self.replaced(layer=self.layer.with_models(swap) if is_layer else swap(self.layer))

    def inputs_of_models(self, x):
        return self._part.inputs_of_models(_step(x))

    def init(self, key, x):
        require(len(x.shape) >= 2 and x.shape[1] > 0, f"TimeDistributed needs x (batch, time, ...), got {x.shape}. Give it a "
                "time axis: x[:, None].")
        return self._part.first_weights(key, _step(x))

    def forward(self, params, state, x, ctx):
        mask = self._inner_mask(x, ctx.mask)
        part = self._part
        carried = {entry for entry in state if entry.split("/")[-1] != PENALTY} - {*part.statistics}
        read = self._one_by_one if carried or not part.by_row(ctx.train) else self._all_at_once
        y, after, y_mask = read(params, state, x, ctx._replace(mask=mask))
        if y_mask is None and ctx.mask is not None:
            y_mask = jnp.any(ctx.mask, axis=tuple(range(2, ctx.mask.ndim)))
        return y, after, y_mask

    def apply(self, params, state, x, ctx):
        y, state, _ = self.forward(params, state, x, ctx)
        return y, state

    def _all_at_once(self, params, state, x, ctx):
        apart = lambda y: y.reshape(*x.shape[:2], *y.shape[1:])
        mask = None if ctx.mask is None else _rows(ctx.mask)
        y, after, y_mask = self._here.forward(params, state, _rows(x), ctx._replace(mask=mask))
        if PENALTY in after:
            after = {**after, PENALTY: after[PENALTY] * x.shape[1]}     # a share of the batch's rows, not of all steps'
        return apart(y), after, None if y_mask is None else apart(y_mask)

    def _one_by_one(self, params, state, x, ctx):
        def step(state, now):
            place, x_t, mask_t = now
            key = None if ctx.key is None else rng.fold_in(ctx.key, place)
            y, after, y_mask = self._here.forward(params, state, x_t, Ctx(ctx.train, key, mask_t))
            if PENALTY in after:
                after = {**after, PENALTY: state[PENALTY] + after[PENALTY]}
            return after, (y, y_mask)

        fresh = {**state, PENALTY: jnp.zeros_like(state[PENALTY])} if PENALTY in state else dict(state)
        places, mask = jnp.arange(x.shape[1], dtype=jnp.uint32), None if ctx.mask is None else ctx.mask.swapaxes(0, 1)
        after, (y, y_mask) = lax.scan(step, fresh, (places, x.swapaxes(0, 1), mask))
        return y.swapaxes(0, 1), after, None if y_mask is None else y_mask.swapaxes(0, 1)

    def activity_penalty(self, y):
        return self._part.activity_penalty(y)

    def without_activation(self):
        return taken_off_within(self, self._part)

    def _inner_mask(self, x: Array, mask: Array | None) -> Array | None:
        """What of the mask is the layer's own: that of the axes behind time."""
        fits = mask is None or mask.shape == x.shape[:mask.ndim] and mask.ndim >= 2
        require(fits, f"TimeDistributed needs a mask (batch, time) {x.shape[:2]}, or with more of the axes of x {x.shape}, got "
                f"{None if mask is None else mask.shape}.")
        return None if mask is None or mask.ndim == 2 else mask

    @property
    def _here(self) -> Layer:
        """The part as it stands here: frozen when the whole is."""
        return self._part if self.trainable else self._part.replaced(trainable=False)


def _step(x: Spec) -> Spec:
    """(batch, time, ...) -> (batch, ...): what stands at one step."""
    return Spec((x.shape[0], *x.shape[2:]), x.dtype)


def _rows(x: Array) -> Array:
    """(batch, time, ...) -> (batch * time, ...)."""
    return x.reshape(-1, *x.shape[2:])
