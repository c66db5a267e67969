"""One call of a layer in Keras's way: the weights it finds, the layers within, what it assigns, adds to the loss and draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core import chain, rng
from jaxseq.core.layer import Layer
from jaxseq.core.nested import PENALTY, named, own
from jaxseq.core.policy import DTypePolicy, cast
from jaxseq.core.require import require
from jaxseq.core.types import Array, Ctx, Key, Shape, Spec
from jaxseq.core.variable import Variable, plain


@dataclass(frozen=True, eq=False)
class Weight:
    """What add_weight was asked for. It stands in the place of the weight until `call` runs."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    initializer: Callable[..., Array]
    trainable: bool
    regularizer: Callable[[Array], Array] | None
    constraint: Callable[[Array], Array] | None


class Part:
    """A layer within a layer: `self.dense`. In `call` it is called; in `build` it tells its shapes."""

    def __init__(self, place: str, layer: Layer, run: Run | None = None):
        self.place, self.layer, self.run = place, layer, run

    def __call__(self, x: Any, *, training: bool | None = None, mask: Any = None) -> Array:
        require(self.run is not None, f"{self.layer!r} is called outside of call: it has no weights there.", RuntimeError)
        assert self.run is not None
        return self.run.through(self.place, self.layer, jnp.asarray(plain(x)), training, mask)

    def build(self, input_shape: Shape) -> None:
        """Nothing is left to do: its weights are drawn for what `call` gives it."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape that comes out of it."""
        return chain.shapes(self.place, self.layer, tuple(input_shape), self.layer.input_dtype)[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.run is not None:
            inner = own(f"{self.place}/", {**self.run.state, **self.run.params})
            if name in inner:
                return inner[name]
        return getattr(self.layer, name)


class Run:
    """One call: its weights by name, what was assigned, added to the loss and drawn so far.

    met: the input of each part, noted where weights are still to be drawn; None where there are weights.
    dtype: the number format of parts that have none; where `casts`, that of x and of the trainable weights. None: as they are.
    """

    def __init__(self, ctx: Ctx, params: Any, state: dict[str, Any], trainable: bool, met: dict[str, Spec] | None = None,
                 dtype: str | None = None, casts: bool = True):
        self.dtype, self.casts = dtype, casts
        self.ctx, self.params, self.state, self.trainable, self.met = ctx, params, state, trainable, met
        self.variables: dict[str, Variable] = {}
        self.losses: list[Array] = []
        self.masks: dict[int, tuple[Array, Array | None]] = {}         # of arrays on the way, which stay alive in here
        self.draws = 0
        self.calls: dict[str, int] = {}

    def weight(self, weight: Weight) -> Any:
        """The array of a trainable weight, the Variable of another."""
        if weight.trainable:
            return self.entering(self.params[weight.name])
        return self.variables.setdefault(weight.name, Variable(weight.name, self.state[weight.name]))

    def entering(self, value: Array) -> Array:
        """x, or a trainable weight, as `call` sees it."""
        return cast(value, DTypePolicy(self.dtype).compute_dtype) if self.casts and self.dtype is not None else value

    def through(self, place: str, layer: Layer, x: Array, training: bool | None, mask: Array | None) -> Array:
        """The part's output. Its mask is that of x, unless another is given; its state goes on from call to call."""
        layer = (layer if self.trainable else layer.replaced(trainable=False)).under(self.dtype)
        ctx = Ctx(self.ctx.train if training is None else bool(training), self._key(place),
                  self.masks.get(id(x), (x, None))[1] if mask is None else mask)
        if self.met is not None and place not in self.met:
            self.met[place] = Spec(x.shape, x.dtype)
        if self.met is not None and self.calls[place] == 1:
            params, state = chain.begun(layer, rng.root_key(0), self.met[place])
            self.params, self.state = self.params | named(f"{place}/", params), self.state | named(f"{place}/", state)
        y, after, going_on = self._applied(layer, own(f"{place}/", self.params), own(f"{place}/", self.state), x, ctx)
        shares = [layer.activity_penalty(y), after.get(PENALTY)]
        self.losses += [share for share in shares if share is not None]
        if PENALTY in after:
            after = {**after, PENALTY: jnp.zeros_like(after[PENALTY])}
        self.state = self.state | named(f"{place}/", after)
        self.masks[id(y)] = y, going_on
        return y

    def after(self) -> dict[str, Any]:
        """The state after the call. No gradient flows through what was assigned."""
        return self.state | {name: lax.stop_gradient(each.value) for name, each in self.variables.items()}

    def _applied(self, layer: Layer, params: Any, state: Any, x: Array, ctx: Ctx) -> Any:
        """chain.applied. Where a part that draws is called with training=True in evaluation, the error says so."""
        try:
            return chain.applied(layer, params, state, x, ctx)
        except ValueError as error:
            if ctx.key is not None or not ctx.train or not _goes_through(layer, params, state, x, ctx):
                raise
            raise ValueError(f"{layer!r} draws, and is called with training=True in evaluation, where nothing is drawn. Hand "
                             "on the `training` that call is given: call(self, x, training=None). To draw with a trained "
                             "model, call model.functional().apply(params, state, x, train=True, key=key).") from error

    def _key(self, place: str) -> Key | None:
        count = self.calls[place] = self.calls.get(place, 0) + 1
        if self.ctx.key is None:
            return None
        key = rng.fold_in(self.ctx.key, place)
        return key if count == 1 else rng.fold_in(key, count)


def _goes_through(layer: Layer, params: Any, state: Any, x: Array, ctx: Ctx) -> bool:
    """Whether the layer lacks a key and nothing else."""
    try:
        jax.eval_shape(lambda key: chain.applied(layer, params, state, x, ctx._replace(key=key))[0], rng.key_spec())
    except ValueError:
        return False
    return True


class InputSpec(NamedTuple):
    """What a layer wants of its input, as Keras's `self.input_spec` says it: ndim, or the least and the most of it, axes."""

    dtype: Any = None
    shape: Any = None
    ndim: int | None = None
    max_ndim: int | None = None
    min_ndim: int | None = None
    axes: Any = None

    def check(self, owner: str, x: Array) -> None:
        """ValueError unless x is as wanted."""
        wanted = self.ndim if self.shape is None else len(self.shape)
        least, most = (wanted, wanted) if wanted is not None else (self.min_ndim or 0, self.max_ndim)
        told = f"{least} axes or more" if most is None else f"{least} axes" if most == least else f"{least} to {most} axes"
        require(least <= x.ndim <= (x.ndim if most is None else most), f"{owner} wants an input of {told}, batch axis "
                f"included, got {x.shape}.")
        lengths = dict(enumerate(self.shape or ())) | {int(axis): size for axis, size in (self.axes or {}).items()}
        for axis, size in lengths.items():
            require(size is None or x.shape[axis] == size, f"{owner} wants an input with {size} at axis {axis}, got {x.shape}.")
