"""dtype= of models: weights, losses and predictions beside Keras's, loss scaling within fit, float64 from end to end."""

import dataclasses
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import keras
import ml_dtypes
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq import config, mixed_precision
from jaxseq.api import columns, data as feeds
from jaxseq.layers import LSTM, BatchNormalization, Bidirectional, Dense, Embedding, Rescaling
from jaxseq.mixed_precision import DTypePolicy, LossScaleOptimizer, Policy
from jaxseq.models import Sequential, clone_model, model_from_json
from jaxseq.optimizers import SGD, Adam

pytestmark = pytest.mark.usefixtures("quickly_compiled")

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(32, 6)).astype("float32")
Y = (X @ DRAW.normal(size=(6, 2)) / 3).astype("float32")
LABELS = DRAW.integers(3, size=32)


def dtypes(tree):
    return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


# ---- where a dtype is written


def test_the_models_dtype_is_the_default_of_its_layers():
    model = Sequential([Dense(4, input_shape=(6,)), Dense(3, dtype="float32")], dtype="mixed_bfloat16")
    first, last = model.layers
    assert (first.dtype, first.compute_dtype, first.variable_dtype) == (None, "bfloat16", "float32")
    assert (last.dtype, last.compute_dtype, last.variable_dtype) == ("float32", "float32", "float32")
    assert first.dtype_policy == model.dtype_policy == DTypePolicy("mixed_bfloat16")
    assert (model.dtype, model.compute_dtype, model.variable_dtype) == ("mixed_bfloat16", "bfloat16", "float32")
    assert dtypes(model.params) == {"float32"}
    assert model.predict(X).dtype == np.float32
    assert model(X).dtype == jnp.float32
    model.pop()
    assert model.predict(X).dtype == ml_dtypes.bfloat16 and model.predict(X[:0]).dtype == ml_dtypes.bfloat16


def test_a_model_without_a_dtype_hands_on_its_own_layers():
    model = Sequential([Dense(4, input_shape=(6,)), Dense(3)])
    assert model.dtype is None and model.dtype_policy == Policy("float32")
    assert model._architecture.typed is model._architecture.layers
    assert {layer.dtype_policy for layer in [*model.layers, Dense(3)]} == {Policy("float32")}


def test_one_layers_dtype_makes_the_others_float32():
    model = Sequential([Dense(4, dtype="mixed_bfloat16"), Dense(3)], seed=0)
    assert model.predict(X).dtype == np.float32
    same = Sequential([Dense(4, dtype="mixed_bfloat16"), Dense(3, dtype="float32")], seed=0)
    assert_array_equal(model.predict(X), same.predict(X))


def test_it_is_written_down_where_it_was_written():
    model = Sequential([Embedding(5, 3), Bidirectional(LSTM(2)), Dense(3, dtype=Policy("float32"))], dtype="mixed_bfloat16")
    told = model.get_config()
    assert told["dtype"] == "mixed_bfloat16"
    assert [each["config"].get("dtype") for each in told["layers"]] == [None, None, None, "float32"]
    assert "dtype" not in Sequential([Dense(1)]).get_config()
    for again in Sequential.from_config(told), model_from_json(model.to_json()), clone_model(model):
        assert again.dtype == again.get_config()["dtype"] == "mixed_bfloat16" and again.layers == model.layers
    assert "dtype='float32'" in repr(model.layers[-1])
    assert dataclasses.replace(model.layers[-1], dtype=None) != model.layers[-1]


def test_the_summary_counts_bytes():
    lines = []
    Sequential([Dense(256, input_shape=(3,))], dtype="bfloat16").summary(print_fn=lines.append)
    assert any("1,024 (2.0 KiB)" in line for line in lines)


@pytest.mark.parametrize(("function", "line"), [
    (config.set_dtype_policy, "set_dtype_policy('mixed_bfloat16')"),
    (mixed_precision.set_global_policy, "set_global_policy('mixed_bfloat16')")])
def test_there_is_no_dtype_for_the_whole_program(function, line, refuses):
    function("float32")
    assert mixed_precision.global_policy() == config.dtype_policy() == DTypePolicy("float32")
    for given in "mixed_bfloat16", Policy("mixed_bfloat16"):
        with refuses(f"{line}: jaxseq has no dtype for the whole program. Write Sequential([...], dtype='mixed_bfloat16'), or "
                     "dtype='mixed_bfloat16' in a layer."):
            function(given)


# ---- beside Keras


def twins(k, dtype):
    """The same six kinds of layers in either library, softmax in float32."""
    all_ = k.layers
    rows = [all_.Conv2D(4, 3, activation="relu"), all_.BatchNormalization(), all_.Flatten(), all_.Dense(8, activation="tanh"),
            all_.LayerNormalization(), all_.Dense(3, activation="softmax", dtype="float32")]
    if k is keras:
        rows = [type(row).from_config(row.get_config() | {"dtype": dtype}) for row in rows[:-1]] + rows[-1:]
        return keras.Sequential([keras.Input((6, 6, 2)), *rows])
    return jaxseq.Sequential([jaxseq.Input((6, 6, 2)), *rows], seed=0, dtype=dtype)


def sequences(k, dtype):
    rows = [k.layers.Embedding(12, 5), k.layers.LSTM(6), k.layers.Dense(3, activation="softmax", dtype="float32")]
    if k is keras:
        rows = [type(row).from_config(row.get_config() | {"dtype": dtype}) for row in rows[:-1]] + rows[-1:]
        return keras.Sequential([keras.Input((7,)), *rows])
    return jaxseq.Sequential([jaxseq.Input((7,), dtype="int32"), *rows], seed=0, dtype=dtype)


KINDS = {"images": (twins, DRAW.normal(size=(32, 6, 6, 2)).astype("float32")),
         "sequences": (sequences, DRAW.integers(12, size=(32, 7)).astype("int32"))}


def travelled(model, start):
    return [np.abs(new - old).max() for new, old in zip(model.get_weights(), start, strict=True)]


@pytest.mark.every(3)
@pytest.mark.parametrize(("kind", "dtype", "share"), [
    ("images", "mixed_bfloat16", 0.05), pytest.param("images", "mixed_float16", 0.01, marks=pytest.mark.full),
    pytest.param("sequences", "mixed_bfloat16", 0.05, marks=pytest.mark.full), ("sequences", "mixed_float16", 0.01)])
def test_twenty_steps_beside_keras(kind, dtype, share):
    """Both round to 8 (11) binary digits at the same places but not in the same order of sums, so a gradient may differ by
    some 2^-8 (2^-11) of its size at each layer: weights are held to a share of the way they have come."""
    make, x = KINDS[kind]
    model, theirs = make(jaxseq, dtype), make(keras, dtype)
    start = model.get_weights()
    theirs.set_weights(start)
    assert_allclose(model.predict(x), theirs.predict(x, verbose=0), atol=2.0**-6 if "bf" in dtype else 2.0**-9)
    model.compile(SGD(0.05), "sparse_categorical_crossentropy")
    theirs.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    scaled = dtype == "mixed_float16"
    if scaled:                                          # Keras asks the model's policy, which is not its layers'
        theirs.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05)), "sparse_categorical_crossentropy")
    assert isinstance(model.optimizer, LossScaleOptimizer) == scaled
    words = {"batch_size": 16, "epochs": 10, "shuffle": False, "verbose": 0}
    losses = model.fit(x, LABELS, **words).history["loss"]
    assert_allclose(losses, theirs.fit(x, LABELS, **words).history["loss"], rtol=share)
    assert losses[-1] < losses[0]
    for ours, their, way in zip(model.get_weights(), theirs.get_weights(), travelled(model, start), strict=True):
        assert way > 0
        assert_allclose(ours, their, rtol=0, atol=share * way + 1e-6)


# ---- losses, metrics, statistics


def test_loss_and_metrics_of_a_bfloat16_model_are_float32():
    model = Sequential([Dense(2, input_shape=(6,))], dtype="mixed_bfloat16", seed=0)
    model.compile("sgd", "mse", metrics=["mae"])
    loss, mae = model.evaluate(X, Y, verbose=0)
    y_hat = model.predict(X).astype("float64")
    assert_allclose([loss, mae], [np.square(Y - y_hat).mean(), np.abs(Y - y_hat).mean()], rtol=1e-6)


def test_penalties_of_a_bfloat16_model_are_float32():
    row = Dense(2, input_shape=(6,), kernel_regularizer="l2", activity_regularizer="l1")
    model = Sequential([row], dtype="mixed_bfloat16", seed=0)
    model.compile("sgd", "mse")
    y_hat, kernel = model.predict(X).astype("float64"), model.get_weights()[0].astype("float64")
    wanted = np.square(Y - y_hat).mean() + 0.01 * np.square(kernel).sum() + 0.01 * np.abs(y_hat).sum() / 32
    assert_allclose(model.evaluate(X, Y, verbose=0), wanted, rtol=1e-5)


def test_moving_statistics_move_in_bfloat16_too():
    model = Sequential([BatchNormalization(input_shape=(6,)), Dense(2)], dtype="bfloat16", seed=0)
    model.compile("sgd", "mse")
    model.fit(X + 3, Y, epochs=20, batch_size=32, verbose=0)
    assert dtypes(model.params) == {"bfloat16"} and dtypes(model.state) == {"float32"}
    assert_allclose(model.get_weights()[2], (1 - 0.99**20) * (X + 3).mean(0), rtol=1e-3)


def test_weights_can_be_set_and_frozen_and_more_layers_added():
    model = Sequential([Dense(4, input_shape=(6,))], dtype="bfloat16", seed=0)
    model.set_weights([np.ones((6, 4)), np.zeros(4)])
    assert dtypes(model.params) == {"bfloat16"}
    model.compile("adam", "mse")
    model.layers[0].trainable = False
    model.add(Dense(2, dtype="mixed_bfloat16"))
    model.fit(X, Y, verbose=0)
    assert_array_equal(model.get_weights()[0], np.ones((6, 4), ml_dtypes.bfloat16))
    assert [each.dtype.name for each in model.get_weights()] == ["bfloat16", "bfloat16", "float32", "float32"]


# ---- loss scaling in fit


def small(dtype, last="float32", optimizer="sgd", **how):
    model = Sequential([Dense(4, activation="tanh", input_shape=(6,)), Dense(2, dtype=last)], dtype=dtype, seed=0)
    model.compile(optimizer, "mse", **how)
    return model


@pytest.mark.parametrize(("dtype", "last", "how", "scaled"), [
    ("mixed_float16", None, {}, True), ("float16", None, {}, True), (None, "mixed_float16", {}, True),
    ("mixed_float16", None, {"auto_scale_loss": False}, False), ("mixed_bfloat16", None, {}, False), (None, None, {}, False)])
def test_the_loss_is_scaled_where_float16_is_computed_in(dtype, last, how, scaled):
    model = small(dtype, last, **how)
    assert isinstance(model.optimizer, LossScaleOptimizer) == scaled
    own = LossScaleOptimizer(SGD(), initial_scale=2.0)
    assert small(dtype, last, own, **how).optimizer == own


def test_the_reported_loss_is_not_scaled():
    """And the step is that without a scale, where nothing overflows: a power of two changes no digit."""
    scaled, plain = small("mixed_float16"), small("mixed_float16", auto_scale_loss=False)
    assert_allclose(scaled.evaluate(X, Y, verbose=0), plain.evaluate(X, Y, verbose=0), rtol=1e-6)
    one, other = (model.train_on_batch(X, Y) for model in (scaled, plain))
    assert_allclose(one, other, rtol=1e-6)
    for mine, their in zip(scaled.get_weights(), plain.get_weights(), strict=True):
        assert_allclose(mine, their, atol=1e-5)
    assert scaled.learning_rate == plain.learning_rate == pytest.approx(0.01)


def test_small_gradients_survive_in_float16():
    """The gradient by y is 2e-9 or so, nothing in float16."""
    tiny = lambda y, y_hat: jnp.mean(jnp.square(y - y_hat), axis=-1) * 1e-8
    moved = []
    for how in {}, {"auto_scale_loss": False}:
        model = Sequential([Dense(2, input_shape=(6,))], dtype="mixed_float16", seed=0)
        model.compile(SGD(1e6), tiny, **how)
        before = model.get_weights()[0]
        model.fit(X, Y, verbose=0)
        moved.append(np.abs(model.get_weights()[0] - before).max())
    assert moved[0] > 1e-3 and moved[1] == 0


def test_a_step_that_overflows_is_left_out_and_the_next_is_made():
    model = Sequential([Dense(2, input_shape=(6,), kernel_constraint="non_neg")], dtype="mixed_float16", seed=0)
    model.compile(LossScaleOptimizer(Adam(), initial_scale=2.0**20, dynamic_growth_steps=2), "mse")
    before = model.get_weights()
    assert model.train_on_batch(X, Y) == pytest.approx(model.evaluate(X, Y, verbose=0))
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)                    # the constraint has not come to pass either
    state = model.train_state.opt_state
    assert float(state.scale) == 2.0**19 and int(state.inner.step) == 0 and int(model.train_state.step) == 1
    model.fit(X, Y, epochs=12, verbose=0)
    state = model.train_state.opt_state
    assert 0 < int(state.inner.step) < 12 and model.get_weights()[0].min() >= 0 and (before[0] < 0).any()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_the_average_of_the_weights_is_taken_behind_the_scale():
    model = small("mixed_float16", optimizer=SGD(0.1, use_ema=True))
    model.fit(X, Y, verbose=0, epochs=3)
    average = model.train_state.opt_state.inner.average
    assert_array_equal(model.get_weights()[0], average["dense"]["kernel"])


# ---- float64


FLOAT64 = """
    import jax
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    import numpy as np
    from numpy.testing import assert_allclose
    import jaxseq
    from jaxseq.layers import *
    from jaxseq.optimizers import *

    draw = np.random.default_rng(0)
    x, y, weight = draw.normal(size=(10, 3)) + 1e-9, draw.normal(size=(10, 2)), draw.random(10)
    model = jaxseq.Sequential([Dense(4, activation="tanh", kernel_regularizer="l2"), Dense(2)], dtype="float64", seed=0)
    model.compile(Adam(0.1), "mse", metrics=["mae"])
    model.build((None, 3))
    W, b, V, c = model.get_weights()
    assert {each.dtype.name for each in (W, b, V, c)} == {"float64"}
    moments = [(0, 0)] * 4
    for t in range(1, 4):
        h = np.tanh(x @ W + b)
        y_hat = h @ V + c
        loss = (np.square(y_hat - y).mean(1) * weight).mean() + 0.01 * np.square(W).sum()
        d = (y_hat - y) * weight[:, None] / 10
        dz = d @ V.T * (1 - h**2)
        gradients = x.T @ dz + 0.02 * W, dz.sum(0), h.T @ d, d.sum(0)
        told = model.train_on_batch(x, y, sample_weight=weight, return_dict=True)
        assert_allclose([told["loss"], told["mae"]], [loss, np.abs(y_hat - y).mean()], rtol=1e-12)
        moments = [(0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2) for (m, v), g in zip(moments, gradients)]
        root = np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        W, b, V, c = (w - 0.1 * m * root / (np.sqrt(v) + 1e-7) for w, (m, v) in zip((W, b, V, c), moments))
        for ours, numpys in zip(model.get_weights(), (W, b, V, c)):
            assert_allclose(ours, numpys, rtol=0, atol=1e-12)
    y_hat = np.tanh(x @ W + b) @ V + c
    assert model.predict(x).dtype == np.float64
    assert_allclose(model.predict(x), y_hat, atol=1e-12)
    loss, mae = model.evaluate(x, y, verbose=0, batch_size=4)
    assert_allclose(loss, np.square(y_hat - y).mean() + 0.01 * np.square(W).sum(), rtol=1e-12)
    assert_allclose(mae, np.abs(y_hat - y).mean(), rtol=1e-12)
    model.set_weights([W, b, V, c])
    assert (model.get_weights()[0] == W).all()
    model.fit(x, y, epochs=2, class_weight=None, validation_split=0.3, verbose=0)

    labels = draw.integers(3, size=10)
    for optimizer in SGD(0.1, momentum=0.9, clipnorm=1.0), RMSprop(), Nadam(), Adamax(), Ftrl(), Lion(), Adadelta(use_ema=True):
        model = jaxseq.Sequential([Embedding(9, 4, batch_input_shape=(5, 6)), LSTM(3, stateful=True, dropout=0.1),
                                   BatchNormalization(), Dense(3, activation="softmax", activity_regularizer="l2")],
                                  dtype="float64", seed=0)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(draw.integers(9, size=(10, 6)), labels, batch_size=5, class_weight={0: 1.1, 1: 1.2, 2: 1.3}, verbose=0)
        assert {leaf.dtype.name for leaf in jax.tree.leaves((model.params, model.state))} == {"float64"}

    plain = jaxseq.Sequential([Dense(2, input_shape=(3,))])
    plain.compile("adam", "mse")
    plain.fit(x, y, verbose=0)
    assert plain.predict(x).dtype == np.float32
    print("as it should be")
"""


@pytest.mark.full
def test_float64_from_end_to_end():
    """Three steps of Adam beside NumPy's own, to 1e-12: any number that was float32 on its way would show at 1e-8."""
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(FLOAT64)], capture_output=True, text=True, check=False)
    assert ran.stdout.endswith("as it should be\n"), ran.stderr[-3000:]


def test_float64_is_refused_where_jax_has_none(refuses):
    with refuses("dtype='float64' needs JAX's 64-bit numbers: write jax.config.update('jax_enable_x64', True) first."):
        Sequential([Dense(2)], dtype="float64")


# ---- data travel as they are


WHOLE = np.arange(32 * 6).reshape(32, 6) % 100
TRAVEL = {"uint8": "uint8", "int8": "int8", "uint16": "uint16", "int64": "int32", "bool": "bool", "float16": "float16",
          "bfloat16": "bfloat16", "float64": "float32"}
NUMPY = {"bfloat16": ml_dtypes.bfloat16}


@pytest.fixture
def sent(monkeypatch):
    """Every slab that goes to the device, as (dtype, bytes for each row) of x."""
    seen, put = [], jax.device_put

    def noted(tree, *where):
        if isinstance(tree, feeds.Batch):
            seen.append((tree.x.dtype.name, tree.x.nbytes // len(tree.x)))
        return put(tree, *where)

    monkeypatch.setattr(feeds.jax, "device_put", noted)
    return seen


@pytest.mark.parametrize("given", TRAVEL)
@pytest.mark.parametrize("resident", [0, 2**26])
def test_data_are_sent_as_they_are(given, resident, sent, monkeypatch):
    monkeypatch.setattr(feeds, "resident_bytes", lambda: resident)
    x = columns.column("x", WHOLE.astype(NUMPY.get(given, given)))
    assert x.dtype.name == TRAVEL[given]
    for feed in feeds.training_feed(x, Y, None, 8), feeds.evaluation_feed(x, Y, None, 8, False):
        assert [segment.slab.x.dtype.name for segment in feed.one_pass()] == [TRAVEL[given]]
    assert sent == [(TRAVEL[given], 6 * np.dtype(NUMPY.get(TRAVEL[given], TRAVEL[given])).itemsize)] * 2


def test_bytes_are_cast_within_the_step():
    """A model that is given bytes, and one that is given the same numbers in float32, are one and the same after."""
    models = [Sequential([Rescaling(1 / 64, input_shape=(6,)), Dense(2)], seed=0, dtype="mixed_bfloat16") for _ in range(2)]
    for model, x in zip(models, (WHOLE.astype("uint8"), WHOLE.astype("float32")), strict=True):
        model.compile("sgd", "mse")
        model.fit(x, Y, verbose=0)
    assert models[0].fingerprint() == models[1].fingerprint()
    assert_array_equal(models[0].predict(WHOLE.astype("uint8")), models[0].predict(WHOLE.astype("float32")))


class Frame:
    """A table of another library: it knows how to become an array, and no more."""

    def __init__(self, values):
        self._values = values

    def to_numpy(self):
        return self._values

    def __len__(self):
        return len(self._values)

    def __iter__(self):                     # over its columns, as a DataFrame
        return iter(self._values.T)


def test_tables_of_other_libraries():
    models = [small(None, None) for _ in range(2)]
    models[0].fit(X, Y[:, :2], verbose=0, sample_weight=np.ones(32))
    models[1].fit(Frame(X.astype(float)), Frame(Y[:, :2]), verbose=0, sample_weight=Frame(np.ones(32)))
    assert models[0].fingerprint() == models[1].fingerprint()
    assert_array_equal(models[0].predict(X), models[0].predict(Frame(X)))
