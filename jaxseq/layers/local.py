"""Where Keras 2 has these layers. Here all of them are in jaxseq.layers."""

from jaxseq.layers import *  # noqa: F403
