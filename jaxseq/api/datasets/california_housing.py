"""California housing: 20,640 blocks of the census of 1990 and the median value of a house there, by K. Pace and R. Barry."""

from __future__ import annotations

from jaxseq.api.datasets.fetch import fetch
from jaxseq.api.datasets.keras_files import published
from jaxseq.api.datasets.npz import numbers
from jaxseq.api.datasets.shares import Pair, require_share, shuffler, split
from jaxseq.core.require import one_of

__all__ = ["load_data"]

# SHA-256: Keras 3.
FILE = published("california_housing.npz", "sha256:1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f")
ROWS = {"large": None, "small": 600}


def load_data(version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2,
              seed: int = 113) -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x (16512, 8) and (4128, 8); y (n,), dollars; floats as the file has them.

    The columns: median income, age of the houses, rooms and bedrooms of a household, population, people of a household,
    latitude, longitude. version: "small" for the first 600 rows. The order is Keras's for the seed.
    Raises: ValueError for another version, a test_split outside [0, 1) or a seed outside [0, 2**32).
    """
    one_of("version", version, tuple(ROWS))
    require_share(test_split)
    generator = shuffler(seed)
    x, y = (column[:ROWS[version]] for column in numbers(fetch(FILE.called(path)), "x", "y"))
    order = generator.permutation(len(x))
    return split(x[order], y[order], test_split)
