"""Where Keras 2 has these helpers. Here all of them are in jaxseq.utils."""

from jaxseq.utils import *  # noqa: F403
