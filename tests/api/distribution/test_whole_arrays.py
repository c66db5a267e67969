"""Where a whole array is needed of one in parts, it is there for as long as it is looked at."""

import tracemalloc
import weakref

import jax
import numpy as np
import pytest

from jaxseq import Sequential
from jaxseq.api import hosts
from jaxseq.distribution import FullySharded
from jaxseq.layers import Dense, Input

LAYERS, WIDTH = 4, 512
LEAF = 4 * WIDTH**2


def model(spread):
    made = Sequential([Input((WIDTH,)), *(Dense(WIDTH) for _ in range(LAYERS))], seed=1)
    made.compile("adam", "mse", distribution=spread)
    return made


@pytest.fixture
def alone():
    return model(None)


def test_a_fingerprint_holds_one_whole_array_at_a_time_and_keeps_none(alone):
    made = model(FullySharded())
    made.settled_state()
    tracemalloc.start()
    found = made.fingerprint()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == alone.fingerprint()
    assert kept < LEAF and peak < 2.5 * LEAF             # there are 3 * LAYERS such; Python, too, keeps something of parts


def test_so_it_is_where_processes_put_them_together(alone, monkeypatch):
    """One process here takes itself for one of several."""
    gathered, put, wanted = [], jax.device_put, alone.fingerprint()

    def counted(*given):
        assert not any(each() is not None for each in gathered)
        whole = put(*given)
        gathered.append(weakref.ref(whole))
        return whole

    made = model(FullySharded())
    made.settled_state()
    monkeypatch.setattr(hosts, "is_whole", lambda tree: all(leaf.is_fully_replicated for leaf in jax.tree.leaves(tree)))
    monkeypatch.setattr(jax, "device_put", counted)
    assert made.fingerprint() == wanted and len(gathered) == 3 * 2 * LAYERS
    for here, there in zip(made.get_weights(), alone.get_weights(), strict=True):
        assert np.array_equal(here, there)
