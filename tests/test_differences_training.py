"""docs/differences.md, training and measuring: what each row says of both libraries is so."""

from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from differing import X, Y, compiled, fit, quiet, stacked

import jaxseq
from jaxseq import callbacks, layers

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"),        # Keras's own; where one is the point, it is asked for
              pytest.mark.usefixtures("quickly_compiled")]


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
