"""Helpers around data: `from jaxseq.utils import to_categorical`."""

from jaxseq.api.datasets.getting import get_file as get_file
from jaxseq.api.progress import Progbar as Progbar
from jaxseq.api.sources import Sequence as Sequence
from jaxseq.api.utils import *  # noqa: F403

PyDataset = Sequence        # Keras 3's name
