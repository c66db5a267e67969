"""Data for scikit-learn's estimators; programs that run once are compiled without care for their speed."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def compiled_quickly(quickly_compiled):
    """What a test compiles it runs once or twice."""


@pytest.fixture(scope="session")
def points():
    """Sixty rows of two features around three centres, and the name of each row's centre."""
    draw = np.random.Generator(np.random.Philox(5))
    which = draw.integers(0, 3, 60)
    centres = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 4.0]])
    return draw.normal(size=(60, 2)) + centres[which], np.array(["north", "east", "west"])[which]


@pytest.fixture(scope="session")
def slope():
    """Sixty rows of two features, and y = 2 a - b."""
    x = np.random.Generator(np.random.Philox(6)).normal(size=(60, 2))
    return x, x @ np.array([2.0, -1.0])
