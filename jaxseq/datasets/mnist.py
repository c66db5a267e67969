"""`from jaxseq.datasets.mnist import load_data`."""

from jaxseq.api.datasets.mnist import load_data as load_data
