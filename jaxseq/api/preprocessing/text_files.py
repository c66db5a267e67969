"""Text files as batches of texts, read when a batch is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.directories import Split, batches_of, listed
from jaxseq.core.require import one_of


def text_dataset_from_directory(directory: str | os.PathLike[str], labels: Any = "inferred", label_mode: str | None = "int",
                                class_names: Sequence[str] | None = None, batch_size: int | None = 32,
                                max_length: int | None = None, shuffle: bool = True, seed: int | None = None,
                                validation_split: float | None = None, subset: str | None = None, follow_links: bool = False,
                                format: str = "tf", verbose: bool = True) -> Any:
    """Batches (texts, labels) of the .txt files in a folder, with a folder for each class in it.

        train, test = text_dataset_from_directory("reviews", validation_split=0.2, subset="both", seed=0)
        vectorize = TextVectorization(10000, output_sequence_length=200)
        vectorize.adapt(texts for texts, _ in train)
        model.fit(train.map(lambda texts, labels: (vectorize(texts), labels)))

    Shapes: texts (batch,) of str; labels (batch,) int32 for label_mode "int", (batch, 1) float32 for "binary", (batch, classes)
    float32 for "categorical". Without labels (labels=None or label_mode=None) texts alone. batch_size=None: one by one.
    class_names: the folders, in the order of their labels; None for all, in the order of the alphabet.
    max_length: of a text, in characters. follow_links: go into folders that are links. format: accepted; a
    jaxseq.utils.Sequence comes all the same, with `class_names` and `file_paths`.
    shuffle: files in an order that is drawn once from `seed`, as Keras draws it, so the subsets are Keras's; `fit` puts the
    batches in another order in every epoch. subset: "training", "validation" or "both", which gives two.
    Raises: ValueError for a file that is not UTF-8, when it is read; for empty folders and classes.
    Source: as keras.utils.text_dataset_from_directory, which gives a tf.data.Dataset.
    """
    one_of("label_mode", label_mode, ("int", "binary", "categorical", None))
    files = listed(directory, labels if label_mode else None, class_names, (".txt",), follow_links)

    def read(paths: list[str]) -> np.ndarray:
        texts = np.empty(len(paths), object)
        texts[:] = [_text(path, max_length) for path in paths]
        return texts

    return batches_of(files, label_mode, Split(validation_split, subset, shuffle, seed), batch_size, verbose, read)


def _text(path: str, max_length: int | None) -> str:
    try:
        return Path(path).read_bytes().decode()[:max_length]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: byte {error.start} is {error.object[error.start]:#x}. Convert it, with iconv "
                         "-f LATIN1 -t UTF-8 if that is what it is.") from error
