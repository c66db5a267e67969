"""A scan that needs no memory for what it makes: its outputs take the place of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core.types import Array

# (constants, carry, place_t, xs_t) -> (the next carry, what takes the place of place_t, outputs_t)
Step = Callable[[Any, Any, Array, Any], tuple[Any, Array, Any]]

TOGETHER = 8        # steps in the body of an accelerator's loop, whose rounds cost more than a small step's arithmetic


def scan(step: Step, reverse: bool, constants: Any, carry: Any, place: Array, xs: Any,
         unroll: bool | int = False) -> tuple[Any, Array, Any]:
    """(the last carry, what took the place of `place`, outputs) of lax.scan over place (time, ...) and xs (time, ...)."""
    def plain(carry: Any, now: Any) -> tuple[Any, Any]:
        carry, new, outputs = step(constants, carry, *now)
        return carry, (new, outputs)

    carry, (place, outputs) = lax.scan(plain, carry, (place, xs), reverse=reverse, unroll=unroll)
    return carry, place, outputs


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def scan_in_place(step: Step, reverse: bool, constants: Any, carry: Any, place: Array, xs: Any) -> tuple[Any, Array, Any]:
    """`scan`, where on the CPU what is new is written over what was read.

    lax.scan fills memory with zeros for every output, and XLA:CPU copies them where two loops begin with the same ones. Here
    that is so for the outputs alone; what takes a place needs none. Differentiated, in any way, it is `scan`.
    """
    together = TOGETHER if isinstance(place.shape[0], int) else 1           # an exported program may not know it
    return lax.platform_dependent(constants, carry, place, xs, cpu=partial(_over_what_was_read, step, reverse),
                                  default=partial(scan, step, reverse, unroll=together))


def _over_what_was_read(step: Step, reverse: bool, constants: Any, carry: Any, place: Array, xs: Any) -> tuple[Any, Array, Any]:
    """The CPU's form of `scan_in_place`."""
    time = place.shape[0]
    _, _, like = jax.eval_shape(step, constants, carry, place[0], jax.tree.map(lambda x: x[0], xs))

    def body(i: Any, now: Any) -> Any:
        carry, place, outputs = now
        t = time - 1 - i if reverse else i
        here = partial(lax.dynamic_index_in_dim, index=t, keepdims=False)
        carry, new, made = step(constants, carry, here(place), jax.tree.map(here, xs))
        put = lambda all_, one: lax.dynamic_update_index_in_dim(all_, one, t, 0)
        return carry, put(place, new), jax.tree.map(put, outputs, made)

    return lax.fori_loop(0, time, body, (carry, place, jax.tree.map(lambda x: jnp.zeros((time, *x.shape), x.dtype), like)))


@scan_in_place.defjvp
def _differentiated(step: Step, reverse: bool, given: Any, tangents: Any) -> tuple[Any, Any]:
    return jax.jvp(partial(scan, step, reverse), given, tangents)
