"""Sequences: `from jaxseq.preprocessing.sequence import pad_sequences`."""

from jaxseq.api.preprocessing.padding import pad_sequences as pad_sequences
from jaxseq.api.preprocessing.skipgrams import make_sampling_table as make_sampling_table, skipgrams as skipgrams
from jaxseq.api.preprocessing.timeseries import (
    TimeseriesGenerator as TimeseriesGenerator,
    timeseries_generator_from_json as timeseries_generator_from_json,
)
