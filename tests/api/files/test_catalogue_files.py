"""Every layer of the catalogue through every kind of file, from here to Keras 3 and from Keras 3 to here."""

import importlib
import pkgutil
from types import FunctionType

import jax
import keras
import numpy as np
import pytest
from both_ways import assert_same_to_the_bit, predict_alike, train_alike, trained, with_weights
from core import cases
from core.cases import own
from numpy.testing import assert_array_equal
from shares import always
from small import in_keras

import jaxseq
from jaxseq import layers as L
from jaxseq.layers import Layer
from jaxseq.models import load_model

# Every program runs once or twice: its compilation is what costs.
pytestmark = pytest.mark.usefixtures("quickly_compiled")

MODULES = [importlib.import_module(f"core.cases.{each.name}") for each in pkgutil.iter_modules(cases.__path__)]
CASES = {name: (layer, shape, dtype) for each in MODULES if each is not own for name, layer, shape, dtype in each.CASES}

# What has no part in this, and why.
NOT_IN_KERAS = {name: "Keras 3 has removed it" for name in ("LocallyConnected1D", "LocallyConnected2D", "ThresholdedReLU")}
BEYOND_KERAS = dict.fromkeys(("depthwise_conv1d_causal", "separable_conv1d_causal"), "Keras knows no such padding there")
OTHERWISE = {"spectral_normalization": "in evaluation Keras on JAX takes the kernel as it is"} | dict.fromkeys(
    ("random_crop", "random_crop_first"), "in evaluation Keras takes the images as they are, whatever their size")
UNTRAINED = (dict.fromkeys(("RandomFlip", "RandomCrop"), "no setting ends its draws")
             | {type(layer).__name__: "Keras cannot write its value_range into an .h5" for layer, *_ in CASES.values()
                if hasattr(layer, "value_range")})

QUICK = {"dense", "conv2d", "batch_normalization", "lstm", "embedding_masking", "dropout"}
GOING = [name for name, (layer, *_) in CASES.items() if type(layer).__name__ not in NOT_IN_KERAS and name not in BEYOND_KERAS]
# Programs of training are what takes time: of every class one case is trained. The others are opened, and predict.
TRAINED = QUICK | set({type(CASES[name][0]): name for name in reversed(GOING)
                       if type(CASES[name][0]).__name__ not in UNTRAINED}.values())


def each_of(names):
    return pytest.mark.parametrize("name", always(QUICK, names))


@pytest.fixture(autouse=True, scope="module")
def promoted():
    """Keras's programs promote dtypes."""
    with jax.numpy_dtype_promotion("standard"):
        yield


# Rates of draws, which no two libraries make alike.
RATES = "dropout", "recurrent_dropout", "rate", "stddev", "factor", "height_factor", "width_factor", "x_factor", "y_factor"
CELLS = L.SimpleRNNCell, L.GRUCell, L.LSTMCell, L.StackedRNNCells


def words_of(layer, part):
    """What the layer was told, with part(inner) in the place of layers within it."""
    def value(told):
        if isinstance(told, Layer):
            return part(told)
        return tuple(map(value, told)) if isinstance(told, tuple) else told

    return {each.name: value(getattr(layer, each.name)) for each in layer._written_fields()}


def within(layer, asked):
    """Whether a layer, or one within it, has such a setting."""
    found = []
    words_of(layer, lambda inner: found.append(within(inner, asked)))
    return any(getattr(layer, word, False) for word in asked) or any(found)


def still(layer, held=False):
    """The layer without its draws, and without what only we have. held: within another, where an activity regularizer is
    nothing to Keras."""
    words = words_of(layer, lambda inner: still(inner, True)) | {word: 0.0 for word in RATES if hasattr(layer, word)}
    without = {"remat", *(["activity_regularizer"] if held else []),
               *([] if isinstance(layer, L.InputLayer) else ["batch_input_shape"])}
    return type(layer)(**{word: value for word, value in words.items() if word not in without})


def of_keras(layer):
    """Keras's layer, told the same."""
    words = {word: getattr(keras.activations, value.__name__) if isinstance(value, FunctionType) else value
             for word, value in words_of(layer, of_keras).items()}
    if hasattr(layer, "pool_size"):
        words["pool_size"] = layer.pool_size        # which has no default everywhere
    return getattr(keras.layers, type(layer).__name__)(**words)


def trip(name):
    """(the layer, a cell within an RNN; the batch shape of x; its dtype)."""
    layer, shape, dtype = CASES[name]
    return (L.RNN(layer), (2, 4, 3), dtype) if type(layer) in CELLS else (layer, shape, dtype)


def compiled(layer, shape, dtype):
    """A model of the layer between its input and a Dense."""
    start = L.Input(batch_shape=shape if within(layer, ["stateful"]) else (None, *shape[1:]), dtype=dtype)
    model = jaxseq.Sequential([*([] if isinstance(layer, L.InputLayer) else [start]), layer, L.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    return with_weights(model)


def data(layer, shape, dtype):
    """x, some of whose later steps are masked where a layer makes a mask of them."""
    draw = np.random.default_rng(0)
    if dtype == "int32":
        x = draw.integers(0, 4, shape).astype(dtype)
        x[:, 0] = draw.integers(1, 4, x[:, 0].shape)
        return x
    x = draw.normal(size=shape).astype(dtype)
    if isinstance(layer, L.Masking):
        x[0, -1] = layer.mask_value
    return x


def nameless(config):
    """A config without what things are called; a list of one is that one."""
    if isinstance(config, list | tuple):
        return nameless(config[0]) if len(config) == 1 else [nameless(each) for each in config]
    if isinstance(config, dict):
        return {word: nameless(value) for word, value in config.items() if word not in ("name", "build_config")}
    return config


@each_of(GOING)
def test_a_layer_goes_there_and_back(name, tmp_path):
    """Trained here, opened and trained on in Keras; and what Keras saves then, here again: whole, as weights, and as `.h5`."""
    layer, shape, dtype = trip(name)
    layer, x = still(layer), data(layer, shape, dtype)
    ours = compiled(layer, shape, dtype)
    y = np.random.default_rng(1).normal(size=(len(x), *ours.output_shape[1:])).astype("float32")
    if name in TRAINED:
        trained(ours, x, y, 2)
    ours.save(tmp_path / "here.keras")
    theirs = in_keras(tmp_path / "here.keras")
    if not isinstance(layer, L.InputLayer):
        assert nameless(theirs.layers[0].get_config()) == nameless(of_keras(layer).get_config())
    other_files_go_there(ours, theirs, tmp_path)
    if name not in OTHERWISE:
        predict_alike(ours, theirs, x)
    if name in TRAINED:
        train_alike(ours, theirs, x, y)
    theirs.save(tmp_path / "there.keras")
    again = load_model(tmp_path / "there.keras")
    if name in TRAINED:
        other_files_come_back(theirs, again, tmp_path)
    if name not in OTHERWISE:
        predict_alike(again, theirs, x)
    if name in TRAINED:
        train_alike(again, theirs, x, y)


@each_of([name for name in GOING if within(CASES[name][0], RATES)])
def test_a_layer_that_draws_predicts_alike(name, tmp_path):
    layer, shape, dtype = trip(name)
    ours, x = compiled(layer, shape, dtype), data(layer, shape, dtype)
    ours.save(tmp_path / "here.keras")
    theirs = in_keras(tmp_path / "here.keras")
    predict_alike(ours, theirs, x)
    theirs.save(tmp_path / "there.keras")
    again = load_model(tmp_path / "there.keras")
    predict_alike(again, theirs, x)
    assert within(again.layers[0], RATES)


def other_files_go_there(ours, theirs, folder):
    """Keras's model is the same out of a file of weights, and out of an `.h5`."""
    held = [np.asarray(each) for each in (*theirs.weights, *theirs.optimizer.variables)]
    ours.save_weights(folder / "here.weights.h5")
    for each in *theirs.weights, *theirs.optimizer.variables:
        each.assign(np.zeros_like(each))
    theirs.load_weights(folder / "here.weights.h5")
    for each, wanted in zip((*theirs.weights, *theirs.optimizer.variables), held, strict=True):
        assert_array_equal(each, wanted, each.path)
    ours.save(folder / "here.h5")
    old = in_keras(folder / "here.h5", compile=False)
    assert nameless(old.get_config()) == nameless(theirs.get_config())
    for each, wanted in zip(old.weights, held, strict=False):
        assert_array_equal(each, wanted, each.path)


def other_files_come_back(theirs, ours, folder):
    """Our model is the same out of a file of weights, and out of an `.h5`."""
    theirs.save(folder / "there.h5")
    old = load_model(folder / "there.h5")
    assert_same_to_the_bit(old, ours)
    theirs.save_weights(folder / "there.weights.h5")
    old.fill_with_zeros()
    old.load_weights(folder / "there.weights.h5")
    assert_same_to_the_bit(old, ours)


def test_every_layer_of_the_catalogue_goes():
    classes = {name: each for name, each in vars(L).items() if isinstance(each, type) and issubclass(each, Layer)}
    catalogue = {name for name, each in classes.items() if each.__name__ == name} - {"Layer", "Cell"}      # no second names
    assert {type(CASES[name][0]).__name__ for name in GOING} == catalogue - NOT_IN_KERAS.keys()
    assert not [name for name in NOT_IN_KERAS if hasattr(keras.layers, name)]


@each_of([name for name in CASES if name not in GOING])
def test_what_keras_has_not_comes_back_here(name, tmp_path):
    model = compiled(*trip(name))
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert_same_to_the_bit(again, model)
    with pytest.raises((TypeError, ValueError)):
        in_keras(tmp_path / "m.keras")
