"""What a notebook shows of models and layers: the numbers of the model itself, escaped, and nothing is drawn for it."""

import html.parser
import re

import numpy as np
import pytest

from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout, Layer, TimeDistributed
from jaxseq.models import Sequential


class Reader(html.parser.HTMLParser):
    """The cells of all tables row by row, and whether every tag was closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open, self.tags = [], [], set()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def rows(shown):
    """The rows under the head."""
    return Reader(shown).rows[1:]


def model():
    base = Sequential([Dense(4, activation="relu"), Dropout(0.5)], "base")
    return Sequential([Dense(8, input_shape=(3,)), BatchNormalization(), base, Dense(2)], seed=0)


@pytest.mark.parametrize("drawn", [False, True])
def test_a_model_is_a_table_of_its_layers(drawn):
    shown = model()
    shown.layers[0].trainable = False
    if drawn:
        shown.build()
    text = shown._repr_html_()
    assert rows(text) == [
        ["dense Dense", "(None, 8)", "32", "frozen"], ["batch_normalization BatchNormalization", "(None, 8)", "32", "trained"],
        ["base Sequential", "(None, 4)", "36", "trained"], ["dense Dense", "(None, 4)", "36", "trained"],
        ["dropout Dropout", "(None, 4)", "0", ""], ["dense_1 Dense", "(None, 2)", "10", "trained"]]
    assert shown.drawn == drawn
    trained, total = shown.count_trainable_params(), shown.count_params()
    assert f"Weights: {total:,} (0.4 KiB), trained {trained:,}, not trained {total - trained:,}" in text


def test_showing_draws_nothing_and_changes_nothing():
    one, other = model(), model()
    for _ in range(2):
        one._repr_html_()
        [layer._repr_html_() for layer in one.layers]
        one.summary(print_fn=lambda line: None)
    assert not one.drawn and one.fingerprint() == other.fingerprint()


def test_a_model_without_a_seed_that_was_shown_still_takes_that_of_the_model_it_comes_to_stand_in():
    def outer(look):
        inner = Sequential([Dense(2, input_shape=(3,))])
        look(inner)
        return Sequential([inner], seed=5)

    assert outer(lambda inner: inner._repr_html_()).fingerprint() == outer(lambda inner: None).fingerprint()


def test_a_model_frozen_as_a_whole_trains_nothing():
    shown = model()
    shown.trainable = False
    assert "trained 0, not trained 110" in shown._repr_html_()


@pytest.mark.parametrize("shown", [Sequential(), Sequential([Dense(2)])], ids=["empty", "without an input"])
def test_what_is_not_known_yet_is_said(shown):
    text = shown._repr_html_()
    assert "The input is not known yet: declare it with input_shape=(...), or call build or fit." in text
    assert rows(text) in ([], [["dense Dense", "?", "?", ""]])


def test_names_are_escaped():
    shown = Sequential([Dense(1, input_shape=(1,))], '<script>alert("x")</script>')
    assert "script" not in Reader(shown._repr_html_()).tags
    assert "&lt;script&gt;" in shown._repr_html_()


def test_it_needs_nothing_from_elsewhere_and_is_small():
    text = Sequential([Dense(4, input_shape=(4,)), *(Dense(4) for _ in range(19))])._repr_html_()
    assert not re.search(r"https?:|src=|href=|<script|<style|url\(", text)
    assert len(text) < 20_000
    assert not re.search(r"(?<!background-)color:(?!inherit)", text)           # those of the page, light or dark


def test_a_layer_in_a_model_shows_its_weights():
    shown = model()
    text = shown.layers[1]._repr_html_()
    assert rows(text) == [[name, "(8,)", "float32", told] for name, told in
                          [("gamma", "trained"), ("beta", "trained"), ("moving_mean", "not trained"),
                           ("moving_variance", "not trained")]]
    assert "(None, 8) → (None, 8)" in text and "BatchNormalization(name=&#x27;batch_normalization&#x27;)" in text
    assert rows(shown.layers[2].layers[1]._repr_html_()) == []
    assert not shown.drawn


def test_a_layer_in_no_model_has_its_repr_alone():
    assert Dense(3)._repr_html_() is None and repr(Dense(3)) == "Dense(units=3)"


def test_a_popped_layer_still_shows_its_weights():
    shown = model()
    shown.build()
    layer = shown.pop()
    assert [row[:2] for row in rows(layer._repr_html_())] == [["kernel", "(4, 2)"], ["bias", "(2,)"]]


def test_layers_in_several_models_and_models_in_layers():
    shared = Dense(3, input_shape=(4,))
    one = Sequential([shared])
    two = Sequential([shared, Dense(1)])
    held = Sequential([LSTM(2, input_shape=(5, 4), return_sequences=True), TimeDistributed(Sequential([Dense(3)], "part"))])
    assert [row[2] for row in rows(two._repr_html_())] == ["15", "4"]
    assert [row[2] for row in rows(held._repr_html_())] == [f"{held.layer_count(name):,}" for name in held.params]
    two.build()
    assert [row[2] for row in rows(one._repr_html_())] == ["15"]
    assert Reader(held.layers[1]._repr_html_()).rows[1][0].endswith("kernel")


def test_a_layer_in_keras_way_shows_itself():
    class Scale(Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(shape=(input_shape[-1],), name="factor", initializer="ones")

        def call(self, x):
            return x * self.factor

    shown = Sequential([Scale(input_shape=(3,))])
    assert [row[:2] for row in rows(shown.layers[0]._repr_html_())] == [["factor", "(3,)"]]


def test_what_is_listed_is_what_get_weights_gives():
    shown = model()
    before = [(slot, tuple(spec.shape), spec.dtype) for slot, spec, _ in shown.listed()]
    assert [shape for _, shape, _ in before] == [each.shape for each in shown.get_weights()]
    assert before == [(slot, each.shape, each.dtype) for slot, each, _ in shown.listed()]
    moves = [moves for *_, moves in shown.listed()]
    assert sum(np.multiply(moves, [each.size for each in shown.get_weights()])) == shown.count_trainable_params()
