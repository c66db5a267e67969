"""docs/differences.md itself, and its rows about state, names and draws, shown against the installed Keras 3. What it says of
Keras 2 is from that version's source."""

from __future__ import annotations

import importlib.util
import re

import keras
import numpy as np
import pytest
from differing import PAGE, SEQUENCES, X, Y, compiled

import jaxseq
from jaxseq import callbacks

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"),        # Keras's own; where one is the point, it is asked for
              pytest.mark.usefixtures("quickly_compiled")]


# ---- the page itself


def rows_of_the_page():
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in PAGE.splitlines() if line.startswith("|")]
    return [row for row in rows if row[0] != "what" and not set("".join(row)) <= set("-|")]


def test_every_row_has_its_five_columns():
    rows = rows_of_the_page()
    assert len(rows) > 60 and all(len(row) == 5 and all(row) for row in rows), [row for row in rows if len(row) != 5]
    assert len({row[0] for row in rows}) == len(rows)


def absent(title):
    """The names under one bullet of the last section."""
    bullet = re.search(rf"^\* {title}:(.*?)(?=^\* |\Z)", PAGE.split("## Not in this version")[1], re.S | re.M)
    assert bullet is not None, title
    return re.findall(r"`(\w+)`", bullet[1])


HOLDERS = {"Methods of the model": jaxseq.Sequential, "Callbacks": callbacks}


@pytest.mark.parametrize("title", HOLDERS)
def test_what_the_page_calls_absent_is_absent(title):
    names = absent(title)
    assert names and [name for name in names if hasattr(HOLDERS[title], name)] == [], "move it up the page"


def test_modules_that_the_page_calls_absent():
    assert not [name for name in absent("Modules") if importlib.util.find_spec(f"jaxseq.{name}")]


# ---- state and randomness


def test_stateful_layers_carry_their_state():
    for k, carried in (keras, False), (jaxseq, True):
        model = compiled(k, k.layers.LSTM(4, stateful=True), shape=(5, 3), batch=8)
        first, second = [model.predict(SEQUENCES, batch_size=8, verbose=0) for _ in range(2)]
        assert (np.abs(first - second).max() > 1e-4) == carried
        assert hasattr(model, "reset_states") == carried
    model.layers[0].reset_states([np.ones((8, 4)), np.zeros((8, 4))])
    with pytest.raises(TypeError):
        keras.layers.LSTM(4, stateful=True).reset_states([1, 2])


def test_rows_that_a_stateful_model_cannot_take():
    for k, trained in (keras, True), (jaxseq, False):
        model = compiled(k, k.layers.LSTM(1, stateful=True), shape=(5, 3), batch=8)
        before = model.get_weights()
        with pytest.raises(ValueError):
            model.fit(np.ones((20, 5, 3)), np.zeros((20, 1)), batch_size=8, verbose=0)
        assert trained == any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_the_global_generator():
    for k, moved in (keras, True), (jaxseq, False):
        model = compiled(k)
        before = np.random.get_state()
        model.fit(X, Y, verbose=0)
        after = np.random.get_state()
        assert (before[2] != after[2] or (before[1] != after[1]).any()) == moved
    with pytest.raises(RuntimeError, match=r"Sequential\(seed=3\)"):
        jaxseq.utils.set_random_seed(3)


def test_measuring_draws_nothing():
    def trained(k, between):
        model = compiled(k, k.layers.LSTM(8, dropout=0.5), shape=(5, 3))
        y = np.zeros((8, 8))
        model.fit(SEQUENCES, y, shuffle=False, verbose=0)
        if between:
            model.evaluate(SEQUENCES, y, verbose=0)
        model.fit(SEQUENCES, y, shuffle=False, verbose=0)
        return model.get_weights()[0]

    for k, same in (keras, False), (jaxseq, True):
        assert (trained(k, False) == trained(k, True)).all() == same


def test_names_are_counted_in_the_model():
    for k, same in (keras, False), (jaxseq, True):
        one, other = (k.Sequential([k.layers.Dense(1)]).layers[0].name for _ in range(2))
        assert (one == other) == same
    assert one == "dense"
