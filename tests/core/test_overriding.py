"""Classes that a user derives from ours: what they compute is what a model trains on, measures and steps through."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq.core import losses, metrics
from jaxseq.core.layers import GRU, RNN, Activation, Conv1D, Dense, Input, Softmax, TimeDistributed
from jaxseq.core.layers.cells import GRUCell, StackedRNNCells
from jaxseq.core.overriding import speaks_for
from jaxseq.core.types import Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
Y = np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]]


def theirs_of(y, y_hat, **how):
    """Keras's crossentropy of shares."""
    return float(keras.losses.CategoricalCrossentropy(**how)(y, y_hat))


class Sharper(Softmax):
    """softmax(5 x)."""

    def apply(self, params, state, x, ctx):
        return super().apply(params, state, 5 * x, ctx)


class Mixed(Dense):
    """A share of 0.1 is spread over all classes."""

    def apply(self, params, state, x, ctx):
        y, state = super().apply(params, state, x, ctx)
        return 0.9 * y + 0.1 / 3, state


class Renamed(Dense):
    """A Dense with no more than a name of its own."""


def test_who_speaks_for_whom():
    class Both(Sharper):
        def without_activation(self):
            return None

    assert speaks_for(Softmax(), "without_activation", "apply", "forward")
    assert not speaks_for(Sharper(), "without_activation", "apply", "forward")
    assert speaks_for(Both(), "without_activation", "apply", "forward")         # it says both itself
    assert speaks_for(Conv1D(1, 1), "without_activation", "apply", "forward")   # where a class above says both


@pytest.mark.parametrize("ending", [
    lambda: [Dense(3), Sharper()], lambda: [Mixed(3, activation="softmax")],
    lambda: [jaxseq.Sequential([Dense(3), Sharper()])],
], ids=["a layer", "in a Dense", "in a model within"])
def test_the_loss_is_that_of_what_is_predicted(ending):
    model = jaxseq.Sequential([Input((4,)), *ending()])
    model.compile("sgd", "categorical_crossentropy")
    expected = theirs_of(Y, model.predict(X, verbose=0))
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.fit(X, Y, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_a_layer_over_time_is_that_of_what_is_predicted():
    model = jaxseq.Sequential([Input((2, 4)), TimeDistributed(Mixed(3, activation="softmax"))])
    model.compile("sgd", "categorical_crossentropy")
    x, y = X.reshape(3, 2, 4), Y.reshape(3, 2, 3)
    expected = theirs_of(y, model.predict(x, verbose=0))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("ending", [lambda: Renamed(3, activation="softmax"), lambda: Activation("softmax")],
                         ids=["a class of one's own", "ours"])
def test_a_class_that_computes_nothing_itself_is_still_exact(ending):
    model = jaxseq.Sequential([Input((4,)), Dense(3), ending()])
    model.compile("sgd", "categorical_crossentropy")
    model.set_weights([1e3 * weight for weight in model.get_weights()])
    assert model.evaluate(X, Y, verbose=0) > 16.118                             # where shares are clipped


class Seven(losses.MeanSquaredError):
    """Seven times as dear."""

    def call(self, y, y_hat):
        return 7 * super().call(y, y_hat)


class OfShares(losses.CategoricalCrossentropy):
    """Of shares that are moved before they are judged."""

    def call(self, y, y_hat):
        return super().call(y, 0.9 * y_hat + 0.1 / 3)


def test_the_call_of_a_loss_is_asked():
    assert isinstance(losses.get(Seven), Seven) and not losses.by_row(Seven())
    assert losses.plain(Seven()) is losses.mean_squared_error                   # whose y is its y
    model = jaxseq.Sequential([Input((4,)), Dense(3)])
    model.compile("sgd", Seven(), metrics=["mse"])
    loss, error = model.evaluate(X, Y, verbose=0)
    assert loss == pytest.approx(7 * error, rel=1e-5)


def test_a_loss_that_changes_its_shares_is_given_shares():
    model = jaxseq.Sequential([Input((4,)), Dense(3, activation="softmax")])
    model.compile("sgd", OfShares(label_smoothing=0.1), metrics=["accuracy"])
    mixed = 0.9 * model.predict(X, verbose=0) + 0.1 / 3
    expected = theirs_of(Y, mixed, label_smoothing=0.1)
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(expected, rel=1e-5)


def overlap(k):
    class Overlap(k.metrics.MeanIoU):
        """Of the likeliest classes, as many write it."""

        def update_state(self, y_true, y_pred, sample_weight=None):
            largest = (lambda x: keras.ops.argmax(x, -1)) if k is keras else (lambda x: jnp.argmax(x, -1))
            return super().update_state(largest(y_true), largest(y_pred), sample_weight)

    return Overlap


def test_update_state_and_result_of_a_metric_are_asked_as_in_keras():
    model, theirs = (k.Sequential([k.Input((4,)), k.layers.Dense(3, activation="softmax")]) for k in (jaxseq, keras))
    theirs.set_weights(model.get_weights())
    for k, each in (jaxseq, model), (keras, theirs):
        each.compile("sgd", "categorical_crossentropy", metrics=[overlap(k)(num_classes=3, name="overlap")])
    got, expected = (each.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history for each in (model, theirs))
    assert_allclose(got["overlap"], expected["overlap"], rtol=1e-5)
    assert_allclose(model.evaluate(X, Y, 4, verbose=0), theirs.evaluate(X, Y, 4, verbose=0), rtol=1e-4)

    alone = overlap(jaxseq)(num_classes=3)
    alone.update_state(Y, model.predict(X, verbose=0))
    assert alone.result() == pytest.approx(model.evaluate(X, Y, verbose=0)[1])


def test_the_result_of_a_metric_may_be_another_number():
    class Percent(metrics.MeanSquaredError):
        def result(self):
            return 100 * super().result()

    model = jaxseq.Sequential([Input((4,)), Dense(3)])
    model.compile("sgd", "mse", metrics=["mse", Percent(name="percent")])
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert found["percent"] == pytest.approx(100 * found["mse"], rel=1e-5)


def test_of_a_metric_what_is_not_the_users_stays_as_it_is():
    class Percent(metrics.AUC):
        def result(self):
            return 100 * super().result()

    class OfLogits(metrics.AUC):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_true, jax.nn.sigmoid(y_pred), sample_weight)

    plain, percent, of_logits = (metrics.get(each()) for each in (metrics.AUC, Percent, OfLogits))
    assert (percent.by_row, percent.of_shares) == (plain.by_row, plain.of_shares) == (True, True)
    assert (of_logits.by_row, of_logits.of_shares) == (False, False) and of_logits.finish is not percent.finish


def test_weights_and_masks_reach_a_users_update_state():
    seen = []

    class Weighed(metrics.MeanSquaredError):
        def update_state(self, y_true, y_pred, sample_weight=None):
            seen.append(None if sample_weight is None else sample_weight.shape)
            super().update_state(y_true, y_pred, sample_weight)

    model = jaxseq.Sequential([Input((4,)), Dense(3)])
    model.compile("sgd", "mse", weighted_metrics=[Weighed(name="weighed"), metrics.MeanSquaredError(name="ours")])
    found = model.evaluate(X, Y, sample_weight=np.arange(6.0), verbose=0, return_dict=True)
    assert found["weighed"] == pytest.approx(found["ours"], rel=1e-6) and (6,) in seen


class Largest:
    """A part of several metrics."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(jnp.argmax(y_true, -1), jnp.argmax(y_pred, -1), sample_weight)


def test_a_part_that_stands_beside_our_class_is_asked():
    class Overlap(Largest, metrics.MeanIoU):
        pass

    model = jaxseq.Sequential([Input((4,)), Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[Overlap(3, name="one"), overlap(jaxseq)(3, name="other")])
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert found["one"] == found["other"]


def test_labels_are_checked_for_a_loss_with_a_call_of_its_own():
    class Dearer(losses.SparseCategoricalCrossentropy):
        def call(self, y, y_hat):
            return 2 * super().call(y, y_hat)

    model = jaxseq.Sequential([Input((4,)), Dense(3, activation="softmax")])
    model.compile("sgd", Dearer(), metrics=["accuracy"])
    with pytest.raises(ValueError, match="has the classes 0 to 2"):
        model.fit(X, np.array([0, 1, 2, 3, 0, 1]), verbose=0)
    assert 0 <= model.evaluate(X, np.array([0, 1, 2, 2, 0, 1]), verbose=0)[1] <= 1


def test_a_metric_that_measures_nothing_says_so():
    class Silent(metrics.MeanSquaredError):
        def update_state(self, y_true, y_pred, sample_weight=None):
            """Forgets what it is given."""

    model = jaxseq.Sequential([Input((4,)), Dense(3)])
    with pytest.raises(TypeError, match=r"Silent\.update_state measured nothing\. Let it end with"):
        model.compile("sgd", "mse", metrics=[Silent()])
        model.evaluate(X, Y, verbose=0)


class Constant(GRUCell):
    """A GRU's weights, and 7 at every step."""

    def step(self, params, carry, x, ctx):
        y = jnp.full_like(carry["h"], 7)
        return y, {"h": y}


@pytest.mark.parametrize("make", [
    lambda: RNN(Constant(2), return_sequences=True), lambda: RNN([GRUCell(3), Constant(2)], return_sequences=True),
    lambda: RNN(StackedRNNCells([Constant(2)]), return_sequences=True),
], ids=["a cell", "cells", "a stack"])
def test_the_step_of_a_cell_is_asked(make):
    x = jnp.asarray(X.reshape(2, 3, 4))
    layer = make()
    params, state = layer.init(jax.random.key(0), Spec(x.shape, x.dtype))
    y, _ = layer.apply(params, state, x, jaxseq.core.types.Ctx())
    assert_array_equal(y, np.full((2, 3, 2), 7))


def test_the_step_of_a_layer_is_asked():
    class Constantly(GRU):
        step = Constant.step

    x = jnp.asarray(X.reshape(2, 3, 4))
    layer = Constantly(2)
    params, state = layer.init(jax.random.key(0), Spec(x.shape, x.dtype))
    assert_array_equal(layer.apply(params, state, x, jaxseq.core.types.Ctx())[0], np.full((2, 2), 7))
