"""How far the members of an ensemble lie apart."""

from __future__ import annotations

from typing import Any

import numpy as np


def spread_of(values: Any) -> float:
    """The standard deviation of the members' values; NaN for one member, which has none."""
    return float(np.std(values)) if len(values) > 1 else np.nan
