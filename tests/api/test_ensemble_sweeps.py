"""Every member of a sweep is the model that is written with its settings."""

from __future__ import annotations

import csv

import jax
import numpy as np
import pytest
from shares import always

import jaxseq
from jaxseq import Sequential
from jaxseq.api.ensemble.histories import Histories
from jaxseq.callbacks import ReduceLROnPlateau
from jaxseq.layers import LSTM, Dense, Dropout
from jaxseq.optimizers import SGD, Adam
from jaxseq.regularizers import L2

ROWS = np.random.default_rng(0)
X, Y = ROWS.standard_normal((60, 6), np.float32), ROWS.integers(0, 3, 60)


def model(seed=0, optimizer=None, rate=0.5, l2=1e-3, activation="relu", units=8):
    made = Sequential([Dense(units, activation, input_shape=(6,), kernel_regularizer=L2(l2)), Dropout(rate), Dense(8, "relu"),
                       Dropout(rate), Dense(3, "softmax")], seed=seed)
    made.compile(optimizer or SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


# setting: (values, the model with one of them, the number of programs, the template)
SWEEPS = {
    "learning_rate": ([0.1, 0.01, 0.003], lambda v: model(optimizer=SGD(v, momentum=0.9)), 1, model),
    "momentum": ([0.0, 0.5, 0.9], lambda v: model(optimizer=SGD(0.1, momentum=v)), 2, model),
    "weight_decay": ([0.0, 0.01, 0.1], lambda v: model(optimizer=SGD(0.1, weight_decay=v)), 1,
                     lambda: model(optimizer=SGD(0.1, weight_decay=0.3))),
    "beta_2": ([0.9, 0.999], lambda v: model(optimizer=Adam(beta_2=v)), 1, lambda: model(optimizer=Adam())),
    "nesterov": ([False, True], lambda v: model(optimizer=SGD(0.1, momentum=0.9, nesterov=v)), 2, model),
    "Dropout.rate": ([0.0, 0.2, 0.3], lambda v: model(rate=v), 1, model),
    "dense.kernel_regularizer.l2": ([0.0, 0.01], lambda v: model(l2=v), 1, model),
    "dense.activation": (["relu", "tanh"], lambda v: model(activation=v), 2, model),
    "dense.units": ([4, 8], lambda v: model(units=v), 2, model),
}


def assert_close(member, alone):
    for one, other in zip(member.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize("setting", always({"Dropout.rate"}, SWEEPS))
def test_every_member_is_the_model_with_its_setting(setting):
    values, written, programs, template = SWEEPS[setting]
    sweep = jaxseq.Ensemble(template(), sweep={setting: values})
    histories = sweep.fit(X, Y, 16, epochs=3, validation_split=0.2, verbose=0)
    predicted = sweep.predict(X)
    for member, value in enumerate(values):
        alone = written(value)
        history = alone.fit(X, Y, 16, epochs=3, validation_split=0.2, verbose=0)
        assert_close(sweep[member], alone)
        for name in history.history:
            np.testing.assert_allclose(histories[member].history[name], history.history[name], atol=1e-5)
        np.testing.assert_allclose(predicted[member], alone.predict(X), atol=1e-5)
        assert sweep[member].layers == alone.layers
        assert sweep[member].optimizer.get_config() == alone.optimizer.get_config()
    assert len({id(unit.program) for unit in sweep._units["fit"][1]}) == programs


@pytest.mark.full
def test_a_member_goes_on_with_its_settings():
    sweep, alone = jaxseq.Ensemble(model(), sweep={"momentum": [0.5, 0.9], "Dropout.rate": [0.1, 0.2]}), None
    sweep.fit(X, Y, 16, epochs=2, verbose=0)
    sweep[1].fit(X, Y, 16, epochs=2, verbose=0)
    alone = model(optimizer=SGD(0.1, momentum=0.5), rate=0.2)
    alone.fit(X, Y, 16, epochs=2, verbose=0)
    alone.fit(X, Y, 16, epochs=2, verbose=0)
    assert_close(sweep[1], alone)


def test_every_combination_is_trained_with_every_seed():
    sweep = jaxseq.Ensemble(model(), seeds=[1, 2], sweep={"learning_rate": [0.1, 0.01], "dropout_1.rate": [0.1, 0.2, 0.3]})
    assert len(sweep) == 12
    assert sweep.settings[0] == {"learning_rate": 0.1, "dropout_1.rate": 0.1} and sweep.seeds[:3] == [1, 2, 1]
    assert [layer.rate for layer in sweep[3].layers if isinstance(layer, Dropout)] == [0.5, 0.2]


@pytest.mark.full
def test_rates_within_a_recurrent_layer():
    def reader(rate=0.1):
        made = Sequential([LSTM(4, dropout=rate, input_shape=(3, 2)), Dense(3, "softmax")], seed=0)
        made.compile("sgd", "sparse_categorical_crossentropy")
        return made

    x = X.reshape(60, 3, 2)
    sweep = jaxseq.Ensemble(reader(), sweep={"lstm.dropout": [0.0, 0.2]})
    sweep.fit(x, Y, verbose=0)
    for member, rate in enumerate([0.0, 0.2]):
        alone = reader(rate)
        alone.fit(x, Y, verbose=0)
        assert_close(sweep[member], alone)


def test_the_table_has_a_row_for_each_choice():
    sweep = jaxseq.Ensemble(model(), seeds=range(3), sweep={"learning_rate": [0.5, 1e-4]})
    sweep.fit(X, Y, 16, epochs=4, validation_split=0.2, verbose=0)
    losses = np.array([history.history["val_loss"][-1] for history in sweep.history])
    rows = sweep.results.rows
    assert [row.settings for row in rows] == [{"learning_rate": 0.5}, {"learning_rate": 1e-4}]
    assert [row.members for row in rows] == [(0, 1, 2), (3, 4, 5)]
    np.testing.assert_allclose([row.mean["val_loss"] for row in rows], [losses[:3].mean(), losses[3:].mean()])
    assert sweep.results.best() == int(losses.argmin())
    assert sweep.results.best("accuracy", "max") == int(np.argmax([h.history["accuracy"][-1] for h in sweep.history]))
    text = str(sweep.results)
    assert text.splitlines()[0].split() == ["learning_rate", "members", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert len(text.splitlines()) == 3 and "0.0001" in text
    assert sweep.results._repr_html_().count("<tr") == 3


def test_pictures():
    pytest.importorskip("matplotlib")
    sweep = jaxseq.Ensemble(model(), seeds=range(2), sweep={"learning_rate": [0.1, 0.01]})
    with pytest.raises(ValueError, match="nothing to plot before fit"):
        Histories([]).plot()
    histories = sweep.fit(X, Y, 16, epochs=2, validation_split=0.2, verbose=0)
    assert len(histories.plot().axes) == 2
    assert len(histories.plot("loss").axes[0].lines) == 2 * 5          # 4 members and their mean, trained on and validated
    axes, = sweep.results.plot("val_loss", log=True).axes
    assert axes.get_xlabel() == "learning_rate" and axes.get_xscale() == "log"
    assert sweep.results.plot("loss", ax=axes) is axes
    for call in lambda: histories.plot("los"), lambda: sweep.results.plot("los"), lambda: sweep.results.plot("loss", "rate"):
        with pytest.raises(ValueError, match="Known|Did you mean"):
            call()


@pytest.mark.parametrize(("error", "message", "sweep"), [
    (ValueError, "no 'momentun'. Did you mean 'momentum'", {"momentun": [0.1]}),
    (ValueError, "no layer 'dropuot'", {"dropuot.rate": [0.1]}),
    (ValueError, "no 'rat'", {"dropout.rat": [0.1]}),
    (ValueError, "has no settings. Write one that has 'l2'", {"dense_1.kernel_regularizer.l2": [0.1]}),
    (ValueError, "from 0 up to, and without, 1", {"Dropout.rate": [0.1, 1.5]}),
    (ValueError, "from 0 up to, and without, 1", {"momentum": [1.0]}),
    (TypeError, r"in a list, \{'momentum': \[0.5\]\}", {"momentum": 0.5}),
    (ValueError, "one value at least", {"momentum": []}),
    (TypeError, "a dict of lists", [("momentum", [0.1])]),
])
def test_bad_settings(error, message, sweep):
    with pytest.raises(error, match=message):
        jaxseq.Ensemble(model(), sweep=sweep)


@pytest.mark.full
def test_an_optimizer_of_optax_has_no_settings():
    import optax

    with pytest.raises(ValueError, match=r"Compile with one of jaxseq\.optimizers"):
        jaxseq.Ensemble(model(optimizer=optax.sgd(0.1)), sweep={"learning_rate": [0.1, 0.2]})
    ensemble = jaxseq.Ensemble(model(optimizer=optax.sgd(0.1)), seeds=[1, 2])
    ensemble.fit(X, Y, verbose=0)
    alone = model(2, optimizer=optax.sgd(0.1))
    alone.fit(X, Y, verbose=0)
    assert_close(ensemble[1], alone)


@pytest.mark.parametrize("values", [[3, 2], [2, 3]])
@pytest.mark.parametrize("ask", ["fit", "evaluate"])
def test_an_impossible_member_is_named_before_the_first_step(values, ask):
    """Two classes are too few for the labels."""
    sweep = jaxseq.Ensemble(model(), seeds=[5], sweep={"dense_2.units": values})
    with pytest.raises(ValueError, match="has the classes 0 to 1") as caught:
        getattr(sweep, ask)(X, Y)
    assert caught.value.__notes__[-1] == f"In member {values.index(2)}, seed=5, dense_2.units=2."
    assert not any(member.drawn for member in sweep)


def test_a_setting_that_a_layer_does_not_take_is_named():
    with pytest.raises(ValueError, match=r"Dense\(units\)=0") as caught:
        jaxseq.Ensemble(model(), sweep={"dense.units": [8, 0]})
    assert caught.value.__notes__[-1] == "In member 1, seed=0, dense.units=0."


def test_a_program_that_cannot_be_made_is_named():
    def narrow(y, y_hat):
        if y_hat.shape[-1] > 3:
            raise ValueError("too wide")
        return y_hat.sum(-1)

    pattern = model()
    pattern.compile("sgd", narrow)
    sweep = jaxseq.Ensemble(pattern, sweep={"dense_2.units": [3, 4]})
    with pytest.raises(ValueError, match="too wide") as caught:
        sweep.fit(X, Y, verbose=0)
    assert "In member 1, seed=0, dense_2.units=4." in caught.value.__notes__


def test_lr_is_the_learning_rate():
    sweep, written = (jaxseq.Ensemble(model(), sweep={word: [0.1, 0.01]}) for word in ("lr", "learning_rate"))
    assert [member.learning_rate for member in sweep] == [member.learning_rate for member in written]
    assert sweep.settings == [{"lr": 0.1}, {"lr": 0.01}]


@pytest.mark.parametrize(("message", "words"), [
    ("batch_size is an argument of fit, .* an Ensemble for each", {"sweep": {"batch_size": [8, 16]}}),
    ("'lr' and 'learning_rate' are the same setting", {"sweep": {"lr": [0.1], "learning_rate": [0.2]}}),
    ("'LSTM.units' and 'lstm.units' are the same setting", {"sweep": {"LSTM.units": [1], "lstm.units": [2]}}),
    (r"'momentum': \.\.\.}: \[0\.5\] stands there twice", {"sweep": {"momentum": [0.5, 0.9, 0.5]}}),
    (r"'momentum': \.\.\.}: \[0\.0\] stands there twice", {"sweep": {"momentum": [0, 0.0]}}),
    ("seeds: 1 stands there twice, and one member would count as two", {"seeds": [1, 2, 1]}),
    ("seeds: .* stands there twice", {"seeds": [jax.random.key(1), 2, 1]}),
])
def test_what_would_count_twice_is_refused(message, words):
    pattern = Sequential([LSTM(4, input_shape=(4, 5)), Dense(3, "softmax")], seed=0)
    pattern.compile(SGD(0.1, momentum=0.3), "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=message):
        jaxseq.Ensemble(pattern, **words)


@pytest.mark.full
def test_results_are_rows_of_a_data_frame(tmp_path):
    pandas = pytest.importorskip("pandas")
    sweep = jaxseq.Ensemble(model(), seeds=[1, 2], sweep={"learning_rate": [0.1, 0.01], "dense.activation": ["relu"]})
    sweep.fit(X, Y, validation_split=0.2, verbose=0)
    frame, results = pandas.DataFrame(sweep.results), sweep.results
    assert list(frame.columns) == ["learning_rate", "dense.activation", "seed", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert frame.learning_rate.tolist() == [0.1, 0.1, 0.01, 0.01] and frame.seed.tolist() == [1, 2, 1, 2]
    np.testing.assert_array_equal(frame.val_loss, results.last["val_loss"])
    assert len(results) == 4 and results[-1] == dict(frame.iloc[3]) == list(results)[3] and len(results[:2]) == 2
    with (tmp_path / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, results[0])
        writer.writeheader()
        writer.writerows(results)
    assert pandas.read_csv(tmp_path / "results.csv").equals(frame)


def test_what_was_set_keeps_its_name_where_it_is_measured_too():
    sweep = jaxseq.Ensemble(model(), sweep={"learning_rate": [0.1]})
    sweep.fit(X, Y, epochs=3, callbacks=ReduceLROnPlateau("loss", patience=0, min_delta=10.0), verbose=0)
    assert sweep.results.last["learning_rate"][0] < 0.1
    assert sweep.results[0]["learning_rate"] == 0.1
