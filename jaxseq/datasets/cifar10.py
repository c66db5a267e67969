"""`from jaxseq.datasets.cifar10 import load_data`."""

from jaxseq.api.datasets.cifar10 import load_data as load_data
