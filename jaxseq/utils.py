"""Helpers around data: `from jaxseq.utils import to_categorical`."""

from jaxseq.api.utils import *  # noqa: F403
