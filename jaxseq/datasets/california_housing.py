"""`from jaxseq.datasets.california_housing import load_data`."""

from jaxseq.api.datasets.california_housing import load_data as load_data
