"""Fashion-MNIST: 70,000 photographs of clothes, 28 x 28 pixels in grey, by H. Xiao, K. Rasul and R. Vollgraf (MIT licence)."""

from __future__ import annotations

from jaxseq.api.datasets.fetch import Published, fetch
from jaxseq.api.datasets.idx import read
from jaxseq.api.datasets.keras_files import KERAS
from jaxseq.api.datasets.shares import Pair

__all__ = ["load_data"]

ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


def _published(name: str, theirs: str, debian: str) -> Published:
    return Published(f"fashion-mnist/{name}", (f"md5:{theirs}", f"sha256:{debian}"), (KERAS + name, ZALANDO + name))


# MD5: the authors' README (Keras gives none). SHA-256: the same bytes, packed anew by Debian's dataset-fashion-mnist.
FILES = {
    "x_train": _published("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                          "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"),
    "y_train": _published("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe",
                          "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"),
    "x_test": _published("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79",
                         "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa"),
    "y_test": _published("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310",
                         "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"),
}


def load_data() -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x uint8 (60000, 28, 28) and (10000, 28, 28), 0 to 255; y uint8 (n,), 0 to 9.

    The classes: T-shirt or top, trousers, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.
    """
    paths = {name: fetch(file) for name, file in FILES.items()}
    x_train, x_test = (read(paths[name], 3) for name in ("x_train", "x_test"))
    y_train, y_test = (read(paths[name], 1) for name in ("y_train", "y_test"))
    return (x_train, y_train), (x_test, y_test)
