"""Metrics in Keras's way, and metric objects used by themselves, against Keras."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxseq
from jaxseq import backend as K, metrics
from jaxseq.core.keras_metric import Metric
from jaxseq.core.layers import Dense, Input, Masking, TimeDistributed
from jaxseq.core.metrics import CLASSES as CLASSES_OF_OURS

GENERATOR = np.random.default_rng(2)
X = GENERATOR.normal(size=(37, 3)).astype("float32")
Y = GENERATOR.normal(size=(37, 2)).astype("float32")


# ---- the classes, as one writes them


def bias(k, ops):
    class Bias(k.metrics.Metric):
        """The mean of y_pred - y_true: two sums."""

        def __init__(self, name="bias", **kwargs):
            super().__init__(name=name, **kwargs)
            self.total = self.add_variable(shape=(), initializer="zeros", name="total")
            self.count = self.add_weight(name="count", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            apart = y_pred - y_true
            self.total.assign_add(ops.sum(apart))
            self.count.assign(self.count + ops.sum(ops.ones_like(apart)))

        def result(self):
            return self.total / self.count

        def reset_state(self):
            self.total.assign(0.0)
            self.count.assign(0.0)

    return Bias


def largest(k, ops):
    class Largest(k.metrics.Metric):
        """A maximum, which is no sum, from another start than 0."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.value = self.add_variable((), "zeros", name="value")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(ops.maximum(self.value, ops.max(y_pred)))

        def result(self):
            return self.value.value

        def reset_state(self):
            self.value.assign(-1e9)

    return Largest


def last(k, ops):
    class Last(k.metrics.Metric):
        """What the last batch says; it holds another metric."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.value = self.add_variable((), "zeros", name="value")
            self.mean = k.metrics.Mean()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(ops.mean(y_pred))
            self.mean.update_state(y_pred)

        def result(self):
            return self.value + self.mean.result()

    return Last


def wrapped(k, ops):
    class Wrapped(k.metrics.MeanMetricWrapper):
        def __init__(self, name="wrapped", **kwargs):
            super().__init__(fn=lambda y, y_hat: ops.mean(ops.abs(y - y_hat), axis=-1), name=name, **kwargs)

    return Wrapped


class Ours:
    sum, mean, abs, max, ones_like, maximum = jnp.sum, jnp.mean, jnp.abs, jnp.max, jnp.ones_like, staticmethod(
        lambda a, b: jnp.maximum(jnp.asarray(getattr(a, "value", a)), b))


CLASSES = [bias, largest, last, wrapped]


def test_a_model_measures_with_them_as_keras_does():
    """37 rows in batches of 16: the last one is smaller. In training, in validation, and by evaluate."""
    built = []
    for k, ops in (keras, keras.ops), (jaxseq, Ours):
        model = k.Sequential([k.Input((3,)), k.layers.Dense(2)])
        model.compile(k.optimizers.SGD(0.1), "mse", metrics=[make(k, ops)() for make in CLASSES])
        built.append(model)
    theirs, ours = built
    ours.set_weights(theirs.get_weights())
    how = dict(epochs=2, batch_size=16, shuffle=False, verbose=0, validation_data=(X[:20], Y[:20]))
    wanted, got = theirs.fit(X, Y, **how).history, ours.fit(X, Y, **how).history
    assert got.keys() == wanted.keys()
    for each, values in wanted.items():
        assert_allclose(got[each], values, rtol=1e-4, atol=1e-5, err_msg=each)
    assert_allclose(ours.evaluate(X, Y, 16, verbose=0), theirs.evaluate(X, Y, 16, verbose=0), rtol=1e-4, atol=1e-5)


def test_the_object_in_compile_stays_as_it_was_and_serves_two_models():
    metric = bias(jaxseq, Ours)()
    for _ in range(2):
        model = jaxseq.Sequential([Dense(2, input_shape=(3,))])
        model.compile("sgd", "mse", metrics=[metric])
        history = model.fit(X, Y, epochs=2, batch_size=16, verbose=0).history
        assert len(history["bias"]) == 2
    assert [float(each) for each in metric.variables] == [0, 0]
    assert not any(isinstance(each.value, jax.core.Tracer) for each in metric.variables)


def test_an_array_as_the_result_stands_in_the_history():
    class Columns(Metric):
        def __init__(self):
            super().__init__()
            self.total = self.add_variable((2,), name="total")

        def update_state(self, y_true, y_pred):
            self.total.assign_add(K.sum(y_pred, axis=0))

        def result(self):
            return self.total

    model = jaxseq.Sequential([Dense(2, input_shape=(3,))])
    model.compile("sgd", "mse", metrics=[Columns])
    assert_allclose(model.evaluate(X, Y, verbose=0)[1], model.predict(X).sum(0), rtol=1e-4, atol=1e-5)


# ---- by themselves


def assert_alike(ours, theirs, *batches):
    for batch in batches:
        ours.update_state(*batch)
        theirs.update_state(*batch)
        assert_allclose(float(ours.result()), float(theirs.result()), rtol=1e-5, atol=1e-6)
    ours.reset_state()
    theirs.reset_state()
    assert_allclose(float(ours(*batches[0])), float(theirs(*batches[0])), rtol=1e-5, atol=1e-6)


WEIGHTS = np.array([0.0, 2.0, 1.0])


@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_mean_and_sum(name):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    assert float(ours.result()) == float(theirs.result()) == 0
    assert ours.name == theirs.name or theirs.name.startswith(ours.name)
    assert_alike(ours, theirs, ([1.0, 3.0, 5.0],), ([1, 3, 8], WEIGHTS), (2.0,), (np.arange(6.0).reshape(3, 2), WEIGHTS),
                 (np.arange(6.0).reshape(3, 2),))


HITS = (np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.6, 0.2]))
COLUMNS = tuple(each[:, None] for each in HITS)         # Keras takes no weights for the mean of a vector
IDS = (np.array([1, 0, 2]), np.eye(3, dtype="float32") * 0.5 + 0.2)


@pytest.mark.every(4)
@pytest.mark.parametrize(("name", "batch"), [
    ("Accuracy", (np.array([1.0, 2, 3]), np.array([1.0, 0, 3]))), ("BinaryAccuracy", HITS), ("Precision", HITS),
    ("Recall", HITS), ("AUC", HITS), ("SparseCategoricalAccuracy", IDS), ("MeanSquaredError", COLUMNS),
    ("RootMeanSquaredError", HITS), ("BinaryCrossentropy", COLUMNS),
    ("R2Score", COLUMNS), ("FalsePositives", HITS),
])
def test_metric_objects_by_themselves(name, batch):
    first, second = batch, tuple(each[::-1] for each in batch)
    weighted = (*batch, WEIGHTS)
    assert_alike(getattr(metrics, name)(), getattr(keras.metrics, name)(), first, second, weighted)


def test_a_wrapper_by_itself():
    fn = lambda y, y_hat, power: np.abs(y - y_hat) ** power if isinstance(y, np.ndarray) else K.pow(K.abs(y - y_hat), power)
    assert_alike(metrics.MeanMetricWrapper(fn, name="it", power=2), keras.metrics.MeanMetricWrapper(fn, name="it", power=2),
                 (Y, Y + 1), (Y, Y * 2, np.linspace(0, 1, 37)))


def test_a_metric_of_ones_own_by_itself():
    with jax.numpy_dtype_promotion("standard"):
        for make in CLASSES:
            assert_alike(make(jaxseq, Ours)(), make(keras, keras.ops)(), (Y, Y + 1), (Y, Y * 2))


def test_every_metric_is_one():
    assert all(issubclass(each, Metric) for each in CLASSES_OF_OURS.values())
    assert isinstance(metrics.AUC(), metrics.Metric)
    accuracy = metrics.Accuracy()
    accuracy.update_state([1.0], [1.0])
    assert accuracy == metrics.Accuracy() and hash(accuracy) == hash(metrics.Accuracy())
    assert metrics.Mean.from_config(metrics.Mean("a").get_config()).name == "a" and repr(metrics.Sum()) == "Sum(name='sum')"


# ---- errors


class Bad(Metric):
    def __init__(self, how="number", **kwargs):
        super().__init__(**kwargs)
        self.how, self.total = how, self.add_variable((), name="total")

    def update_state(self, y_true, y_pred):
        self.total.assign(y_pred if self.how == "shape" else K.mean(y_pred))

    def result(self):
        return {"a": 1} if self.how == "dict" else self.total


class Early(Metric):
    def __init__(self):
        self.total = self.add_variable(())

    def update_state(self, y_true, y_pred):
        """Nothing is measured."""

    def result(self):
        return self.total


def holding(inner):
    metric = Bad()
    metric.inner = inner
    return metric


@pytest.mark.parametrize(("run", "kind", "message"), [
    (lambda: metrics.get(Bad("dict")), TypeError, "Bad.result gave dict: give one number, or an array."),
    (lambda: metrics.get(holding([metrics.Accuracy()])), TypeError, "Bad holds [Accuracy(name='accuracy')]: within a metric "
     "there may be metrics in Keras's way. Name the other in compile beside this one."),
    *[(lambda each=each: metrics.get(each), TypeError, f"{name} takes (values, sample_weight), and a model measures targets "
       "and predictions. Write MeanMetricWrapper(function) with a function (y_true, y_pred), or a class of your own that holds "
       f"{name}().") for name, each in {"Mean": {"class_name": "Mean", "config": {}}, "Sum": metrics.Sum}.items()],
    (lambda: Early(), RuntimeError, "Early adds a variable before super().__init__(name=name): call that first."),
    (lambda: Bad(dtype="float16"), ValueError, "Bad(dtype='float16'): losses and metrics are measured in float32, "
     "whatever layers compute in. Leave dtype out."),
    (lambda: jax.jit(metrics.Accuracy().update_state)(Y, Y), RuntimeError, "Accuracy keeps what it is given, so it cannot be "
     "used within a program. Give it to compile(metrics=[Accuracy()])."),
    (lambda: jax.jit(lambda y: Bad()(y, y))(Y), RuntimeError, "Bad keeps what it is given, so it cannot be used within a "
     "program. Give it to compile(metrics=[Bad()])."),
    (lambda: metrics.MeanIoU(3).metric() and metrics.F1Score().result(), RuntimeError, "F1Score.result(): call "
     "update_state(y_true, y_pred) first."),
])
def test_errors_in_full(run, kind, message):
    with pytest.raises(kind, match=rf"^{re.escape(message)}(\n|$)"):
        run()


def test_what_goes_wrong_in_a_step_leaves_the_model_as_it_was():
    model = jaxseq.Sequential([Dense(2, input_shape=(3,))], seed=0)
    model.compile("sgd", "mse", metrics=[Bad("shape")])
    before = model.fingerprint()
    with pytest.raises(ValueError, match=re.escape("total.assign: the variable has shape (), got (32, 2).")):
        model.fit(X, Y, verbose=0)
    assert model.fingerprint() == before


def test_a_mask_that_cannot_reach_a_metric_is_refused():
    model = jaxseq.Sequential([Input((4, 3)), Masking(), TimeDistributed(Dense(2))])
    model.compile("sgd", "mse", metrics=[Bad()])
    x = np.ones((5, 4, 3), "float32")
    message = ("Bad.update_state takes no sample_weight, so the mask of the time steps cannot reach it. Write "
               "update_state(self, y_true, y_pred, sample_weight=None).")
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(x, np.ones((5, 4, 2)), verbose=0)
