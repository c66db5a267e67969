"""ConvLSTM1D, 2D and 3D against Keras with the same weights."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from twins import assert_twins, numbers, run, weights

from jaxseq.core import rng
from jaxseq.core.kernels.conv import conv
from jaxseq.core.layers import conv_lstm
from jaxseq.core.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")    # programs run once or twice

MASK = np.array([[1, 1, 0], [0, 1, 1]], bool)


@pytest.mark.every(3)
@pytest.mark.parametrize(("layer", "shape"), [
    (lambda k: k.ConvLSTM1D(3, 3, strides=2, padding="same", return_sequences=True), (2, 3, 7, 2)),
    (lambda k: k.ConvLSTM2D(3, (2, 3)), (2, 3, 5, 6, 2)),
    (lambda k: k.ConvLSTM2D(2, 2, dilation_rate=2, return_sequences=True, go_backwards=True, use_bias=False,
                            recurrent_activation="hard_sigmoid"), (2, 3, 5, 4, 2)),
    pytest.param(lambda k: k.ConvLSTM3D(2, 2, padding="same"), (2, 2, 3, 2, 3, 2), marks=pytest.mark.full),
    (lambda k: k.ConvLSTM2D(2, 2, data_format="channels_first", return_sequences=True), (2, 3, 2, 4, 5)),
], ids=["1D", "2D", "2D dilated", "3D", "channels first"])
def test_values_and_gradients_are_those_of_keras(layer, shape):
    assert_twins(layer(conv_lstm), layer(keras.layers), numbers(*shape))


def test_dropout_drops_the_same_elements_at_every_step():
    """The loop written out: one draw of x for all gates, one of h for each."""
    layer = ConvLSTM1D(3, 3, padding="same", dropout=0.5, recurrent_dropout=0.25, return_sequences=True, stateful=True)
    x, key = numbers(2, 3, 4, 2), jax.random.key(3)
    params, (h, c) = weights(layer, x), jnp.asarray(numbers(2, 2, 4, 3, seed=5))
    y, state = run(layer, params, {"h": h, "c": c}, jnp.asarray(x), Ctx(True, key))
    kept_x = np.asarray(rng.keep(rng.fold_in(key, "dropout"), 0.5, (2, 1, 4, 2))) * 2.0
    kept_h = np.asarray(rng.keep(rng.fold_in(key, "recurrent_dropout"), 0.25, (2, 4, 4, 3))) / 0.75
    sigmoid, same = jax.nn.sigmoid, {"padding": "same"}
    for t in range(3):
        z = jnp.split(conv(jnp.asarray((x * kept_x)[:, t], jnp.float32), params["kernel"], params["bias"], **same), 4, axis=-1)
        kernels = np.split(params["recurrent_kernel"], 4, axis=-1)
        p = [conv((h * kept_h[:, gate]).astype(jnp.float32), kernels[gate], **same) for gate in range(4)]
        i, f, o = (sigmoid(z[gate] + p[gate]) for gate in (0, 1, 3))
        c = f * c + i * jnp.tanh(z[2] + p[2])
        h = o * jnp.tanh(c)
        assert_allclose(y[:, t], h, rtol=1e-5, atol=1e-6)
    assert_allclose(state["c"], c, rtol=1e-5, atol=1e-6)


def test_pieces_with_a_carry_equal_one_unbroken_pass_and_remat_changes_nothing():
    x = jnp.asarray(numbers(2, 4, 3, 2, 5))                                     # channels first
    options = {"data_format": "channels_first", "return_sequences": True}
    whole, piecewise = ConvLSTM2D(3, 2, remat=True, **options), ConvLSTM2D(3, 2, stateful=True, **options)
    params = weights(whole, x)
    _, state = piecewise.init(jax.random.key(0), Spec((2, 2, 3, 2, 5), jnp.float32))
    assert state["h"].shape == (2, 1, 4, 3)
    pieces = []
    for piece in jnp.split(x, 2, axis=1):
        y, state = run(piecewise, params, state, piece, Ctx())
        pieces.append(y)
    assert_allclose(np.concatenate(pieces, axis=1), run(whole, params, {}, x, Ctx())[0], rtol=1e-5, atol=1e-6)
    assert not piecewise.reset(state)["c"].any()


def test_first_weights():
    spec = Spec((2, 3, 5, 6, 2), jnp.float32)
    params, _ = ConvLSTM2D(4, (2, 3)).init(jax.random.key(0), spec)
    assert {name: value.shape for name, value in params.items()} == {
        "kernel": (2, 3, 2, 16), "recurrent_kernel": (2, 3, 4, 16), "bias": (16,)}
    assert np.array_equal(params["bias"], np.repeat([0, 1, 0, 0], 4))
    assert not ConvLSTM2D(4, 2, unit_forget_bias=False).init(jax.random.key(0), spec)[0]["bias"].any()


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_masked_step_keeps_the_memory_and_repeats_what_was_shown(data_format):
    """Each row equals one without its masked steps. Keras 3 on JAX lays the mask (batch, time) along the wrong axis here."""
    layer, x = ConvLSTM2D(3, 2, return_sequences=True, data_format=data_format), numbers(2, 3, 4, 3, 4)
    params = weights(layer, x)
    y, _ = run(layer, params, {}, x, Ctx(mask=jnp.asarray(MASK)))
    first, second = (run(layer, params, {}, rows, Ctx())[0][0] for rows in (x[:1, :2], x[1:, 1:]))
    assert_allclose(y[0], jnp.stack([first[0], first[1], first[1]]), rtol=1e-5, atol=1e-6)
    assert_allclose(y[1], jnp.stack([jnp.zeros_like(second[0]), second[0], second[1]]), rtol=1e-5, atol=1e-6)


def test_the_mask_goes_on_with_the_sequence():
    layer = ConvLSTM2D(2, 2, return_sequences=True, go_backwards=True)
    assert np.array_equal(layer.out_mask(numbers(2, 3, 4, 5, 2), jnp.asarray(MASK)), MASK[:, ::-1])
    assert ConvLSTM2D(2, 2).out_mask(numbers(2, 3, 4, 5, 2), jnp.asarray(MASK)) is None


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ConvLSTM2D(0, 2), "ConvLSTM2D(filters)=0: write a whole number of at least 1."),
    (lambda: ConvLSTM2D(2, 2, strides=2, dilation_rate=2), "ConvLSTM2D(strides=2, dilation_rate=2): write strides=1 or "
     "dilation_rate=1. With both above 1 the kernel would pass over inputs."),
    (lambda: ConvLSTM3D(2, 2, dropout=1.5), "ConvLSTM3D(dropout=1.5): write a number from 0 up to, and without, 1."),
    (lambda: ConvLSTM2D(2, 2).init(jax.random.key(0), Spec((2, 5, 5, 3), jnp.float32)),
     "ConvLSTM2D needs x (batch, time, height, width, channels), got (2, 5, 5, 3)."),
    (lambda: ConvLSTM1D(2, 4).init(jax.random.key(0), Spec((2, 5, 3, 3), jnp.float32)),
     "ConvLSTM1D(filters=2, kernel_size=4): its window is 4 long, but x (2, 3, 3) has only 3 along its steps. Write "
     "padding='same', or a smaller window."),
    (lambda: ConvLSTM1D(2, 4, return_state=True), "ConvLSTM1D(return_state=True): a layer of a Sequential has one output. "
     "Write stateful=True and read layer.states after the batch."),
], ids=range(6))
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
