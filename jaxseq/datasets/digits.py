"""`from jaxseq.datasets.digits import load_data`."""

from jaxseq.api.datasets.digits import load_data as load_data
