"""`from jaxseq.datasets.imdb import load_data`."""

from jaxseq.api.datasets.imdb import get_word_index as get_word_index, load_data as load_data
