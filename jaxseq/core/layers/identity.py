"""Identity: hands its input on."""

from __future__ import annotations

from jaxseq.core.layer import Layer


class Identity(Layer):
    """y = x. Shapes: any. Params: none. State: none."""

    def apply(self, params, state, x, ctx):
        return x, state
