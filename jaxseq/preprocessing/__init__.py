"""What is done to data before a model sees them: `from jaxseq.preprocessing.sequence import pad_sequences`."""

from jaxseq.api.preprocessing.image_folders import image_dataset_from_directory as image_dataset_from_directory
from jaxseq.api.preprocessing.text_files import text_dataset_from_directory as text_dataset_from_directory
from jaxseq.api.preprocessing.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array
from jaxseq.preprocessing import (
    image as image,
    sequence as sequence,
    text as text,
)
