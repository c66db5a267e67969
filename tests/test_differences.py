"""What docs/differences.md says of Keras 3 and of jaxseq, shown against the installed Keras. What it says of Keras 2 is from
that version's source."""

from __future__ import annotations

import importlib.util
import inspect
import re
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jaxseq
from jaxseq import backend as K, callbacks, layers, losses, optimizers

PAGE = (Path(__file__).parents[1] / "docs" / "differences.md").read_text()
GENERATOR = np.random.default_rng(5)
X = GENERATOR.normal(size=(40, 6)).astype("float32")
Y = GENERATOR.integers(2, size=(40, 1)).astype("float32")
SEQUENCES = GENERATOR.normal(size=(8, 5, 3)).astype("float32")

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"),        # Keras's own; where one is the point, it is asked for
              pytest.mark.usefixtures("quickly_compiled")]


def stacked(k, *rows, shape=(6,), batch=None, seed=0):
    """A Sequential of either library with this input, its draws fixed."""
    if k is keras:
        keras.utils.set_random_seed(seed)
    words = {} if k is keras else {"seed": seed}
    return k.Sequential([k.Input(shape) if batch is None else k.Input(batch_shape=(batch, *shape)), *rows], **words)


def compiled(k, *rows, loss="mse", optimizer="sgd", measured=None, **how):
    model = stacked(k, *(rows or [k.layers.Dense(1)]), **how)
    model.compile(optimizer=optimizer, loss=loss, metrics=measured)
    return model


def fit(k, *rows, x=X, y=Y, loss="mse", measured=None, optimizer="sgd", **how):
    return compiled(k, *rows, loss=loss, measured=measured, optimizer=optimizer).fit(x, y, verbose=0, **how)


def quiet(function, *values, **words):
    """(the result, what was warned)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*values, **words)
    return result, [str(each.message) for each in caught]


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


# ---- training and measuring


def test_accuracy_of_several_labels():
    generator = np.random.default_rng(1)
    y, weights = generator.integers(2, size=(40, 3)).astype("float32"), [generator.normal(size=(6, 3)), np.zeros(3)]
    for k in keras, jaxseq:
        model = compiled(k, k.layers.Dense(3, activation="sigmoid"), loss="binary_crossentropy", measured=["accuracy"])
        model.set_weights(weights)
        p = model.predict(X, verbose=0)
        binary, largest = ((p > 0.5) == y).mean(), (p.argmax(1) == y.argmax(1)).mean()
        assert binary != largest
        assert model.evaluate(X, y, verbose=0)[1] == pytest.approx(binary if k is jaxseq else largest, abs=1e-6)


def test_a_metric_of_one_number_for_the_batch():
    def mean_pred(y_true, y_pred):
        return jnp.mean(y_pred)

    for k in keras, jaxseq:
        model = compiled(k, measured=[mean_pred])
        p = model.predict(X, verbose=0)
        by_rows, by_batches = p.mean(), (p[:32].mean() + p[32:].mean()) / 2
        got = model.evaluate(X, Y, batch_size=32, verbose=0)[1]
        assert got == pytest.approx(by_rows if k is jaxseq else by_batches, abs=1e-5)
        assert abs(by_rows - by_batches) > 1e-3


@pytest.mark.parametrize("units, activation, loss, label", [(3, "softmax", "sparse_categorical_crossentropy", 1),
                                                           (1, "sigmoid", "binary_crossentropy", 0)])
def test_the_gradient_where_the_model_is_sure_and_wrong(units, activation, loss, label):
    for k, alive in (keras, False), (jaxseq, True):
        model = compiled(k, k.layers.Dense(units, activation=activation), loss=loss)
        weights = [np.zeros((6, units)), 60.0 * (np.arange(units) == 0)]
        model.set_weights(weights)
        got = model.train_on_batch(X, np.full((40, 1), label))
        assert np.isclose(got, 60) if alive else got < 16.13
        assert (np.abs(model.get_weights()[1] - weights[1]).max() > 1e-3) == alive


def test_a_model_without_a_loss():
    assert fit(keras, loss=None).history["loss"] == [0.0]
    with pytest.raises(ValueError, match="fit needs a loss"):
        fit(jaxseq, loss=None)


def test_an_unknown_loss_is_met_in_compile():
    compiled(keras, loss="msee")
    with pytest.raises(ValueError, match="Did you mean 'mse'"):
        compiled(jaxseq, loss="msee")


def test_the_third_argument_of_compile():
    model = stacked(jaxseq, layers.Dense(1))
    model.compile("sgd", "mse", ["mae"])
    assert model.metrics_names == ["loss", "mae"]
    assert list(inspect.signature(keras.Sequential.compile).parameters)[3] == "loss_weights"


def test_the_order_of_the_history_and_the_names():
    wanted = {keras: ["accuracy", "loss", "mse", "val_accuracy", "val_loss", "val_mse"],
              jaxseq: ["loss", "mse", "accuracy", "val_loss", "val_mse", "val_accuracy"]}
    for k, names in wanted.items():
        history = fit(k, measured=["mse", "accuracy"], validation_split=0.2)
        assert list(history.history) == names
    assert history.model.metrics_names == ["loss", "mse", "accuracy"]
    assert fit(keras, measured=["mse"]).model.metrics_names == ["loss", "compile_metrics"]
    assert "acc" in fit(jaxseq, measured=["acc"]).history


def test_class_weight():
    fit(keras, class_weight={0: 2.0})
    with pytest.raises(ValueError, match="no entry for class 1"):
        fit(jaxseq, class_weight={0: 2.0})
    for k in keras, jaxseq:
        with pytest.raises(ValueError):
            fit(k, class_weight={0: 2.0, 1: 1.0}, sample_weight=np.ones(40))
        held = fit(k, class_weight={0: 9.0, 1: 1.0}, validation_split=0.25, optimizer="sgd")
        assert held.history["val_loss"][0] == pytest.approx(held.model.evaluate(X[30:], Y[30:], verbose=0), rel=1e-5)


def test_a_loss_with_sample_weights_is_divided_by_all_rows():
    weight = np.where(np.arange(40) % 2, 0.0, 3.0)
    for k in keras, jaxseq:
        model = compiled(k)
        rows = ((model.predict(X, verbose=0) - Y) ** 2)[:, 0]
        got = model.evaluate(X, Y, sample_weight=weight, batch_size=40, verbose=0)
        assert got == pytest.approx((rows * weight).mean(), rel=1e-5)


def test_freezing_without_compile():
    for k in keras, jaxseq:
        model = compiled(k, k.layers.Dense(4), k.layers.Dense(1), optimizer="adam")
        model.fit(X, Y, verbose=0)
        model.layers[0].trainable = False
        before = model.get_weights()
        if k is keras:
            with pytest.raises(ValueError, match="optimizer_variables"):
                model.fit(X, Y, verbose=0)
            continue
        model.fit(X, Y, verbose=0)
        assert [(a == b).all() for a, b in zip(before, model.get_weights(), strict=True)] == [True, True, False, False]


def test_shuffling_batches():
    def seen(k):
        met = []

        def loss(y, y_hat):
            jax.debug.callback(lambda values: met.append(np.ravel(values).tolist()), y_hat, ordered=True)
            return jnp.square(y - y_hat)

        model = compiled(k, k.layers.Dense(1, use_bias=False, kernel_initializer="ones"), shape=(1,), loss=loss,
                         optimizer=k.optimizers.SGD(0.0))
        x = np.arange(16, dtype="float32")[:, None]
        model.fit(x, x, batch_size=4, epochs=4, shuffle="batch", verbose=0)
        jax.effects_barrier()
        return np.array(met[-16:]).reshape(4, 4, 4)                 # epoch, batch, row

    kept = np.arange(16).reshape(4, 4)
    theirs, ours = seen(keras), seen(jaxseq)
    assert (np.sort(theirs) == kept).all() and (theirs != kept).any()
    assert (np.sort(ours[:, :, 0]) == kept[:, 0]).all() and (ours == np.sort(ours)).all() and (ours != kept).any()


def test_predict_is_silent(capsys):
    for k, silent in (keras, False), (jaxseq, True):
        compiled(k).predict(X)
        assert (capsys.readouterr().out == "") == silent


def test_a_call_in_training_mode():
    """Keras's call draws anew and moves the moving statistics; ours is that of the next step, and moves nothing."""
    for k, moves in (keras, True), (jaxseq, False):
        model = stacked(k, k.layers.BatchNormalization(), k.layers.Dropout(0.5))
        before = model.get_weights()
        first, second = (np.asarray(model(X, training=True)) for _ in range(2))
        assert ((first == 0) != (second == 0)).any() == moves
        assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True)) == moves
        assert (first == 0).any() and not (np.asarray(model(X)) == 0).any()


def hooked(k, hook, action):
    """A callback of either library whose `hook` calls action(callback, *values)."""
    return type("Hooked", (k.callbacks.Callback,), {hook: lambda self, *values, **words: action(self, *values, **words)})()


def test_the_logs_of_a_batch_are_running_means():
    for k in keras, jaxseq:
        logs = []
        model = compiled(k, optimizer=k.optimizers.SGD(0.0))
        rows = ((model.predict(X, verbose=0) - Y) ** 2)[:, 0]
        note = hooked(k, "on_train_batch_end", lambda self, batch, logs=None, kept=logs: kept.append(logs["loss"]))
        model.fit(X, Y, batch_size=10, shuffle=False, verbose=0, callbacks=[note])
        np.testing.assert_allclose(logs, [rows[:n].mean() for n in (10, 20, 30, 40)], rtol=1e-5)


def interrupt(self, *values, **words):
    raise KeyboardInterrupt


def test_an_interrupted_evaluation_costs_no_weights():
    for k, usable in (keras, False), (jaxseq, True):
        model = compiled(k)
        with pytest.raises(KeyboardInterrupt):
            model.evaluate(X, Y, verbose=0, callbacks=[hooked(k, "on_test_batch_end", interrupt)])
        if usable:
            assert model.predict(X, verbose=0).shape == (40, 1)
        else:
            with pytest.raises(TypeError, match="NoneType"):
                model.predict(X, verbose=0)


def test_what_began_also_ends():
    for k, ends in (keras, False), (jaxseq, True):
        ended = []
        each = hooked(k, "on_train_end", lambda self, logs=None, ended=ended: ended.append(self))
        with pytest.raises(KeyboardInterrupt):
            fit(k, callbacks=[each, hooked(k, "on_epoch_end", interrupt)])
        assert bool(ended) == ends


def test_early_stopping():
    def closeness(y, y_hat):
        return -jnp.mean(jnp.abs(y - y_hat), axis=-1)

    _, warned = quiet(fit, keras, callbacks=[keras.callbacks.EarlyStopping("los", mode="min")])
    assert any("not available" in each for each in warned)
    with pytest.raises(ValueError, match="Did you mean 'loss'"):
        fit(jaxseq, callbacks=[callbacks.EarlyStopping("los", mode="min")])
    for k in keras, jaxseq:
        with pytest.raises(ValueError, match="closeness"):
            fit(k, measured=[closeness], callbacks=[k.callbacks.EarlyStopping("closeness")])
        model = compiled(k, optimizer=k.optimizers.SGD(5.0))        # the loss grows: the first epoch is the best
        kept = []
        note = hooked(k, "on_epoch_end", lambda self, *logs, kept=kept, **words: kept.append(self.model.get_weights()))
        stop = k.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[note, stop])
        assert all((a == b).all() for a, b in zip(model.get_weights(), kept[0], strict=True))


# ---- input


INPUT_WORDS = {
    "batch_input_shape": (lambda k: k.layers.Dense(3, batch_input_shape=(32, 6)), (32, 6)),
    "batch_size": (lambda k: k.layers.Dense(3, batch_size=32, input_shape=(6,)), (32, 6)),
    "sequence": (lambda k: k.layers.LSTM(32, input_dim=16, input_length=8), (None, 8, 16)),
    "one row": (lambda k: k.layers.Dense(32, input_length=784), (None, 784)),
}


@pytest.mark.parametrize("name", INPUT_WORDS)
def test_words_for_the_input(name):
    layer, shape = INPUT_WORDS[name]
    with pytest.raises(ValueError, match="Unrecognized keyword"):
        layer(keras)
    assert jaxseq.Sequential([layer(jaxseq)]).input_shape == shape


def test_the_input_declared_by_add():
    with pytest.raises(TypeError):
        keras.Sequential().add(batch_size=32)
    model = jaxseq.Sequential()
    model.add(batch_size=32)
    model.add(input_shape=(6, 8))
    model.add(layers.LSTM(3))
    assert model.input_shape == (32, 6, 8)
    with pytest.raises(ValueError, match="the batch size alone"):
        layers.Dense(3, batch_size=32)


def test_a_fixed_batch_size_is_enforced():
    assert compiled(keras, batch=16).predict(X, verbose=0).shape == (40, 1)
    with pytest.raises(ValueError, match="batches of exactly 16"):
        compiled(jaxseq, batch=16).predict(X)


def test_an_embedding_in_front():
    theirs, ours = (k.Sequential([k.layers.Embedding(5, 2)]) for k in (keras, jaxseq))
    assert not theirs.built and ours.input_shape == (None, None)
    theirs.build((None, 3))
    assert theirs.inputs[0].dtype == "float32" and layers.Embedding.input_dtype == "int32"


def test_shapes_are_not_bent():
    assert compiled(keras).predict(X[:, :, None], verbose=0).shape == (40, 1)
    with pytest.raises(ValueError, match=r"wants \(None, 6\)"):
        compiled(jaxseq).predict(X[:, :, None])
    fit(keras, keras.layers.Dense(3))
    with pytest.raises(ValueError, match=r"shape of the model's output, \(None, 3\)"):
        fit(jaxseq, layers.Dense(3))
    for k in keras, jaxseq:
        model = compiled(k, measured=[lambda y, y_hat: (y - y_hat) ** 2])
        paired = np.mean((model.predict(X, verbose=0) - Y) ** 2)
        got = model.evaluate(X, Y[:, 0], batch_size=40, verbose=0)
        assert np.isclose(got[0], paired) and np.isclose(got[1], paired) == (k is jaxseq)


def softmax_model(k, loss):
    return compiled(k, k.layers.Dense(3, activation="softmax"), loss=loss)


def sigmoid_model(k):
    return compiled(k, k.layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy")


BAD_LABELS = {
    "out of range": (lambda k: softmax_model(k, "sparse_categorical_crossentropy"), np.full(40, 99), r"y\[0\] is 99"),
    "broken": (lambda k: softmax_model(k, "sparse_categorical_crossentropy"), np.full(40, 0.7), "not a whole number"),
    "no class": (lambda k: softmax_model(k, "categorical_crossentropy"), np.zeros((40, 3)), "all zeros"),
    "negative": (sigmoid_model, 2 * Y - 1, "from 0 to 1"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_labels_that_mean_nothing(name):
    model, y, message = BAD_LABELS[name]
    assert np.isfinite(model(keras).evaluate(X, y, verbose=0))
    with pytest.raises(ValueError, match=message):
        model(jaxseq).evaluate(X, y, verbose=0)


def test_labels_out_of_range_in_a_pure_function():
    y, logits = jnp.array([7, -1]), jnp.zeros((2, 3))
    assert np.isnan(losses.sparse_categorical_crossentropy(y, jax.nn.softmax(logits))).all()
    assert np.isnan(K.sparse_categorical_crossentropy(y, jax.nn.softmax(logits))).all()
    assert not np.any(keras.ops.sparse_categorical_crossentropy(y, jax.nn.softmax(logits)))


def test_ids_out_of_range():
    theirs = keras.Sequential([keras.layers.Embedding(5, 2)])
    got = theirs.predict(np.array([[0, -1, 7]]), verbose=0)[0]
    np.testing.assert_array_equal(got[1], theirs.get_weights()[0][-1])
    assert np.isnan(got[2]).all()
    ours = jaxseq.Sequential([layers.Embedding(5, 2)])
    for row in [0, -1], [0, 7]:
        with pytest.raises(ValueError, match=r"x\[0, 1\]"):
            ours.predict(np.array([row]))
    assert np.isnan(ours.functional().apply(ours.params, {}, jnp.array([[-1, 7]]))[0]).all()


def test_values_that_are_no_numbers():
    x = np.where(np.arange(6) == 2, np.nan, X)
    assert np.isnan(fit(keras, x=x).history["loss"][0])
    with pytest.raises(ValueError, match=r"40 values that are NaN"):
        fit(jaxseq, x=x)
    assert np.isnan(fit(jaxseq, x=x, check_inputs=False).history["loss"][0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value, theirs", [(2**40, 0.0), (1e300, np.inf)])
def test_numbers_beyond_32_bits(value, theirs):
    model = lambda k: stacked(k, k.layers.Dense(1, use_bias=False, kernel_initializer="ones"), shape=(1,))
    assert model(keras).predict(np.array([[value]]), verbose=0)[0, 0] == theirs
    with pytest.raises(ValueError, match="too large"):
        model(jaxseq).predict(np.array([[value]]))


@pytest.mark.parametrize("how", [{"batch_size": 0}, {"epochs": -3}, {"validation_split": 1.5}, {"initial_epoch": 3}], ids=str)
def test_arguments_out_of_range(how):
    fit(keras, **how)
    with pytest.raises(ValueError, match=next(iter(how))):
        fit(jaxseq, **how)


def test_no_rows():
    with pytest.raises(StopIteration):
        fit(keras, x=X[:0], y=Y[:0])
    with pytest.raises(ValueError, match="x is empty"):
        fit(jaxseq, x=X[:0], y=Y[:0])
    assert compiled(jaxseq).predict(X[:0]).shape == (0, 1)


def test_lists():
    with pytest.raises(ValueError, match="Unrecognized data type"):
        fit(keras, x=X.tolist(), y=Y.tolist())
    assert fit(jaxseq, x=X.tolist(), y=Y.tolist()).history == fit(jaxseq).history


def test_a_keyword_that_does_not_exist():
    with pytest.raises(ValueError):
        keras.layers.Dense(3, activaton="relu")
    with pytest.raises(TypeError, match="Did you mean 'activation'"):
        layers.Dense(3, activaton="relu")


# ---- layers


def test_how_often_an_lstm_draws_for_x():
    assert keras.layers.LSTM(2, dropout=0.5).cell.implementation == 2
    assert keras.layers.LSTM(2, dropout=0.5, recurrent_dropout=0.5).cell.dropout_mask_count == 4
    apply = lambda **rates: layers.LSTM(2, **rates)
    key, x = jax.random.key(1), jnp.ones((1, 1, 64))                # one step, from h = 0: only x's draw can be seen
    weights, _ = apply().init(key, jax.ShapeDtypeStruct(x.shape, x.dtype))
    ctx = layers.Ctx(train=True, key=key)
    alone, with_recurrent = (apply(**rates).apply(weights, {}, x, ctx)[0] for rates in
                             ({"dropout": 0.5}, {"dropout": 0.5, "recurrent_dropout": 0.5}))
    np.testing.assert_allclose(alone, with_recurrent, rtol=1e-6)


def test_settings_of_layers():
    assert keras.layers.LSTM(3).get_config()["recurrent_activation"] == "sigmoid"
    assert layers.LSTM(3).recurrent_activation == "sigmoid"
    keras.layers.LSTM(3, return_state=True)
    with pytest.raises(ValueError, match="layer.states"):
        layers.LSTM(3, return_state=True)
    keras.layers.Dropout(1.0)
    with pytest.raises(ValueError, match="without, 1"):
        layers.Dropout(1.0)


@pytest.mark.parametrize("name", ["Softmax", "UnitNormalization"])
def test_an_axis_of_rows(name):
    theirs = stacked(keras, getattr(keras.layers, name)(axis=0))
    assert np.any(theirs.predict(X, verbose=0)[:10] != theirs.predict(X[:10], verbose=0))
    with pytest.raises(ValueError, match="and not 0, the batch axis"):
        getattr(layers, name)(axis=0)


def test_batch_normalization():
    for k in keras, jaxseq:
        model = compiled(k, k.layers.BatchNormalization(momentum=0.0))
        model.train_on_batch(X, X)
        np.testing.assert_allclose(model.get_weights()[3], X.var(axis=0), rtol=1e-5)
        frozen = k.layers.BatchNormalization(momentum=0.0)
        model = stacked(k, frozen, k.layers.Dense(1))
        frozen.trainable = False
        model.compile("sgd", "mse")
        model.train_on_batch(X, Y)
        assert not frozen.get_weights()[2].any()


def test_an_activity_penalty_is_divided_by_the_rows():
    for k in keras, jaxseq:
        layer = k.layers.Dense(6, kernel_initializer="identity", activity_regularizer=k.regularizers.L2(1.0))
        assert compiled(k, layer).evaluate(X, X, batch_size=40, verbose=0) == pytest.approx((X**2).sum() / 40, rel=1e-5)


def test_layers_are_declarations():
    theirs = keras.layers.Dense(2)
    theirs.units = 3
    with pytest.raises(AttributeError, match="frozen declaration"):
        layers.Dense(2).units = 3
    assert stacked(jaxseq, layers.Dense(2)).get_config()["layers"][1]["config"] == {"name": "dense", "units": 2}
    assert "module" in stacked(keras, keras.layers.Dense(2)).get_config()["layers"][1]


# ---- optimizers, regularizers, activations


def test_words_and_values_of_optimizers():
    with pytest.raises(ValueError, match="lr"):
        keras.optimizers.SGD(lr=0.1)
    _, warned = quiet(keras.optimizers.SGD, learning_rate=0.1, decay=1e-6)
    assert any("`decay` is no longer supported" in each for each in warned)
    ours = optimizers.SGD(lr=0.1, decay=1e-6)
    assert (ours.learning_rate, ours.decay) == (0.1, 1e-6)
    with pytest.raises(ValueError, match="should be float"):
        keras.optimizers.SGD(learning_rate=1)
    assert optimizers.SGD(learning_rate=1).learning_rate == 1
    keras.optimizers.SGD(float("nan"))
    with pytest.raises(ValueError, match="learning_rate=nan"):
        optimizers.SGD(float("nan"))


@pytest.mark.parametrize("name, mean_square", [("RMSprop", 0.1 * 1e-8), ("Adagrad", 0.1 + 1e-8)])
def test_where_epsilon_stands(name, mean_square):
    """One step with the gradient 1e-4, where epsilon shows."""
    for k in keras, jaxseq:
        assert float(getattr(k.optimizers, name)().learning_rate) == pytest.approx(0.001)
        model = compiled(k, k.layers.Dense(1, use_bias=False, kernel_initializer="zeros"), shape=(1,),
                         loss=lambda y, y_hat: 1e-4 * y_hat[:, 0], optimizer=name)
        model.train_on_batch(np.ones((1, 1)), np.ones((1, 1)))
        assert model.get_weights()[0][0, 0] == pytest.approx(-0.001 * 1e-4 / np.sqrt(mean_square + 1e-7), rel=1e-4)


def test_weights_without_decay():
    keras.optimizers.AdamW().exclude_from_weight_decay(var_names=["bias"])
    assert not hasattr(optimizers.AdamW(), "exclude_from_weight_decay")


def test_centered_rmsprop():
    slopes = np.random.default_rng(0).normal(size=(1, 500)) * 100
    for k, lost in (keras, True), (jaxseq, False):
        model = compiled(k, k.layers.Dense(500, use_bias=False), shape=(1,), loss=lambda y, y_hat: jnp.sum(y * y_hat, axis=-1),
                         optimizer=k.optimizers.RMSprop(rho=0.8, centered=True))
        model.fit(np.ones((300, 1)), np.repeat(slopes, 300, 0), batch_size=1, verbose=0)
        assert np.isnan(model.get_weights()[0]).any() == lost


def test_regularizers():
    with pytest.raises(ValueError, match="l1_l2"):
        keras.regularizers.get("l1_l2")
    assert jaxseq.regularizers.get("l1_l2") == jaxseq.regularizers.L1L2(0.01, 0.01)
    ones = jnp.ones(300, jnp.bfloat16)
    assert jnp.asarray(keras.regularizers.L2()(ones)).dtype == jnp.bfloat16
    assert jaxseq.regularizers.L2()(ones).dtype == jnp.float32
    theirs, ours = (k.regularizers.OrthogonalRegularizer() for k in (keras, jaxseq))
    assert np.isnan(theirs(jnp.ones((1, 3)))) and ours(jnp.ones((1, 3))) == 0
    assert np.isnan(jax.grad(theirs)(jnp.zeros((2, 3)))).all() and not jax.grad(ours)(jnp.zeros((2, 3))).any()


def test_activations():
    one, row = jnp.float32(1), jnp.array([[0.1, 0.2, 0.3, 0.15]])
    assert keras.activations.hard_sigmoid(one) == jaxseq.activations.hard_sigmoid(one) == pytest.approx(2 / 3)
    assert K.hard_sigmoid(one) == pytest.approx(0.7)
    with jax.numpy_dtype_promotion("standard"):
        assert keras.activations.sparsemax(row).sum() < 0.9
    assert jaxseq.activations.sparsemax(row).sum() == pytest.approx(1)
    np.testing.assert_allclose(keras.activations.softmax(row[0]), jaxseq.activations.softmax(row[0]), rtol=1e-6)


# ---- K and utilities


def test_roots():
    assert np.isnan(keras.ops.sqrt(jnp.float32(-1))) and K.sqrt(-1.0) == 0
    assert np.isinf(jax.grad(keras.ops.sqrt)(0.0)) and jax.grad(K.sqrt)(0.0) == 0
    assert np.isnan(jax.grad(keras.ops.std)(jnp.ones(3))).all() and not jax.grad(K.std)(jnp.ones(3)).any()


def test_clip():
    np.testing.assert_array_equal(keras.ops.clip(jnp.array([0.0, 1.5, 3.0]), 2, 1), [1, 1, 1])
    with pytest.raises(ValueError, match=r"K.clip\(x, 1, 2\)"):
        K.clip(1.5, 2, 1)


def test_draws_need_a_seed():
    keras.random.uniform((2,))
    for draw in K.random_uniform, K.random_normal, K.random_binomial, K.truncated_normal:
        with pytest.raises(ValueError, match="needs seed="):
            draw((2,))


@pytest.mark.parametrize("call", [lambda: K.learning_phase(), lambda: K.set_value(1.0, 2.0), lambda: K.function([], []),
                                  lambda: K.gradients(1.0, [])])
def test_what_needs_a_graph(call):
    with pytest.raises(RuntimeError, match="Write "):
        call()


@pytest.mark.parametrize("setting, default, other", [("floatx", "float32", "float16"), ("epsilon", 1e-7, 1e-3),
                                                     ("image_data_format", "channels_last", "channels_first")])
def test_there_are_no_global_settings(setting, default, other):
    change = getattr(keras.config, f"set_{setting}")
    change(other)
    change(default)
    getattr(K, f"set_{setting}")(default)
    with pytest.raises(ValueError, match="whole program|computes in float32|no global setting"):
        getattr(K, f"set_{setting}")(other)


def test_arrays_do_not_change():
    assert isinstance(K.variable([1.0]), jax.Array)
    assert K.int_shape(np.zeros((4, 3))) == (4, 3)


def test_to_categorical_and_normalize():
    np.testing.assert_array_equal(keras.utils.to_categorical([-1, 2]).argmax(1), [2, 2])
    np.testing.assert_array_equal(keras.utils.to_categorical([0.7, 1]).argmax(1), [0, 1])
    for labels in [-1, 2], [0.7, 1]:
        with pytest.raises(ValueError, match=r"y\[0\]"):
            jaxseq.utils.to_categorical(labels)
    square = np.arange(1.0, 10).reshape(3, 3)
    assert not np.allclose(np.linalg.norm(keras.utils.normalize(square, axis=0), axis=0), 1)
    np.testing.assert_allclose(np.linalg.norm(jaxseq.utils.normalize(square, axis=0), axis=0), 1)
    with pytest.raises(ValueError, match="broadcast"):
        keras.utils.normalize(X, axis=0)
