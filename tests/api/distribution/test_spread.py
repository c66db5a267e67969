"""Training over 1, 2, 4 and 8 devices is the training of one: the same draws to the bit, the same numbers within rounding."""

import copy
import pickle
import re
from functools import cache
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from shares import always

from jaxseq import Ensemble, Sequential, distribution, layers as L, optimizers
from jaxseq.api.dealing import dealt_to_train
from jaxseq.core.kernels.recurrence import project_steps
from jaxseq.core.types import Batch
from jaxseq.distribution import DataParallel, DeviceMesh, FullySharded, LayoutMap, ModelParallel
from jaxseq.models import load_model
from jaxseq.utils import Sequence

ROWS, BATCH = 107, 30           # neither is a multiple of 2, 4 or 8, and the last batch has 17 rows
CLASSES = np.random.default_rng(1).integers(0, 5, ROWS)


def rows(*shape):
    return np.random.default_rng(0).normal(size=(ROWS, *shape)).astype(np.float32)


def on(devices, kind=DataParallel):
    return kind(devices=distribution.list_devices()[:devices])


def model_parallel():
    layouts = LayoutMap(DeviceMesh((2, 4), ("batch", "model")))
    layouts["dense/kernel|dense_2/kernel"] = None, "model"
    layouts["dense/bias"] = ("model",)
    layouts["dense_1/kernel"] = "model", None
    return ModelParallel(layout_map=layouts)


def perceptron():
    return [L.Input((20,)), L.Dense(64, activation="relu"), L.Dropout(0.5), L.Dense(64, activation="relu"),
            L.GaussianNoise(0.1), L.Dense(8, activation="relu"), L.Dense(5, activation="softmax")], optimizers.Adam(1e-2)


def convnet():
    """Without biases in front of a BatchNormalization: their gradients are zero but for the rounding."""
    return [L.Input((10, 10, 3)), L.RandomFlip("horizontal"), L.Conv2D(8, 3, use_bias=False), L.BatchNormalization(), L.ReLU(),
            L.MaxPooling2D(), L.Conv2D(16, 3, use_bias=False), L.BatchNormalization(), L.ReLU(), L.Flatten(),
            L.Dense(5, activation="softmax")], optimizers.SGD(0.05, momentum=0.9)


def recurrent():
    return [L.Input((6,)), L.Embedding(40, 8, mask_zero=True), L.LSTM(16, return_sequences=True, dropout=0.2), L.GRU(8),
            L.Dense(5, activation="softmax")], optimizers.RMSprop(1e-2)


MODELS = {"perceptron": (perceptron, rows(20)), "convnet": (convnet, rows(10, 10, 3)),
          "recurrent": (recurrent, np.random.default_rng(2).integers(0, 40, (ROWS, 6)))}
SPREADS = {"1": lambda: on(1), "2": lambda: on(2), "4": lambda: on(4), "8": lambda: on(8),
           "fully sharded": lambda: on(8, FullySharded),
           "sharded by hosts": lambda: FullySharded(DeviceMesh((2, 4), ("host", "device")))}


def compiled(name, spread):
    made, x = MODELS[name]
    layers, optimizer = made()
    model = Sequential(layers, seed=3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], distribution=spread)
    return model, x


def trained(name, spread):
    model, x = compiled(name, spread)
    history = model.fit(x, CLASSES, BATCH, epochs=3, verbose=0, validation_split=0.2)
    return model, {"weights": model.get_weights(), "history": history.history, "predicted": model.predict(x[:33]),
                   "measured": model.evaluate(x, CLASSES, batch_size=50, verbose=0, return_dict=True)}


@cache
def alone(name):
    return trained(name, None)[1]


QUICK = {("perceptron", "fully sharded")}


@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.parametrize("case", always(QUICK, product(MODELS, SPREADS)), ids="-".join)
def test_numbers_are_those_of_one_device(case):
    name, spread = case
    _, found = trained(name, SPREADS[spread]())
    jax.tree.map(lambda here, there: assert_allclose(here, there, rtol=1e-5, atol=1e-5), found, alone(name))


@pytest.mark.usefixtures("quickly_compiled")
def test_weights_cut_by_their_names_train_as_whole_ones():
    model, found = trained("perceptron", model_parallel())
    jax.tree.map(lambda here, there: assert_allclose(here, there, rtol=1e-5, atol=1e-5), found, alone("perceptron"))
    kernel, bias = model.train_state.params["dense_1"]["kernel"], model.train_state.params["dense_1"]["bias"]
    assert kernel.sharding.shard_shape(kernel.shape) == (16, 64) and bias.sharding.is_fully_replicated
    moments = [leaf for leaf in jax.tree.leaves(model.train_state.opt_state) if leaf.shape == (64, 64)]
    assert [leaf.sharding.shard_shape(leaf.shape) for leaf in moments] == [(16, 64)] * 2


def drawn(spread):
    """What Dropout, noise and augmentation made of ones, and the first weights behind them."""
    row = Sequential([L.Input((8, 8, 1)), L.RandomTranslation(0.3, 0.3), L.GaussianNoise(1.0), L.Dropout(0.5)], seed=5)
    x = np.arange(30 * 64, dtype=np.float32).reshape(30, 8, 8, 1)
    apply, state = row.functional().apply, row.train_state
    layout = spread.layout()

    def run(x):
        x = jax.lax.with_sharding_constraint(x, layout.by_rows)
        return apply(state.params, state.state, x, train=True, key=jax.random.key(7))[0]

    return np.asarray(jax.jit(run)(jax.device_put(x, layout.everywhere)))


@pytest.mark.parametrize("devices", [2, 4, 8])
def test_draws_are_those_of_one_device_to_the_bit(devices):
    assert_array_equal(drawn(on(devices)), drawn(on(1)))


@pytest.mark.every(3)
@pytest.mark.parametrize("name", MODELS)
def test_first_weights_and_the_order_of_rows_are_those_of_one_device(name):
    spread, _ = compiled(name, on(8))
    single, _ = compiled(name, None)
    assert spread.fingerprint() == single.fingerprint()


def test_each_device_keeps_its_part_of_weights_and_moments():
    model, _ = trained("perceptron", on(8, FullySharded))
    leaves = jax.tree.leaves((model.train_state.params, model.train_state.opt_state))
    whole = sum(leaf.nbytes for leaf in leaves)
    for device in jax.devices():
        own = sum(part.data.nbytes for leaf in leaves for part in leaf.addressable_shards if part.device == device)
        assert own <= whole / 7


def collectives(name, spread, size):
    """[(kind, dtype, elements)] of what the compiled training step sends between the devices, for batches of `size` rows."""
    model, x = compiled(name, spread)
    programs, layout = model.programs, spread.layout()
    slab = Batch(*(jax.device_put(column[None, :32], layout.dealt) for column in (x, CLASSES)))
    rows = np.arange(size, dtype=np.int32)[None]
    text = programs.train.lower(model.train_state, programs.zero, slab, rows, 0, 1).compile().as_text()
    sent = re.findall(r"= (.*?) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)\(", text)
    return [(kind, dtype, int(np.prod([int(each) for each in shape.split(",") if each])))
            for told, kind in sent for dtype, shape in re.findall(r"(\w+)\[([\d,]*)\]", told)]


@pytest.mark.parametrize("name", ["perceptron", "convnet"])
def test_gradients_are_added_up_and_nothing_else_is_sent(name):
    model, _ = compiled(name, None)
    sent = collectives(name, on(8), 32)
    weights = sum(size for kind, dtype, size in sent)
    assert {kind for kind, _, _ in sent} == {"all-reduce"}
    assert 0 <= weights - model.count_params() < 200                # beside them, loss, metrics and the moments of a batch


@pytest.mark.full
def test_a_batch_that_is_no_multiple_sends_its_labels_besides():
    assert [each for each in collectives("perceptron", on(8), 30) if each[0] != "all-reduce"] == [("all-gather", "s32", 32)]


@pytest.mark.full
def test_weights_that_are_cut_are_put_together_once_a_step():
    model, _ = compiled("perceptron", None)
    put_together = sum(size for kind, _, size in collectives("perceptron", on(8, FullySharded), 32) if kind == "all-gather")
    assert put_together == model.count_params() - 5                 # the last bias has no axis that eight devices divide


def test_the_steps_of_a_recurrence_are_cut_by_rows():
    """In the form for accelerators. On the CPU rows and steps are one axis, which cannot be cut by rows."""
    layout = on(8).layout()

    def loss(kernel, bias, x):
        return jnp.sum(jnp.tanh(project_steps(lax.with_sharding_constraint(x, layout.by_rows), kernel, bias)))

    x, kernel, bias = jnp.ones((32, 6, 4)), jnp.ones((4, 12)), jnp.ones(12)
    text = jax.jit(jax.grad(loss, (0, 1))).lower(*jax.device_put((kernel, bias, x), layout.everywhere)).compile().as_text()
    assert "all-reduce" in text and "all-gather" not in text


# ---- ways to give data


def fitted(fit, spread, **settings):
    model, x = compiled("perceptron", spread)
    fit(model, x, **settings)
    return model.get_weights()


@pytest.mark.full
@pytest.mark.parametrize("spread, parts, temporaries", [(DataParallel, 1, 2), (FullySharded, 8, 3)])
def test_a_step_takes_the_memory_that_is_written_of_it(spread, parts, temporaries):
    """In multiples of the weights, of a model that is little else: old and new ones with two moments, and temporaries."""
    model = Sequential([L.Dense(512, input_shape=(512,)), L.Dense(512), L.Dense(512)])
    model.compile("adam", "mse", distribution=spread())
    step = model.memory(64).programs["train"]
    weights = 4 * model.count_params()
    assert_allclose([step.arguments / weights, step.outputs / weights, step.temporaries / weights],
                    [3 / parts, 3 / parts, temporaries], atol=0.05)


def test_small_data_make_small_slabs():
    """Of whole batches, each filled up for the devices, and of one shape."""
    x = np.zeros((250, 16), np.float32)
    feed = dealt_to_train(on(8).layout(), x, x[:, :1], None, 30, True, True)
    assert [segment.slab.x.shape for segment in feed.one_pass()] == [(9, 32, 16)]


class Batches(Sequence):
    """Batches of 13 rows and a smaller last one."""

    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return -(-ROWS // 13)

    def __getitem__(self, number):
        part = slice(number * 13, (number + 1) * 13)
        return self.x[part], CLASSES[part]


WAYS = {
    "whole batches change places": lambda model, x: model.fit(x, CLASSES, BATCH, shuffle="batch", verbose=0),
    "weights of rows": lambda model, x: model.fit(x, CLASSES, BATCH, verbose=0, sample_weight=np.linspace(0, 2, ROWS)),
    "fewer rows than devices": lambda model, x: model.fit(x[:3], CLASSES[:3], BATCH, verbose=0),
    "one batch": lambda model, x: [model.train_on_batch(x[:11], CLASSES[:11]) for _ in range(3)],
    "sparse rows": lambda model, x: model.fit(sparse.csr_matrix(np.where(x > 0.5, x, 0)), CLASSES, BATCH, verbose=0),
    "arrays on a device": lambda model, x: model.fit(jnp.array(x), jnp.array(CLASSES), BATCH, verbose=0),
    "a Sequence": lambda model, x: model.fit(Batches(x), verbose=0, epochs=2, validation_data=Batches(x)),
    "a generator": lambda model, x: model.fit(((x[start:start + 9], CLASSES[start:start + 9]) for start in range(0, 90, 9)),
                                              verbose=0),
    "many slabs": lambda model, x: model.fit(np.repeat(x, 3, 0), np.repeat(CLASSES, 3), 7, verbose=0),
    "looked at for NaN and infinity": lambda model, x: model.fit(x, CLASSES, BATCH, verbose=0, check_finite=True),
}


@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.parametrize("way", always({"a generator"}, WAYS))
def test_data_come_in_every_way(way, monkeypatch):
    if way == "many slabs":
        monkeypatch.setattr("jaxseq.api.dealing.STREAMED_SLAB_BYTES", 4096)
    for here, there in zip(fitted(WAYS[way], on(8)), fitted(WAYS[way], None), strict=True):
        assert_allclose(here, there, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("quickly_compiled")
def test_predictions_for_any_number_of_rows():
    model, x = compiled("perceptron", on(8))
    single, _ = compiled("perceptron", None)
    for count in 1, 7, 8, 64, ROWS:
        assert_allclose(model.predict(x[:count], batch_size=64), single.predict(x[:count], batch_size=64), atol=1e-6)
    assert_allclose(model.predict(iter([x[:5], x[5:8]])), single.predict(x[:8]), atol=1e-6)


@pytest.mark.full
@pytest.mark.usefixtures("quickly_compiled")
def test_a_stateful_layer_carries_on():
    def run(spread):
        model = Sequential([L.LSTM(8, stateful=True, batch_input_shape=(6, 4, 3)), L.Dense(2)], seed=1)
        model.compile("sgd", "mse", distribution=spread)
        x = np.random.default_rng(0).normal(size=(18, 4, 3)).astype(np.float32)
        model.fit(x, x[:, 0, :2], 6, epochs=2, shuffle=False, verbose=0)
        return [*model.get_weights(), model.predict(x, batch_size=6), model.layers[0].states["h"]]

    for here, there in zip(run(on(4)), run(None), strict=True):
        assert_allclose(here, there, rtol=1e-5, atol=1e-5)


# ---- the model meanwhile


@pytest.mark.full
@pytest.mark.usefixtures("quickly_compiled")
def test_a_model_goes_on_where_it_is_spread_otherwise():
    model, x = compiled("perceptron", on(8, FullySharded))
    single, _ = compiled("perceptron", None)
    for spread in on(8, FullySharded), None, on(2), model_parallel(), None:
        model.compile("sgd", "sparse_categorical_crossentropy", distribution=spread)
        single.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(x, CLASSES, BATCH, verbose=0)
        single.fit(x, CLASSES, BATCH, verbose=0)
    assert all(len(leaf.devices()) == 1 for leaf in jax.tree.leaves(model.train_state))
    for here, there in zip(model.get_weights(), single.get_weights(), strict=True):
        assert_allclose(here, there, rtol=1e-5, atol=1e-5)


@pytest.mark.full
def test_weights_may_be_set_and_layers_frozen_between_steps():
    model, x = compiled("perceptron", on(4))
    model.fit(x, CLASSES, BATCH, verbose=0)
    model.layers[0].trainable = False
    model.set_weights([weight * 0 for weight in model.get_weights()])
    model.learning_rate = 0.5
    model.fit(x, CLASSES, BATCH, verbose=0)
    assert not model.get_weights()[0].any() and model.get_weights()[-1].any()


def test_files_and_copies_hold_whole_arrays(tmp_path):
    model, x = compiled("perceptron", on(8, FullySharded))
    model.fit(x, CLASSES, BATCH, verbose=0)
    model.save(tmp_path / "m.keras")
    for other in load_model(tmp_path / "m.keras"), copy.deepcopy(model), pickle.loads(pickle.dumps(model)):
        assert all(len(leaf.devices()) == 1 for leaf in jax.tree.leaves(other.train_state))
        for here, there in zip(other.get_weights(), model.get_weights(), strict=True):
            assert_array_equal(here, there)


@pytest.mark.full
def test_what_a_spread_model_says_of_itself_and_what_it_exports(tmp_path):
    model, x = compiled("perceptron", on(8, FullySharded))
    model.fit(x, CLASSES, BATCH, verbose=0)
    single, _ = compiled("perceptron", None)
    assert model.memory(30).programs["train"].arguments < single.memory(30).programs["train"].arguments / 2
    assert model.cost(30).programs["train"].flops == -(-single.cost(30).programs["train"].flops // 8)
    model.export(tmp_path / "m.stablehlo")
    program = jax.export.deserialize(bytearray((tmp_path / "m.stablehlo").read_bytes()))
    assert program.nr_devices == 1
    assert_allclose(program.call(x), model.predict(x), atol=1e-6)


@pytest.mark.full
def test_members_of_an_ensemble_are_on_one_device():
    model, x = compiled("perceptron", None)
    with on(8).scope():
        together = Ensemble(model, seeds=[3, 4])
        together.fit(x, CLASSES, BATCH, verbose=0)
    model.fit(x, CLASSES, BATCH, verbose=0)
    assert together[0].fingerprint() == model.fingerprint()


def test_a_spread_model_is_no_pattern_for_an_ensemble():
    """Its members would not be spread so."""
    with pytest.raises(ValueError, match=r"each whole on one device\. Compile it without distribution"):
        Ensemble(compiled("perceptron", on(4))[0], seeds=[3, 4])
    with on(4).scope(), pytest.raises(ValueError, match=r"after set_distribution\(None\)"):
        Ensemble(compiled("perceptron", None)[0], seeds=[3, 4])


@pytest.mark.full
def test_the_step_is_equal_to_the_bit_from_run_to_run():
    first, again = (trained("convnet", on(4))[0].fingerprint() for _ in range(2))
    assert first == again
