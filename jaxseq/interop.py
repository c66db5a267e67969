"""Weights to and from Flax NNX and Equinox, as plain trees: `from jaxseq.interop import to_flax`."""

from jaxseq.api.interop import (
    from_equinox as from_equinox,
    from_flax as from_flax,
    to_equinox as to_equinox,
    to_flax as to_flax,
)
