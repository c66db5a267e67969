"""memory and cost: what the programs need, before they run."""

import re

import jax
import numpy as np
import pytest

from jaxseq.distribution import DataParallel, FullySharded
from jaxseq.layers import LSTM, BatchNormalization, Conv2D, Dense, Embedding, Flatten, GlobalAveragePooling1D
from jaxseq.models import Sequential


def bytes_of(tree):
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.fixture
def model():
    model = Sequential([Dense(64, "relu", input_shape=(20,)), BatchNormalization(), Dense(3, "softmax")], seed=1)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_memory_says_what_lies_on_the_device(model):
    before = model.fingerprint()
    report = model.memory(16)
    assert (report.parameters, report.state, report.optimizer) == tuple(
        map(bytes_of, (model.params, model.state, model.train_state.opt_state)))
    assert report.parameters == 4 * (21 * 64 + 65 * 3 + 2 * 64)
    assert list(report.programs) == ["train", "evaluate", "predict"] and report.batch_size == 16
    predict = report.programs["predict"]
    assert predict.arguments <= report.parameters + report.state + 4 * 16 * 20
    assert predict.outputs >= 4 * 16 * 3
    for each in report.programs.values():
        assert each.together == pytest.approx(each.arguments + each.outputs + each.temporaries + each.code, abs=each.outputs)
    assert report.programs["train"].arguments > report.parameters + report.optimizer
    assert model.fingerprint() == before and model.history is None


def test_more_rows_take_more(model):
    small, large = (model.memory(size).programs for size in (16, 1024))
    for name in small:
        assert large[name].together > small[name].together
    assert large["train"].temporaries > 1024 * 64 * 4


def test_a_model_that_is_not_compiled_predicts():
    report = Sequential([Dense(3, input_shape=(2,))], seed=1).memory()
    assert list(report.programs) == ["predict"] and report.batch_size == 32 and report.optimizer == 0


def test_cost_counts_as_by_hand(model):
    programs = model.cost(16).programs
    forward = 2 * 16 * (20 * 64 + 64 * 3)
    assert programs["predict"].flops == programs["evaluate"].flops == forward
    assert programs["train"].flops == 2 * forward + 2 * 16 * 64 * 3         # and the gradient by the first layer's output
    for each in programs.values():
        assert each.compiler_flops > 0.5 * each.flops and each.bytes_accessed > 4 * 16 * 20 and each.compile_seconds > 0


@pytest.mark.parametrize("layers, forward", [
    ([Conv2D(8, 3, input_shape=(10, 10, 2)), Flatten(), Dense(1)], 2 * 4 * (64 * 9 * 2 * 8 + 512)),
    ([LSTM(8, input_shape=(30, 2)), Dense(1)], 2 * 4 * (30 * 32 * (2 + 1 + 8) + 8)),
], ids=["convolution", "lstm"])
def test_cost_of_loops_within_a_step(layers, forward):
    model = Sequential(layers, seed=1)
    model.compile("sgd", "mse")
    programs = model.cost(4).programs
    assert programs["predict"].flops == forward
    assert 2 * forward <= programs["train"].flops <= 3 * forward        # the first layer's input has no gradient


def test_the_reports_show_themselves(model):
    memory, cost = model.memory(16), model.cost(16)
    assert re.search(r"Memory for batches of 16 on .*\n.*\n.*Arguments.*Temporaries.*Together.*\n", repr(memory))
    assert re.search(r"train .*KiB", repr(memory)) and "Parameters 6.51 KiB, state 512 B, optimizer 13.0" in repr(memory)
    assert re.search(r"predict .* 47.10 k ", repr(cost)) and "loops within a step counted once" in repr(cost).replace("\n", "")
    for report in memory, cost:
        html = report._repr_html_()
        assert html.count("<tr") == 4 and "<script" not in html and f"of {report.batch_size}" in html


def spread(kind):
    model = Sequential([Dense(64, "relu", input_shape=(16,)), Dense(8, "softmax")], seed=1)
    model.compile("adam", "categorical_crossentropy", distribution=kind)
    return model


@pytest.mark.full
def test_numbers_of_a_spread_model_are_those_of_one_device():
    whole, data, sharded = (spread(kind) for kind in (None, DataParallel(), FullySharded()))
    one, copied, cut = (model.memory(32) for model in (whole, data, sharded))
    assert copied.parameters == one.parameters == 4 * (17 * 64 + 65 * 8) and copied.optimizer == one.optimizer
    assert cut.parameters * 8 == one.parameters and cut.optimizer < one.optimizer / 7       # its counters are whole
    assert (one.devices, copied.devices, cut.devices) == (1, 8, 8)
    rows = 4 * 4 * (16 + 8)
    for report in copied, cut:
        held = report.parameters + report.optimizer + rows
        assert held <= report.programs["train"].arguments <= held + 400       # totals and the like
    costs = [model.cost(32).programs for model in (whole, data)]
    for name, each in costs[1].items():
        assert each.flops * 8 == costs[0][name].flops
        assert each.compiler_flops < costs[0][name].compiler_flops / 4        # each updates all weights
    assert "Memory for batches of 32 on each of 8 devices (cpu)" in repr(cut)
    assert "Cost of a step of 30 rows on each of 8 devices (cpu)" in data.cost(30)._repr_html_()
    assert "on cpu" in repr(one)


def test_labels_and_targets_of_any_loss():
    for loss, last in [("mse", Dense(1)), ("categorical_crossentropy", Dense(3, "softmax")),
                       (lambda y, y_hat: (y_hat[:, 0] - y.reshape(-1)[:len(y_hat)]) ** 2, Dense(1))]:
        model = Sequential([Dense(4, input_shape=(2,)), last], seed=1)
        model.compile("sgd", loss)
        assert len(model.memory(4).programs) == 3


def test_a_length_that_is_open_is_asked_for():
    model = Sequential([Embedding(9, 4, input_length=None), GlobalAveragePooling1D(), Dense(1)], seed=1)
    with pytest.raises(ValueError, match=re.escape("memory: x has an unknown length, (None, None). Write which to reckon with: "
                                                   "input_signature=(None, 128).")):
        model.memory()
    assert model.memory(input_signature=(None, 300)).programs["predict"].together > 32 * 300 * 4
    with pytest.raises(ValueError, match=re.escape("cost(batch_size=3): the model's input is (2, 4), so batches have 2 rows.")):
        Sequential([Dense(1, batch_input_shape=(2, 4))]).cost(3)
    with pytest.raises(ValueError, match=re.escape("batch_size=0: write a whole number of at least 1.")):
        model.memory(0)


def test_what_trains_afterwards_is_the_same(model):
    other = Sequential.from_config(model.get_config())
    other.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.default_rng(0).normal(size=(40, 20)).astype("float32"), np.arange(40) % 3
    model.memory(16)
    for each in model, other:
        each.fit(x, y, batch_size=16, verbose=0)
    if model.seed == other.seed:
        assert model.fingerprint() == other.fingerprint()
