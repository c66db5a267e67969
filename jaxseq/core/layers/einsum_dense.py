"""EinsumDense: a learned array, multiplied in as an equation says."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxseq.core import activations, initializers, rng
from jaxseq.core.last_activation import taken_off
from jaxseq.core.layer import Layer
from jaxseq.core.precision import floating
from jaxseq.core.require import positive_int, require
from jaxseq.core.types import Shape


class Equation(NamedTuple):
    """ "abc,cd->abd" in its three parts, without the dots; left, right: whether ... stands before or behind x and y."""

    x: str
    kernel: str
    y: str
    left: bool
    right: bool


class EinsumDense(Layer):
    """y = activation(einsum(equation, x, kernel) + bias).

    equation: as "ab,bc->ac", the batch axis first; "...x,xy->...y" and "ab...,bc->ac..." leave any number of axes between.
    output_shape: the lengths of y without the batch axis (a number where it is one); None where x tells. With the dots in
        front, those of the named axes.
    bias_axes: the labels of y that the bias has; without them there is no bias.
    Shapes: x and y as the equation says. State: none.
    Params: kernel, a length for each of its labels; the labels that y has are its outputs, the others its inputs; bias.
    Mask: goes on where its axes are the first of y, as they are of x; else it ends here.
    Raises: TypeError without output_shape; ValueError for an equation of another form, and for a length that neither x nor
        output_shape tells.
    Source: as keras.layers.EinsumDense. `layer.output_shape` is what was written.
    """

    equation: str
    output_shape: Any = None        # pyright: ignore[reportIncompatibleMethodOverride]  # its own field, as in Keras
    activation: Any = None
    bias_axes: str | None = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def __post_init__(self):
        told = self.output_shape
        require(told is not None, f"EinsumDense({self.equation!r}) needs output_shape=, the lengths of y without the batch "
                "axis.", TypeError)
        told = tuple(told) if isinstance(told, tuple | list) else (told,)
        for each in told:
            if each is not None:
                positive_int("EinsumDense(output_shape)", each)
        object.__setattr__(self, "output_shape", told)
        y = _parsed(self.equation).y
        for label in self.bias_axes or "":
            require(label in y, f"EinsumDense(bias_axes={self.bias_axes!r}): {label!r} is no label of y in {self.equation!r}.")

    def init(self, key, x):
        parts = _parsed(self.equation)
        lengths = self._lengths(parts, x.shape)
        to_y = tuple(axis for axis, label in enumerate(parts.kernel) if label in parts.y)
        from_x = tuple(axis for axis in range(len(parts.kernel)) if axis not in to_y)
        drawn = initializers.of_axes(initializers.get(self.kernel_initializer), from_x, to_y)
        shape = tuple(lengths[label] for label in parts.kernel)
        params = {"kernel": drawn(rng.fold_in(key, "kernel"), shape, self.variable_dtype)}
        if self.bias_axes:
            params |= self.draw(key, {"bias": self._bias_shape(parts, lengths, len(x.shape))})
        return params, {}

    def apply(self, params, state, x, ctx):
        y = jnp.einsum(self.equation, floating(x, params["kernel"].dtype), params["kernel"])
        if self.bias_axes:
            y = y + params["bias"]
        return activations.get(self.activation)(y), state

    def without_activation(self):
        return taken_off(self)

    def out_mask(self, x, mask):
        """The mask, where its axes are the first of y as they are of x; else it ends here."""
        if mask is None:
            return None
        parts = _parsed(self.equation)
        dots = x.ndim - len(parts.x)
        kept = dots >= mask.ndim if parts.left else parts.x[:mask.ndim] == parts.y[:mask.ndim]
        return mask if kept else None

    def _lengths(self, parts: Equation, shape: Shape) -> dict[str, Any]:
        """The length of each label: of x, of output_shape, or of both where they agree."""
        dots = len(shape) - len(parts.x)
        require(dots == 0 or dots > 0 and (parts.left or parts.right), f"EinsumDense({self.equation!r}) does not fit x "
                f"{shape}.")
        of_x = dict(zip(parts.x, shape[dots:] if parts.left else shape[:len(parts.x)], strict=True))
        labels, written = (parts.y[::-1], self.output_shape[::-1]) if parts.left else (parts.y[1:], self.output_shape)
        told = dict(zip(labels, written, strict=False))                 # y[0] is the batch axis, which is not told
        lengths = {label: length for label, length in told.items() if length is not None} | of_x
        for label, length in told.items():
            require(length is None or length == lengths[label], f"EinsumDense(output_shape={self.output_shape}) says {length} "
                    f"for {label!r}, x {shape} has {lengths.get(label)}.")
        for label in parts.kernel:
            require(label in lengths, f"EinsumDense({self.equation!r}) needs the length of {label!r}: write it in "
                    "output_shape=.")
        return lengths

    def _bias_shape(self, parts: Equation, lengths: dict[str, Any], axes: int) -> tuple[int, ...]:
        """From the first label of bias_axes on, 1 where y has another label."""
        chosen = self.bias_axes or ""
        first = min(parts.y.find(label) for label in chosen)
        behind = (axes - len(parts.x)) * (1 if parts.right else 0)
        return *(lengths[label] if label in chosen else 1 for label in parts.y[first:]), *(1,) * behind


def _parsed(equation: str) -> Equation:
    """The parts of an equation. ValueError unless it has the form "x,kernel->y", dots in x and y at the same end or nowhere."""
    match = re.fullmatch(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?", equation.replace(" ", ""))
    if match is not None:
        left, x, right, kernel, left_y, y, right_y = match.groups()
        if (left, right) == (left_y, right_y) and not (left and right):
            return Equation(x, kernel, y, bool(left), bool(right))
    raise ValueError(f"EinsumDense(equation={equation!r}): write x,kernel->y, as 'ab,bc->ac', '...x,xy->...y' or "
                     "'ab...,bc->ac...'.")
