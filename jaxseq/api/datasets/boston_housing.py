"""Boston housing: 506 districts of the 1970s and the price of a house there, by D. Harrison and D. Rubinfeld (StatLib).

One of its 13 columns, B, is made from the share of Black residents as if segregation raised prices. Take
`california_housing` unless that is what is to be shown.
"""

from __future__ import annotations

from jaxseq.api.datasets.fetch import fetch
from jaxseq.api.datasets.keras_files import published
from jaxseq.api.datasets.npz import numbers
from jaxseq.api.datasets.shares import Pair, require_share, shuffler, split

__all__ = ["load_data"]

# SHA-256: Keras 3.
FILE = published("boston_housing.npz", "sha256:f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
                 "keras-datasets")


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x float64 (404, 13) and (102, 13); y float64 (n,), thousands of dollars.

    The order is Keras's for the seed. Raises: ValueError for a test_split outside [0, 1) or a seed outside [0, 2**32).
    """
    require_share(test_split)
    generator = shuffler(seed)
    x, y = numbers(fetch(FILE.called(path)), "x", "y")
    order = generator.permutation(len(x))
    return split(x[order], y[order], test_split)
