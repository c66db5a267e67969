"""What `make test` runs of a family of cases that are alike, and `make test-full` as a whole."""

import pytest


def always(quick, cases):
    """The cases as parameters, those marked full that are not among the quick ones."""
    return [pytest.param(case, marks=[] if case in quick else [pytest.mark.full]) for case in cases]
