"""Data that comes with the package: nothing is downloaded."""

from jaxseq.api.datasets import digits

__all__ = ["digits"]
