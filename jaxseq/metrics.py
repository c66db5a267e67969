"""Metrics, by the names that compile(metrics=[...]) knows: `from jaxseq.metrics import AUC`."""

from jaxseq.core.metrics import *  # noqa: F403
