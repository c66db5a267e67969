"""Helpers around data: `from jaxseq.utils import to_categorical`."""

from jaxseq.api.datasets.getting import get_file as get_file
from jaxseq.api.preprocessing.image_folders import image_dataset_from_directory as image_dataset_from_directory
from jaxseq.api.preprocessing.images import (
    array_to_img as array_to_img,
    img_to_array as img_to_array,
    load_img as load_img,
    save_img as save_img,
)
from jaxseq.api.preprocessing.padding import pad_sequences as pad_sequences
from jaxseq.api.preprocessing.text_files import text_dataset_from_directory as text_dataset_from_directory
from jaxseq.api.preprocessing.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array
from jaxseq.api.progress import Progbar as Progbar
from jaxseq.api.showing.diagram import plot_model as plot_model
from jaxseq.api.sources import Sequence as Sequence
from jaxseq.api.utils import *  # noqa: F403

PyDataset = Sequence        # Keras 3's name
