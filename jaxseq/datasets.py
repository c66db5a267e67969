"""Data sets: `from jaxseq.datasets import digits`."""

from jaxseq.api.datasets import digits as digits
