"""`.keras` and `.weights.h5`: written here and opened by the installed Keras 3, and the other way round."""

import io
import json
import pickle

import h5py
import jax
import keras
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from small import IDS, X, Y, gives, in_keras, parts, perceptron, reader

from jaxseq import layers as L, optimizers
from jaxseq.losses import Huber
from jaxseq.metrics import AUC
from jaxseq.models import FileRejected, Sequential, load_model

pytestmark = pytest.mark.usefixtures("quickly_compiled")

OPTIMIZERS = {
    "adam": lambda k: k.Adam(0.01, amsgrad=True),
    "rmsprop": lambda k: k.RMSprop(0.01, momentum=0.5, centered=True, clipnorm=1.0),
    "schedule": lambda k: k.Nadam(k.schedules.ExponentialDecay(0.01, 3, 0.5)),
}


def assert_same_weights(ours, theirs, **how):
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_allclose(one, other, **{"rtol": 2e-5, "atol": 2e-6, **how})


@pytest.mark.every(3)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_in_keras_as_here_and_back(name, tmp_path):
    """Three steps here, then a fourth in both; then Keras's file here, and a fifth in both."""
    path, back = tmp_path / "m.keras", tmp_path / "back.keras"
    model = perceptron(optimizer=OPTIMIZERS[name](optimizers))
    model.fit(X, Y, batch_size=4, epochs=1, verbose=0)
    model.save(path)
    theirs = in_keras(path)
    assert int(theirs.optimizer._iterations) == 3
    assert_allclose(gives(theirs, X), gives(model, X), rtol=1e-5, atol=1e-6)
    again = load_model(path)
    assert again.optimizer == model.optimizer and again.layers == model.layers
    for each in model, again, theirs:
        each.train_on_batch(X, Y)
    assert_same_weights(model, theirs)
    assert [one.tobytes() for one in model.get_weights()] == [one.tobytes() for one in again.get_weights()]
    theirs.save(back)
    ours = load_model(back)
    assert int(ours.train_state.step) == 4 and type(ours.optimizer) is type(model.optimizer)
    for each in ours, theirs:
        each.train_on_batch(X, Y)
    assert_same_weights(ours, theirs)


def test_weights_alone_go_both_ways(tmp_path):
    ours, path, back = perceptron(), str(tmp_path / "m.weights.h5"), str(tmp_path / "back.weights.h5")
    ours.fit(X, Y, batch_size=4, verbose=0)
    ours.save_weights(path)
    ours.save(tmp_path / "m.keras")
    theirs = in_keras(tmp_path / "m.keras")
    theirs.set_weights([np.zeros_like(each) for each in theirs.get_weights()])
    theirs.load_weights(path)
    assert_same_weights(ours, theirs, rtol=0, atol=0)
    theirs.save_weights(back)
    other = perceptron(seed=1)
    other.load_weights(back)
    assert_same_weights(other, ours, rtol=0, atol=0)
    assert int(other.train_state.step) == 3
    for one, wanted in zip(*(jax.tree.leaves(model.train_state.opt_state) for model in (other, ours)), strict=True):
        assert_array_equal(one, wanted)


@pytest.mark.full
def test_every_kind_of_nested_layer_stands_where_keras_has_it(tmp_path):
    model = Sequential([
        L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="sum", input_shape=(5, 4)),
        L.RNN([L.LSTMCell(3), L.LSTMCell(2), L.GRUCell(2)], return_sequences=True),
        L.TimeDistributed(L.BatchNormalization()), L.TimeDistributed(L.Dense(3)),
        L.Bidirectional(L.GRU(2, reset_after=False)), L.PReLU(), L.LayerNormalization(),
        L.Dense(2, "tanh", kernel_regularizer="l2", kernel_initializer="he_normal", bias_constraint="non_neg"),
        L.LeakyReLU(0.1)], seed=3, name="all")
    model.build()
    model.set_weights([np.abs(np.sin(np.arange(each.size) + each.ndim)).reshape(each.shape) for each in model.get_weights()])
    x = np.cos(np.arange(2 * 5 * 4)).reshape(2, 5, 4).astype("float32")
    model.save(tmp_path / "m.keras")
    theirs = in_keras(tmp_path / "m.keras")
    assert_allclose(gives(theirs, x), gives(model, x), rtol=2e-5, atol=1e-6)
    theirs.save(tmp_path / "k.keras")
    again = load_model(tmp_path / "k.keras")
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers] and again.name == "all"
    assert_array_equal(gives(again, x), gives(model, x))
    arrays = lambda path: {name: one[()].tobytes() for name, one in _datasets(path).items()}
    model.save_weights(tmp_path / "m.weights.h5")
    theirs.save_weights(tmp_path / "k.weights.h5")
    assert arrays(tmp_path / "m.weights.h5") == arrays(tmp_path / "k.weights.h5")


def test_a_normalized_kernel_stands_where_keras_has_it_twice(tmp_path):
    rows = [L.SpectralNormalization(L.Conv1D(2, 1), input_shape=(3, 2)), L.SpectralNormalization(L.Dense(2))]
    model = Sequential(rows, seed=0)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    theirs = in_keras(tmp_path / "m.keras")
    theirs.save(tmp_path / "k.keras")
    theirs.save_weights(tmp_path / "k.weights.h5")
    ours, wanted = ({name: each[()].tobytes() for name, each in _datasets(tmp_path / f"{one}.weights.h5").items()}
                    for one in "mk")
    assert ours == wanted
    assert_same_weights(load_model(tmp_path / "k.keras"), model, rtol=0, atol=0)


def _datasets(path):
    found, root = {}, h5py.File(path)
    root.visititems(lambda name, node: found.update({name: node}) if isinstance(node, h5py.Dataset) else None)
    return found


def test_an_embedding_keeps_its_whole_numbers(tmp_path):
    model = reader()
    model.save(tmp_path / "m.keras")
    theirs = in_keras(tmp_path / "m.keras")
    assert_allclose(gives(theirs, IDS), gives(model, IDS), rtol=1e-5, atol=1e-6)
    twin = keras.Sequential([keras.layers.Embedding(7, 3), keras.layers.LSTM(2)])
    twin.build((None, 5))
    twin.save(tmp_path / "k.keras")
    again = load_model(tmp_path / "k.keras")
    assert again.input_dtype == "int32" and again.input_shape == (None, 5)
    assert_allclose(gives(again, IDS), gives(twin, IDS), rtol=1e-5, atol=1e-6)


def test_a_functional_model_that_is_a_plain_row_is_a_sequential(tmp_path, refuses):
    start = keras.Input((4,))
    middle = keras.layers.Dense(3, "relu")(start)
    row = keras.Model(start, keras.layers.Dense(2)(middle))
    row.save(tmp_path / "row.keras")
    assert_allclose(gives(load_model(tmp_path / "row.keras"), X), gives(row, X), rtol=1e-5, atol=1e-6)
    keras.Model(start, keras.layers.Add(name="sum")([middle, keras.layers.Dense(3)(start)])).save(tmp_path / "fork.keras")
    with pytest.raises(FileRejected, match="does not take the output of the one before it alone: a Sequential is a plain row"):
        load_model(tmp_path / "fork.keras")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_layers_that_are_activations_go_both_ways(ending, tmp_path):
    row = lambda k: [k.Dense(3, activation=k.LeakyReLU(negative_slope=0.1)), k.Activation(k.ELU()),
                     k.Dense(2, activation=k.ReLU(max_value=6)), k.Dense(2, activation=k.Softmax())]
    ours, theirs = (lib([k.Input((4,)), *row(k)]) for lib, k in ((Sequential, L), (keras.Sequential, keras.layers)))
    ours.save(tmp_path / f"o{ending}", include_optimizer=False)
    back = keras.models.load_model(tmp_path / f"o{ending}")
    assert_allclose(gives(back, X), gives(ours, X), rtol=1e-5, atol=1e-6)
    theirs.save(tmp_path / f"k{ending}")
    again = load_model(tmp_path / f"k{ending}")
    assert again.layers == ours.layers == load_model(tmp_path / f"o{ending}").layers
    assert_allclose(gives(again, X), gives(theirs, X), rtol=1e-5, atol=1e-6)


def test_what_was_compiled_comes_back(tmp_path):
    model = Sequential([L.Dense(1, activation="sigmoid", input_shape=(4,))], seed=0)
    model.compile(optimizers.SGD(lr=0.1, decay=1e-2, momentum=0.9, nesterov=True), Huber(0.5), ["mae", AUC(num_thresholds=20)])
    model.fit(X, Y % 2, batch_size=4, verbose=0)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert again.metrics_names == model.metrics_names == ["loss", "mae", "auc"]
    assert again.optimizer == model.optimizer and again.optimizer.decay == 1e-2
    theirs = in_keras(tmp_path / "m.keras")                     # where decay is a schedule of the same numbers
    for each in model, theirs, again:
        each.train_on_batch(X, Y[:, None] % 2)
    assert_same_weights(model, theirs)
    assert_same_weights(model, again, rtol=0, atol=0)
    assert load_model(tmp_path / "m.keras", compile=False).optimizer is None


def test_the_rate_of_the_moment_is_saved(tmp_path):
    model = perceptron()
    model.learning_rate = 0.125
    model.save(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras").learning_rate == 0.125
    assert float(in_keras(tmp_path / "m.keras").optimizer.learning_rate) == 0.125


def test_frozen_layers_have_no_part_in_the_optimizer(tmp_path):
    model = perceptron()
    model.layers[0].trainable = False
    model.fit(X, Y, batch_size=4, verbose=0)
    model.save(tmp_path / "m.keras")
    theirs, again = in_keras(tmp_path / "m.keras"), load_model(tmp_path / "m.keras")
    assert not again.layers[0].trainable and len(theirs.optimizer.variables) == 2 + 2 * 4
    for each in model, theirs, again:
        each.train_on_batch(X, Y)
    assert_same_weights(model, theirs)
    assert_same_weights(model, again, rtol=0, atol=0)


class Scale(L.Layer):
    """y = x * factor, the factor learned or given."""

    start: float = 1.0

    def init(self, key, x):
        return {"factor": np.full(x.shape[-1], self.start, "float32")}, {}

    def apply(self, params, state, x, ctx):
        return x * params["factor"], state


def far(y, y_hat):
    return abs(y - y_hat).mean(-1)


def doubled(x):
    return 2 * x


def test_ones_own_classes_and_functions_come_from_custom_objects_alone(tmp_path, refuses):
    path = tmp_path / "m.keras"
    model = Sequential([Scale(2.0, input_shape=(4,)), L.Lambda(doubled), L.Dense(1, activation=doubled)], seed=0)
    model.compile("sgd", far, [far])
    model.save(path)
    own = {"Scale": Scale, "far": far, "doubled": doubled}
    again = load_model(path, own)
    assert again.layers == model.layers and again.metrics_names == ["loss", "far"]
    assert_array_equal(gives(again, X), gives(model, X))
    with refuses(f"{path}: the layer 'Scale' is not one of this library. If it is your own, pass "
                 "custom_objects={'Scale': Scale}.", FileRejected):
        load_model(path)
    with refuses(f"{path}: the function 'doubled' is not one of this library. If it is your own, pass "
                 "custom_objects={'doubled': doubled}.", FileRejected):
        load_model(path, {"Scale": Scale})


def test_what_has_no_name_is_refused_before_anything_is_written(tmp_path, refuses):
    model = Sequential([L.Lambda(lambda x: 2 * x, input_shape=(4,)), L.Dense(1)])
    with refuses("Lambda(function) is a lambda, which has no name to be found by when the file is loaded: write it as a def."):
        model.save(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


def test_endings_say_what_is_written(tmp_path, refuses):
    model = perceptron()
    with refuses("save('m.weights.h5'): whole models are written as .keras (Keras 3), .h5 or .hdf5 (Keras 2). Write 'm.keras', "
                 "or save_weights('m.weights.h5') for the weights alone."):
        model.save("m.weights.h5")
    with refuses("save('m'): whole models are written as .keras (Keras 3), .h5 or .hdf5 (Keras 2). Write 'm.keras'."):
        model.save("m")
    with refuses("save_weights('m.npz'): weights are written as .weights.h5 (Keras 3), .h5 or .hdf5 (Keras 2), or .safetensors"
                 ". Write 'm.weights.h5'."):
        model.save_weights("m.npz")
    (tmp_path / "m.npz").touch()
    with refuses(f"load_weights({str(tmp_path / 'm.npz')!r}): files that end in .weights.h5, .keras, .h5, .hdf5 or "
                 ".safetensors are read."):
        model.load_weights(tmp_path / "m.npz")
    with refuses("load_model('m.txt'): whole models are read from .keras, .h5 and .hdf5 files."):
        load_model("m.txt")


def test_weights_of_another_model_are_refused_and_nothing_changes(tmp_path, refuses):
    path = tmp_path / "m.weights.h5"
    perceptron(units=5).save_weights(path)
    model = perceptron()
    before = model.fingerprint()
    with refuses(f"{path}: these weights are of another model: layers/dense/vars/0 has shape (4, 5), the model's (4, 6); "
                 "layers/dense/vars/1 has shape (5,), the model's (6,); layers/batch_normalization/vars/0 has shape (5,), the "
                 "model's (6,); layers/batch_normalization/vars/1 has shape (5,), the model's (6,); "
                 "layers/batch_normalization/vars/2 has shape (5,), the model's (6,); and 2 more. Build the model they were "
                 "saved from, or pass skip_mismatch=True to load what fits.", FileRejected):
        model.load_weights(path)
    assert model.fingerprint() == before
    with pytest.warns(UserWarning) as warned:
        model.load_weights(path, skip_mismatch=True)
    assert "left as they are: layers/dense/vars/0 has shape (4, 5)" in str(warned[0].message)
    assert "the optimizer's state in the file is not one of Adam" in str(warned[1].message)
    assert_array_equal(model.get_weights()[7], perceptron(units=5).get_weights()[7])
    with pytest.raises(FileRejected, match="layers/dense/vars/0 is missing"):
        reader_path = tmp_path / "r.weights.h5"
        reader().save_weights(reader_path)
        model.load_weights(reader_path)


def test_an_optimizer_of_another_kind_is_left_out_with_a_warning(tmp_path):
    path = tmp_path / "m.weights.h5"
    perceptron().save_weights(path)
    model = perceptron(seed=1, optimizer="sgd")
    with pytest.warns(UserWarning, match="the optimizer's state in the file is not one of SGD"):
        model.load_weights(path)
    assert_same_weights(model, perceptron(), rtol=0, atol=0)


def test_an_optax_transformation_is_left_out_with_a_warning(tmp_path):
    model = perceptron(optimizer=optax.sgd(0.1))
    with pytest.warns(UserWarning, match="An Optax transformation cannot be written to a file"):
        model.save(tmp_path / "m.keras")
    assert "compile_config" not in json.loads(parts(tmp_path / "m.keras")["config.json"])
    assert load_model(tmp_path / "m.keras").optimizer is None


class Raised(L.Layer):
    """In Keras's way: x ** power + shift, through an activation."""

    def __init__(self, power, activation=None, **words):
        super().__init__(**words)
        self.power, self.activation = power, activation

    def build(self, input_shape):
        self.shift = self.add_weight(name="shift", shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return self.activation(x ** self.power + self.shift)

    def get_config(self):
        return {**super().get_config(), "power": self.power, "activation": self.activation}


def test_a_layer_in_keras_s_way_keeps_its_settings(tmp_path):
    model = Sequential([Raised(2, doubled, name="raised", input_shape=(4,)), L.Dense(1)], seed=0)
    model.save(tmp_path / "m.keras")
    config = json.loads(parts(tmp_path / "m.keras")["config.json"])["config"]["layers"][1]["config"]
    assert (config["name"], config["power"]) == ("raised", 2)
    again = load_model(tmp_path / "m.keras", {"Raised": Raised, "doubled": doubled})
    assert (again.layers[0].power, again.layers[0].activation) == (2, doubled)
    assert_array_equal(gives(again, X), gives(model, X))


def test_what_a_frozen_model_was_comes_back(tmp_path):
    inner = Sequential([L.Dense(3, input_shape=(4,))], name="inner")
    inner.trainable = False
    model = Sequential([inner, L.Dense(1)], seed=0)
    model.compile("adam", "mse", auto_scale_loss=False, loss_weights=0)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert (again.trainable, again.layers[0].trainable, again.layers[0].layers[0].trainable) == (True, False, True)
    assert len(again.trainable_weights) == 2
    assert (again.compile_arguments["auto_scale_loss"], again.compile_arguments["loss_weights"]) == (False, 0)
    assert in_keras(tmp_path / "m.keras").loss == "mse"
    model.trainable = False
    model.save(tmp_path / "m.keras")            # compiled before: the optimizer's list is that of the Dense all the same
    with h5py.File(io.BytesIO(parts(tmp_path / "m.keras")["model.weights.h5"])) as root:
        assert len(root["optimizer/vars"]) == 2 + 2 * 2
    with pytest.warns(UserWarning, match="the optimizer's state in the file is not one of Adam"):
        again = load_model(tmp_path / "m.keras")
    assert not again.trainable and again.trainable_weights == []


def test_the_state_of_an_optimizer_that_keras_cannot_list_is_left_out_with_a_warning(tmp_path):
    model = Sequential([L.Dense(1, input_shape=(4,))], seed=0)
    path = tmp_path / "m.weights.h5"
    for optimizer in optax.adam(0.1), optimizers.LossScaleOptimizer(optax.adam(0.1)):
        model.compile(optimizer, "mse")
        with pytest.warns(UserWarning, match="An Optax.* cannot be written to a file: the weights are saved without its"):
            model.save_weights(path)
    with h5py.File(path) as root:
        assert "optimizer" not in root
    model.compile("sgd", "mse")
    model.save_weights(path)
    model.compile(optax.sgd(0.1, momentum=0.9), "mse")
    with pytest.warns(UserWarning, match="An Optax transformation is not read from a file"):
        model.load_weights(path)


def test_training_in_half_precision_goes_on_in_keras_as_here_and_back(tmp_path):
    """Three steps here, of which the scale lets two overflow; then a fourth in both; then Keras's file here, and a fifth."""
    model = Sequential([L.Dense(5, activation="tanh", input_shape=(4,)), L.Dense(1)], dtype="mixed_float16", seed=0)
    model.compile(optimizers.LossScaleOptimizer(optimizers.Adam(0.01), 2.0**17, 3), "mse")
    for _ in range(3):
        model.train_on_batch(X, Y)
    model.save(tmp_path / "m.keras")
    theirs, again = in_keras(tmp_path / "m.keras"), load_model(tmp_path / "m.keras")
    scale = float(model.train_state.opt_state.scale)
    assert float(theirs.optimizer.dynamic_scale) == float(again.train_state.opt_state.scale) == scale < 2.0**17
    assert int(again.train_state.step) == 3 > int(theirs.optimizer.iterations)
    for each in model, again, theirs:
        each.train_on_batch(X, Y[:, None])
    for one, wanted in zip(*(jax.tree.leaves(each.train_state.opt_state) for each in (again, model)), strict=True):
        assert_array_equal(one, wanted)
    assert_same_weights(model, theirs, rtol=1e-2, atol=1e-3)
    theirs.save(tmp_path / "back.keras")
    theirs.save_weights(tmp_path / "back.weights.h5")
    ours = load_model(tmp_path / "back.keras")
    assert (ours.optimizer.initial_scale, type(ours.optimizer.inner_optimizer)) == (2.0**17, optimizers.Adam)
    model.load_weights(tmp_path / "back.weights.h5")
    for each in ours, model, theirs:
        each.train_on_batch(X, Y[:, None])
    assert_same_weights(ours, theirs, rtol=1e-2, atol=1e-3)
    assert_same_weights(ours, model, rtol=0, atol=0)


def test_layers_of_a_loaded_model_know_that_their_weights_die_with_it(tmp_path):
    perceptron().save(tmp_path / "m.keras")
    for model in load_model(tmp_path / "m.keras"), pickle.loads(pickle.dumps(perceptron())):
        assert all(layer._homes[0].drawn for layer in model.layers)
