"""What docs/differences.md says of classes of one's own, shown against the installed Keras."""

import keras
import numpy as np
import pytest
from differing import PAGE, X, Y, compiled, stacked

import jaxseq
from jaxseq import backend as K

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), pytest.mark.usefixtures("quickly_compiled")]


def told(what):
    assert any(line.startswith(f"| {what} |") for line in PAGE.splitlines()), what


def doubled(k):
    class Doubled(k.layers.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

    return Doubled


def test_an_attribute_set_later():
    told("an attribute of an own layer, set when it stands in a model")
    theirs, ours = doubled(keras)(), doubled(jaxseq)()
    models = stacked(keras, theirs), stacked(jaxseq, ours)
    models[0].predict(X, verbose=0)
    theirs.factor = 3.0
    np.testing.assert_allclose(models[0].predict(X, verbose=0), 2 * X)
    with pytest.raises(AttributeError, match="cannot be changed any more"):
        ours.factor = 3.0


def test_calling_a_layer_outside_of_a_model():
    told("calling an own layer outside of a model")
    assert np.asarray(doubled(keras)()(X)).shape == X.shape
    with pytest.raises(TypeError, match="is called within a model"):
        doubled(jaxseq)()(X)


def test_several_outputs():
    told("an own layer with several outputs")

    def two(k):
        class Two(k.layers.Layer):
            def call(self, x):
                return x, x
        return Two()

    assert len(two(keras)(X)) == 2
    with pytest.raises(TypeError, match="has one output"):
        stacked(jaxseq, two(jaxseq))


def test_a_part_that_is_to_draw_in_evaluation():
    told("`self.drop(x, training=True)` in `call`")

    def dropping(k):
        class Dropping(k.layers.Layer):
            def __init__(self):
                super().__init__()
                self.drop = k.layers.Dropout(0.5)

            def call(self, x):
                return self.drop(x, training=True)
        return Dropping()

    assert (stacked(keras, dropping(keras)).predict(X, verbose=0) == 0).any()
    with pytest.raises(ValueError, match="is called with training=True in evaluation"):
        stacked(jaxseq, dropping(jaxseq))


def test_a_loss_that_is_added_at_some_calls():
    told("`add_loss` in `call` at some calls alone, as under a mask")

    def adding(k):
        class Adding(k.layers.Layer):
            def call(self, x, mask=None):
                if mask is not None:
                    self.add_loss(x[0, 0, 0])
                return x * 1.0
        return Adding()

    x = np.ones((4, 3, 2), "float32")
    evaluated = lambda k: compiled(k, k.layers.Masking(), adding(k), shape=(3, 2)).evaluate(x, x, verbose=0)
    assert evaluated(keras) == 1
    with pytest.raises(ValueError, match="adds to the loss here"):
        evaluated(jaxseq)


def test_a_metric_that_call_updates():
    told("a metric object that `call` updates")

    def counting(k):
        class Counting(k.layers.Layer):
            def __init__(self):
                super().__init__()
                self.seen = k.metrics.Sum()

            def call(self, x):
                self.seen.update_state(x)
                return x * 1.0
        return Counting()

    layer = counting(keras)
    layer(np.ones((2, 3), "float32"))
    assert float(layer.seen.result()) == 6
    with pytest.raises(RuntimeError, match="count"):
        stacked(jaxseq, counting(jaxseq))


def test_a_part_that_is_frozen_by_itself():
    told("a frozen layer within an own layer that is trained")

    def holding(k):
        class Holding(k.layers.Layer):
            def __init__(self):
                super().__init__()
                self.dense = k.layers.Dense(2, trainable=False)

            def call(self, x):
                return self.dense(x)
        return Holding()

    assert stacked(keras, holding(keras)).trainable_weights == []
    with pytest.raises(ValueError, match="trained or frozen with it"):
        stacked(jaxseq, holding(jaxseq))


def test_a_metric_object_after_fit():
    told("an own metric's object after `fit`")

    def count(k):
        class Count(k.metrics.Metric):
            def __init__(self):
                super().__init__(name="count")
                self.n = self.add_variable(shape=(), initializer="zeros", name="n")

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.n.assign(self.n + 1.0)

            def result(self):
                return self.n.value
        return Count()

    for k, after in (keras, 2.0), (jaxseq, 0.0):
        metric = count(k)
        history = compiled(k, measured=[metric]).fit(X, Y, batch_size=20, verbose=0).history
        assert history["count"] == [2.0]
        assert float(metric.result()) == after


def test_what_call_stores_and_what_it_assigns_to_a_trainable_weight():
    told("what `build` and `call` store on `self`")
    told("`assign` to a trainable weight in `call`")

    def storing(k, assigns):
        class Storing(k.layers.Layer):
            def build(self, input_shape):
                self.w = self.add_weight(shape=(), initializer="ones", name="w")

            def call(self, x):
                self.seen = x.shape
                if assigns:
                    self.w.assign(self.w * 2.0)
                return x * self.w
        return Storing()

    layer = storing(keras, True)
    model = compiled(keras, layer, optimizer=keras.optimizers.SGD(0.0))
    model.fit(X, X, verbose=0)
    assert layer.seen is not None and layer.get_weights()[0] == 1
    layer = storing(jaxseq, False)
    stacked(jaxseq, layer).predict(X)
    assert not hasattr(layer, "seen")
    with pytest.raises(AttributeError, match="assign"):
        stacked(jaxseq, storing(jaxseq, True))


def test_dtypes():
    told("`dtype` of an own metric")
    assert keras.metrics.Mean(dtype="float16").dtype == "float16"
    with pytest.raises(ValueError, match="metrics are measured in float32"):
        jaxseq.metrics.Mean(dtype="float16")


def test_a_metric_without_sample_weight():
    told("an own metric whose `update_state` takes no `sample_weight`")

    def counting(k):
        class Counting(k.metrics.Metric):
            def __init__(self):
                super().__init__(name="counting")
                self.n = self.add_variable(shape=(), initializer="zeros", name="n")

            def update_state(self, y_true, y_pred):
                self.n.assign(self.n + 1.0)

            def result(self):
                return self.n.value
        return Counting()

    with pytest.raises(TypeError, match="sample_weight"):
        compiled(keras, measured=[counting(keras)]).evaluate(X, Y, verbose=0)
    assert compiled(jaxseq, measured=[counting(jaxseq)]).evaluate(X, Y, 20, verbose=0)[1] == 2
    rows = jaxseq.layers.Masking(), jaxseq.layers.LSTM(2, return_sequences=True)
    masked = compiled(jaxseq, *rows, shape=(5, 3), measured=[counting(jaxseq)])
    with pytest.raises(ValueError, match="takes no sample_weight"):
        masked.evaluate(np.ones((4, 5, 3)), np.ones((4, 5, 2)), verbose=0)


def test_results_of_no_rows_and_metrics_within_metrics():
    told("a metric object's result of no rows")
    told("a built-in metric as a part of an own one")
    assert float(keras.metrics.Accuracy().result()) == 0 and np.isnan(jaxseq.metrics.Accuracy().result())
    assert float(jaxseq.metrics.Mean().result()) == 0

    def holding(k):
        class Holding(k.metrics.Metric):
            def __init__(self):
                super().__init__(name="holding")
                self.inner = k.metrics.Accuracy()

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.inner.update_state(y_true, y_pred)

            def result(self):
                return self.inner.result()
        return Holding()

    assert compiled(keras, measured=[holding(keras)]).evaluate(X, Y, verbose=0)[1] >= 0
    with pytest.raises(TypeError, match="within a metric"):
        compiled(jaxseq, measured=[holding(jaxseq)])


def test_weights_of_a_layer():
    told("`weights=[...]` in a layer")
    with pytest.raises(ValueError, match="weights"):
        keras.layers.Dense(2, weights=[np.ones((6, 2)), np.ones(2)])
    model = stacked(jaxseq, jaxseq.layers.Dense(2, weights=[np.ones((6, 2)), np.ones(2)]))
    np.testing.assert_array_equal(model.get_weights()[0], np.ones((6, 2)))


def test_spectral_normalization_in_evaluation():
    told("`SpectralNormalization` in evaluation")
    for k, normalized in (keras, False), (jaxseq, True):
        model = stacked(k, k.layers.SpectralNormalization(k.layers.Dense(1, use_bias=False, kernel_initializer="ones")))
        y = model.predict(X, verbose=0)
        np.testing.assert_allclose(y, X.sum(1, keepdims=True) / (np.sqrt(6) if normalized else 1), rtol=1e-4, atol=1e-5)


def test_order_of_the_weights_of_spectral_normalization():
    told("`get_weights()` of `SpectralNormalization`")
    for k, shapes in (keras, [(6, 2), (1, 2), (2,)]), (jaxseq, [(6, 2), (2,), (1, 2)]):
        model = stacked(k, k.layers.SpectralNormalization(k.layers.Dense(2)))
        assert [each.shape for each in model.get_weights()] == shapes


def test_in_train_phase_and_update():
    told("`K.update`, `K.in_train_phase`")
    assert not hasattr(keras.ops, "update") and not hasattr(keras.ops, "in_train_phase")
    assert K.in_train_phase(1, 0, training=True) == 1 and K.in_test_phase(1, lambda: 0, training=True) == 0
    with pytest.raises(RuntimeError):
        K.in_train_phase(1, 0)
