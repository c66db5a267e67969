"""Where Keras 2.11 has its older optimizers. Here there is one of each, in jaxseq.optimizers."""

from jaxseq.optimizers import *  # noqa: F403
