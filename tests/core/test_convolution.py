"""Conv1D, Conv2D and Conv3D against Keras 3 with the same weights, values and gradients; and what they say to wrong input."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import activations, chain
from jaxseq.core.layers.convolution import Conv1D, Conv2D, Conv3D, Convolution1D, Convolution2D, Convolution3D
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

FIRST, LAST = "channels_first", "channels_last"
WALKS = [{"strides": 1}, {"strides": 2}, {"dilation_rate": 2}]
GROUPS = [(1, LAST), (2, FIRST)]
QUICK = {"xla_backend_optimization_level": 0}       # each program runs once: its compilation is what costs


def _cases():
    """(name of the class, arguments, shape of x)."""
    for padding, walk, (groups, layout) in itertools.product(("valid", "same", "causal"), WALKS, GROUPS):
        words = {"filters": 6, "kernel_size": 3, "padding": padding, "groups": groups, "data_format": layout, **walk}
        yield "Conv1D", words, (2, 9, 4) if layout == LAST else (2, 4, 9)
    for padding, walk, (groups, layout) in itertools.product(("valid", "same"), WALKS, GROUPS):
        words = {"filters": 6, "kernel_size": 3, "padding": padding, "groups": groups, "data_format": layout, **walk}
        yield "Conv2D", words, (2, 7, 6, 4) if layout == LAST else (2, 4, 7, 6)
    yield "Conv2D", {"filters": 5, "kernel_size": (2, 3), "strides": (3, 1), "activation": "softmax"}, (2, 7, 6, 4)
    yield "Conv2D", {"filters": 5, "kernel_size": [1, 3], "dilation_rate": [1, 2], "activation": "gelu"}, (2, 7, 6, 4)
    yield "Conv2D", {"filters": 5, "kernel_size": 2, "data_format": FIRST, "activation": "softmax"}, (2, 4, 7, 6)
    yield "Conv2D", {"filters": 6, "kernel_size": 2, "groups": 2}, (2, 7, 6, 4)
    yield "Conv2D", {"filters": 5, "kernel_size": 2, "use_bias": False, "padding": "SAME"}, (2, 7, 6, 4)
    yield "Conv1D", {"filters": 5, "kernel_size": (4,), "strides": (3,), "activation": "relu"}, (2, 9, 4)
    yield "Conv3D", {"filters": 6, "kernel_size": (2, 3, 1), "strides": (1, 2, 1), "padding": "same"}, (2, 4, 5, 3, 4)
    yield "Conv3D", {"filters": 6, "kernel_size": 2, "dilation_rate": (2, 1, 1), "groups": 2, "data_format": FIRST,
                     "activation": "tanh"}, (2, 4, 4, 3, 3)


CASES = list(_cases())
OURS = {"Conv1D": Conv1D, "Conv2D": Conv2D, "Conv3D": Conv3D}


def numbers(case):
    """x, and the weights in Keras's order."""
    name, words, shape = case
    draw = np.random.RandomState(CASES.index(case))
    channels = shape[1] if words.get("data_format") == FIRST else shape[-1]
    axes = len(shape) - 2
    sizes = words["kernel_size"] if isinstance(words["kernel_size"], tuple | list) else (words["kernel_size"],) * axes
    kernel = draw.normal(size=(*sizes, channels // words.get("groups", 1), words["filters"])) * 0.5
    weights = [kernel] if words.get("use_bias") is False else [kernel, draw.normal(size=words["filters"])]
    return jnp.asarray(draw.normal(size=shape), jnp.float32), [jnp.asarray(each, jnp.float32) for each in weights]


def with_gradients(function, x, weights):
    """y, and the gradients of a weighted sum of y by x and by every weight."""
    y, back = jax.vjp(function, x, weights)
    return y, *jax.tree.leaves(back(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)))


def ours(case):
    layer = OURS[case[0]](**case[1])
    return lambda x, weights: layer.apply(dict(zip(("kernel", "bias"), weights, strict=False)), {}, x, Ctx())[0]


def theirs(case):
    layer = getattr(keras.layers, case[0])(**case[1], kernel_initializer="zeros")
    layer.build(case[2])
    return lambda x, weights: layer.stateless_call(weights, [], x)[0]


@pytest.fixture(scope="module")
def results():
    """{"ours", "theirs"} -> [(y, dx, dkernel, dbias) of each case], one program each."""
    arrays = [numbers(case) for case in CASES]

    def run(maker):
        functions = [maker(case) for case in CASES]
        with jax.numpy_dtype_promotion("standard"):
            program = jax.jit(lambda arrays: [
                with_gradients(f, *each) for f, each in zip(functions, arrays, strict=True)], compiler_options=QUICK)
            return program(arrays)

    return {"ours": run(ours), "theirs": run(theirs)}


@pytest.mark.every(3)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}({case[1]})")
def test_values_and_gradients_are_those_of_keras(case, results):
    mine, wanted = (results[whose][CASES.index(case)] for whose in ("ours", "theirs"))
    assert len(mine) == len(wanted) == 3 + (case[1].get("use_bias") is not False)
    for one, other in zip(mine, wanted, strict=True):
        assert one.shape == other.shape
        assert_allclose(one, other, rtol=1e-5, atol=2e-5)


@pytest.mark.every(4)
@pytest.mark.parametrize("case", [*CASES[::5], CASES[-1]], ids=str)
def test_weights_have_the_shapes_and_the_limits_of_keras(case, key):
    layer, theirs = OURS[case[0]](**case[1]), getattr(keras.layers, case[0])(**case[1])
    theirs.build(case[2])
    params, state = layer.init(key, Spec(case[2], jnp.float32))
    assert state == {}
    assert [params[name].shape for name in ("kernel", "bias")[:len(params)]] == [each.shape for each in theirs.weights]
    *sizes, channels, filters = params["kernel"].shape
    limit = np.sqrt(6 / (np.prod(sizes) * (channels + filters)))        # Glorot-uniform, whatever the groups
    assert 0.7 * limit < jnp.abs(params["kernel"]).max() <= limit
    assert not params.get("bias", np.zeros(1)).any()


def test_the_arguments_are_those_of_keras():
    for mine, theirs in ((Conv1D, keras.layers.Conv1D), (Conv2D, keras.layers.Conv2D), (Conv3D, keras.layers.Conv3D)):
        config = theirs(3, 2).get_config()
        layer = mine(3, 2)
        for each in dataclasses.fields(mine):
            if not each.kw_only and each.name not in ("filters", "kernel_size", "data_format"):
                default, wanted = getattr(layer, each.name), config[each.name]
                plain = not isinstance(wanted, dict | tuple | list) and each.name != "activation"
                assert not plain or default == wanted, each.name
        assert [each.name for each in dataclasses.fields(mine) if not each.kw_only][:10] == [
            "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups", "activation",
            "use_bias", "kernel_initializer"]
    assert Convolution1D is Conv1D and Convolution2D is Conv2D and Convolution3D is Conv3D


def test_bfloat16_goes_through(key):
    layer = Conv2D(3, 2, activation="relu")
    params, _ = layer.init(key, Spec((1, 4, 4, 2), jnp.float32))
    x = jax.random.normal(key, (1, 4, 4, 2))
    half = jax.tree.map(lambda each: each.astype(jnp.bfloat16), (params, x))
    run = jax.jit(lambda params, x: layer.apply(params, {}, x, Ctx())[0], compiler_options=QUICK)
    y, full = run(*half), run(params, x)
    assert y.dtype == jnp.bfloat16
    assert_allclose(y.astype(np.float32), full, rtol=0.05, atol=0.05)


def test_penalties_and_constraints_reach_the_weights(key):
    layer = Conv1D(3, 2, kernel_regularizer="l2", bias_regularizer="l1", activity_regularizer="l2",
                   kernel_constraint="non_neg")
    params, _ = layer.init(key, Spec((2, 5, 4), jnp.float32))
    params["bias"] = params["bias"] + 2
    assert_allclose(layer.penalty(params), 0.01 * (params["kernel"] ** 2).sum() + 0.01 * 6, rtol=1e-6)
    assert_allclose(layer.constrain(params)["kernel"], jnp.maximum(params["kernel"], 0))
    assert_allclose(layer.activity_penalty(jnp.ones((2, 4, 3))), 0.01 * 24 / 2)
    assert layer.without_activation() is None


def test_the_activation_can_be_taken_off(key):
    layer = Conv2D(3, 2, activation="softmax", data_format=FIRST, name="last")
    plain, function = layer.without_activation()
    assert plain == dataclasses.replace(layer, activation=None) and plain.name == "last"
    assert function is activations.get("softmax")


def test_lists_and_capitals_are_taken_and_equal_layers_are_equal():
    one, other = Conv2D(3, [2, 3], strides=[1, 2], padding="SAME"), Conv2D(3, (2, 3), strides=(1, 2), padding="same")
    assert one == other and hash(one) == hash(other)
    assert repr(one) == "Conv2D(filters=3, kernel_size=(2, 3), strides=(1, 2), padding='same')"


def test_the_words_for_a_sequence():
    assert Conv1D(3, 2, input_dim=4, input_length=9).batch_input_shape == (None, 9, 4)
    assert Conv1D(3, 2, input_dim=4).batch_input_shape == (None, None, 4)
    assert Conv2D(3, 2, input_shape=(8, 8, 1)).batch_input_shape == (None, 8, 8, 1)


def test_any_length_fits():
    assert chain.shapes("conv1d", Conv1D(3, 2, strides=2), (None, None, 4), jnp.float32)[0] == (None, None, 3)
    assert chain.shapes("conv3d", Conv3D(3, 2), (None, 4, None, 9, 4), jnp.float32)[0] == (None, 3, None, 8, 3)
    assert chain.shapes("conv2d", Conv2D(3, 2), (None, None, 9, 4), jnp.float32)[0] == (None, None, 8, 3)


def test_a_mask_ends_here():
    assert Conv1D(3, 2).out_mask(jnp.zeros((2, 5, 4)), jnp.ones((2, 5), bool)) is None


@pytest.mark.parametrize("make, message", [
    (lambda: Conv2D(0, 3), "Conv2D: filters=0: write a whole number of at least 1."),
    (lambda: Conv2D(2.0, 3), "Conv2D: filters=2.0: write a whole number of at least 1."),
    (lambda: Conv2D(2, 3, groups=0), "Conv2D: groups=0: write a whole number of at least 1."),
    (lambda: Conv2D(2, (3, 3, 3)), "Conv2D: kernel_size=(3, 3, 3): write a whole number of at least 1, or 2 of them in a "
                                   "tuple."),
    (lambda: Conv2D(2, "3"), "Conv2D: kernel_size='3': write a whole number of at least 1, or 2 of them in a tuple."),
    (lambda: Conv1D(2, 0), "Conv1D: kernel_size=0: write a whole number of at least 1."),
    (lambda: Conv1D(2, 3, strides=1.5), "Conv1D: strides=1.5: write a whole number of at least 1."),
    (lambda: Conv1D(2, 3, dilation_rate=True), "Conv1D: dilation_rate=True: write a whole number of at least 1."),
    (lambda: Conv1D(2, 3, padding="full"), "Conv1D: padding='full': write one of 'valid', 'same', 'causal'."),
    (lambda: Conv2D(2, 3, padding="causal"), "Conv2D: padding='causal': write one of 'valid', 'same'."),
    (lambda: Conv2D(2, 3, data_format="NHWC"), "Conv2D: data_format='NHWC': write one of None, 'channels_last', "
                                               "'channels_first'."),
    (lambda: Conv2D(4, 3, groups=3), "Conv2D(filters=4, groups=3): the filters are cut into groups of one size. Write "
                                     "filters as a multiple of 3."),
    (lambda: Conv2D(4, 3, strides=2, dilation_rate=(1, 2)),
     "Conv2D(strides=2, dilation_rate=(1, 2)): write strides=1 or dilation_rate=1. With both above 1 the kernel would pass "
     "over inputs."),
    (lambda: Conv2D(4, 3, activation="rellu"), "Unknown activation 'rellu'. Did you mean 'relu'"),
])
def test_wrong_arguments_are_told_when_the_layer_is_written(make, message):
    with pytest.raises(ValueError) as told:
        make()
    assert str(told.value) == message or (message.endswith("'relu'") and str(told.value).startswith(message))


@pytest.mark.parametrize("layer, shape, message", [
    (Conv2D(4, 3), (2, 28, 28), "Conv2D needs x (batch, height, width, channels), got (2, 28, 28). Add the axis of "
                                "channels: x[..., None]."),
    (Conv2D(4, 3, data_format=FIRST), (2, 28, 28), "Conv2D needs x (batch, channels, height, width), got (2, 28, 28). Add "
                                                   "the axis of channels: x[:, None]."),
    (Conv1D(4, 3), (2, 28), "Conv1D needs x (batch, steps, channels), got (2, 28). Add the axis of channels: x[..., None]."),
    (Conv1D(4, 3), (2, 9, 9, 3), "Conv1D needs x (batch, steps, channels), got (2, 9, 9, 3)."),
    (Conv2D(4, 3, groups=2), (2, 9, 9, 3), "Conv2D(groups=2) cuts the channels into groups of one size, got x (2, 9, 9, 3) "
                                           "with 3 channels. Write groups as a divisor of 3."),
    (Conv2D(4, (3, 5)), (2, 4, 4, 3), "Conv2D(filters=4, kernel_size=(3, 5)): its window is 5 long, but x (2, 4, 4, 3) has "
                                      "only 4 along its width. Write padding='same', or a smaller window."),
    (Conv2D(4, 3, data_format=FIRST), (2, 4, 2, 3),
     "Conv2D(filters=4, kernel_size=3, data_format='channels_first'): its window is 3 long, but x (2, 4, 2, 3) has "
     "only 2 along its height. Write padding='same', or a smaller window."),
    (Conv1D(4, 3, dilation_rate=4), (2, 8, 3),
     "Conv1D(filters=4, kernel_size=3, dilation_rate=4): its window is 9 long (size 3, dilation 4), but x (2, 8, 3) has "
     "only 8 along its steps. Write padding='same', or a smaller window."),
])
def test_an_input_that_does_not_fit_is_told(layer, shape, message, key):
    x = Spec(shape, jnp.float32)
    with pytest.raises(ValueError) as at_init:
        layer.init(key, x)
    assert str(at_init.value) == message
    with pytest.raises(ValueError) as at_build:
        chain.init((("conv", layer),), key, x)
    assert str(at_build.value) == message and "In layer 'conv'" in at_build.value.__notes__[0]


def test_a_longer_input_later_is_checked_as_well(key):
    layer = Conv1D(2, 3)
    params, state = layer.init(key, Spec((1, 5, 2), jnp.float32))
    with pytest.raises(ValueError, match="has only 2 along its steps"):
        layer.apply(params, state, jnp.zeros((1, 2, 2)), Ctx())
