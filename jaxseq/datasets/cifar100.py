"""`from jaxseq.datasets.cifar100 import load_data`."""

from jaxseq.api.datasets.cifar100 import load_data as load_data
