"""The K functions for losses, metrics and layers of one's own: `from jaxseq import backend as K`."""

from jaxseq.api.backend import *  # noqa: F403
from jaxseq.api.backend.absent import named as __getattr__  # noqa: F401
