"""Losses, by the names that compile(loss=...) knows: `from jaxseq.losses import mse`."""

from jaxseq.core.losses import *  # noqa: F403
