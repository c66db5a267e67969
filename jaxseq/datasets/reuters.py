"""`from jaxseq.datasets.reuters import load_data`."""

from jaxseq.api.datasets.reuters import (
    get_label_names as get_label_names,
    get_word_index as get_word_index,
    load_data as load_data,
)
