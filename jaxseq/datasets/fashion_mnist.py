"""`from jaxseq.datasets.fashion_mnist import load_data`."""

from jaxseq.api.datasets.fashion_mnist import load_data as load_data
