"""`from jaxseq.datasets.boston_housing import load_data`."""

from jaxseq.api.datasets.boston_housing import load_data as load_data
