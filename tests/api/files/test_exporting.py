"""export: the program that is written is predict, for every layer, and needs jax alone."""

import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exported import assert_is_predict, read, some
from jax import export
from numpy.testing import assert_allclose

from jaxseq import layers
from jaxseq.models import Sequential

# ---- models


class Doubled(layers.Layer):
    """A layer in Keras's way, with a weight and draws in training."""

    def build(self, input_shape):
        self.w = self.add_weight("w", (input_shape[-1],))

    def call(self, x, training=None):
        return 2 * x * self.w + (jax.random.normal(self.draw_key(), x.shape) if training else 0)


MODELS = {
    "perceptron": lambda: [layers.Dense(8, "relu", input_shape=(5,), activity_regularizer="l2"), layers.BatchNormalization(),
                           layers.Dropout(0.5), layers.Dense(3, "softmax")],
    "convnet": lambda: [layers.Conv2D(4, 3, activation="relu", input_shape=(9, 9, 2)), layers.MaxPooling2D(2),
                        layers.DepthwiseConv2D(2), layers.Flatten(), layers.Dense(3)],
    "ids and masks": lambda: [layers.Embedding(9, 4, mask_zero=True, input_length=12), layers.Bidirectional(layers.LSTM(3)),
                              layers.Dense(2)],
    "models within models": lambda: [Sequential([layers.Dense(4, "tanh", input_shape=(6, 3)),
                                                 Sequential([layers.GRU(3, return_sequences=True)])]),
                                     layers.TimeDistributed(Sequential([layers.Dense(2), layers.Dense(2)]))],
    "own and lambda": lambda: [Doubled(input_shape=(4,)), layers.Lambda(lambda x: jnp.sin(x) @ jnp.ones((4, 2)))],
    "augmented": lambda: [layers.RandomFlip(input_shape=(4, 4, 1)), layers.Rescaling(1 / 255), layers.GlobalMaxPooling2D()],
}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_what_predict_gives(name, tmp_path):
    model = Sequential(MODELS[name](), seed=1)
    model.export(tmp_path / "m")
    assert_is_predict(model, read(tmp_path / "m"), *((rows, *model.input_shape[1:]) for rows in (1, 7)))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_sixteen_bits(dtype, tmp_path):
    model = Sequential([layers.Dense(8, "relu", input_shape=(5,)), layers.LayerNormalization(), layers.Dense(3)], seed=1,
                       dtype=dtype)
    model.export(tmp_path / "m")
    program = read(tmp_path / "m")
    for rows in (1, 7):
        x = some((rows, 5), program.in_avals[0].dtype)
        y, expected = program.call(x), model.predict(x)
        assert y.dtype == expected.dtype
        assert_allclose(y.astype(float), expected.astype(float), rtol=1e-6, atol=1e-6)


LENGTHS = {
    "lstm": (1, [layers.Masking(), layers.LSTM(3, return_sequences=True), layers.LSTM(2, remat=True)]),
    "conv1d": (20, [layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.Conv1D(4, 3, padding="same", strides=2),
                    layers.AveragePooling1D(2, padding="same"), layers.Conv1D(3, 3), layers.GlobalMaxPooling1D()]),
    "products of lengths": (14, [layers.Conv1D(3, 3), layers.MaxPooling1D(3), layers.Conv1D(3, 3),
                                 layers.LSTM(3, return_sequences=True), layers.Conv1D(2, 2), layers.SimpleRNN(2)]),
    "causal": (2, [layers.Conv1D(4, 3, padding="causal", dilation_rate=2), layers.AveragePooling1D(2),
                   layers.GlobalAveragePooling1D()]),
    "borders": (3, [layers.Cropping1D(1), layers.ZeroPadding1D(2), layers.DepthwiseConv1D(3), layers.UpSampling1D(2),
                    layers.TimeDistributed(layers.Dense(2))]),
}


@pytest.mark.every(4)
@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_that_is_not_known_may_be_any_from_the_least_on(name, tmp_path):
    least, row = LENGTHS[name]
    model = Sequential([layers.InputLayer(batch_input_shape=(None, None, 2)), *row], seed=1)
    model.export(tmp_path / "m")
    program = read(tmp_path / "m")
    assert_is_predict(model, program, (1, least, 2), (3, least + 1, 2), (2, 30, 2))
    if least > 1:
        with pytest.raises(ValueError):
            program.call(some((2, least - 1, 2)))
        with pytest.raises(ValueError):
            model.predict(some((2, least - 1, 2)))


def test_a_batch_size_that_is_fixed(tmp_path):
    model = Sequential([layers.Conv1D(3, 4, batch_input_shape=(3, None, 2)), layers.LSTM(3)], seed=1)
    model.export(tmp_path / "m")
    assert_is_predict(model, read(tmp_path / "m"), (3, 4, 2), (3, 9, 2))


def test_images_of_any_size(tmp_path):
    row = [layers.Conv2D(3, 3, strides=2, padding="same"), layers.MaxPooling2D(2), layers.GlobalAveragePooling2D()]
    model = Sequential([layers.InputLayer(batch_input_shape=(None, None, None, 2)), *row], seed=1)
    model.export(tmp_path / "m")
    assert_is_predict(model, read(tmp_path / "m"), (1, 3, 9, 2), (2, 12, 5, 2))


def test_the_shape_may_be_told(tmp_path, capsys):
    model = Sequential([layers.Conv1D(4, 3, input_shape=(None, 2)), layers.Flatten()], seed=1)
    for given, shape, dtype in [((None, 8, 2), (3, 8, 2), "float32"), ([(4, 8, 2)], (4, 8, 2), "float32"),
                                ([jax.ShapeDtypeStruct((None, 8, 2), "uint8")], (2, 8, 2), "uint8")]:
        model.export(tmp_path / "m", input_signature=given, verbose=True)
        program = read(tmp_path / "m")
        assert program.in_avals[0].dtype == dtype
        assert_is_predict(model, program, shape)
    told = f"{tmp_path / 'm'}: uint8[batch,8,2] -> float32[batch,24], for cpu, cuda, tpu"
    assert capsys.readouterr().out.splitlines()[-1] == told


def test_the_weights_are_those_of_the_moment(tmp_path):
    model = Sequential([layers.Dense(1, input_shape=(2,))], seed=1)
    model.compile("sgd", "mse")
    model.export(tmp_path / "before")
    x = some((8, 2))
    before = model.predict(x)
    print_of_model = model.fingerprint()
    model.fit(x, x[:, :1], verbose=0)
    model.export(tmp_path / "after")
    assert_allclose(read(tmp_path / "before").call(x), before, rtol=1e-6)
    assert_allclose(read(tmp_path / "after").call(x), model.predict(x), rtol=1e-6)
    assert model.fingerprint() != print_of_model


# ---- without this library

SCRIPT = """
import sys
sys.modules["jaxseq"] = None        # not to be imported
import jax, jax.export, numpy as np
program = jax.export.deserialize(bytearray(open("m.stablehlo", "rb").read()))
for rows in (1, 7, 64):
    np.save(f"y{rows}.npy", jax.jit(program.call)(np.load(f"x{rows}.npy")))
assert "jaxseq" not in {name.split(".")[0] for name, module in sys.modules.items() if module is not None}
"""


def test_it_runs_where_jaxseq_is_not(tmp_path):
    model = Sequential([layers.Conv1D(6, 3, activation="relu", input_shape=(12, 2)), layers.LSTM(4),
                        layers.Dense(3, "softmax")], seed=1)
    model.export(tmp_path / "m.stablehlo")
    batches = {rows: some((rows, 12, 2), seed=rows) for rows in (1, 7, 64)}
    for rows, x in batches.items():
        np.save(tmp_path / f"x{rows}.npy", x)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=clean, check=True, timeout=200)
    for rows, x in batches.items():
        assert_allclose(np.load(tmp_path / f"y{rows}.npy"), model.predict(x), rtol=1e-6, atol=1e-6)


# ---- what is refused


def test_a_file_that_cannot_be_written_stays_what_it_was(tmp_path):
    model = Sequential([layers.Dense(1, input_shape=(2,))], seed=1)
    (tmp_path / "m").write_text("old")
    with pytest.raises(FileExistsError):
        model.export(tmp_path / "m", overwrite=False)
    with pytest.raises(ValueError):
        Sequential([layers.LSTM(3, unroll=True, input_shape=(None, 4))]).export(tmp_path / "m")
    assert [each.name for each in tmp_path.iterdir()] == ["m"] and (tmp_path / "m").read_text() == "old"


@pytest.mark.parametrize("rows, told", [
    ([layers.LSTM(3, stateful=True, batch_input_shape=(2, 3, 4))], "lstm carries a state from call to call, and the program is "
     "a function of x alone. Export the state with it: jax.export.export(jax.jit(model.functional().apply))(model.params, "
     "model.state, x)."),
    ([layers.LSTM(3, unroll=True, input_shape=(None, 4))], "of x (None, None, 4) float32 no program can be made for cpu, "
     "cuda, tpu. TypeError: '_DimExpr' object cannot be interpreted as an integer. Where a layer must know a length, write it: "
     "input_signature=(None, 128, 4)."),
    ([layers.Lambda(lambda x: x * int(x.shape[0]), input_shape=(4,))], "In layer 'lambda', "),
])
def test_a_model_that_is_no_function_of_x_is_refused(rows, told, tmp_path):
    with pytest.raises(ValueError, match=re.escape(told)):
        Sequential(rows).export(tmp_path / "m")


@pytest.mark.parametrize("words, told", [
    (dict(format="onnx"), "export(format='onnx'): programs are written as 'stablehlo', which jax.export.deserialize reads, "
     "without this library. jax2onnx makes ONNX of model.functional().apply; docs/how-to/export.md says of which layers."),
    (dict(format="torch"), "Keras with PyTorch under it exports that."),
    (dict(format="best"), "export(format='best'): programs are written as 'stablehlo'"),
    (dict(filepath="m.keras"), "export('m.keras'): that is the name of a file that save or save_weights write. Write "
     "'m.stablehlo'."),
    (dict(input_signature=5), "export(input_signature=5): the model takes (None, 2). Write such a shape"),
    (dict(input_signature=(None, 5)), "export(input_signature=(None, 5)): the model takes (None, 2). Write such a shape, with "
     "None or a number where it has None."),
])
def test_what_cannot_be_asked_for(words, told, tmp_path):
    with pytest.raises(ValueError, match=re.escape(told)):
        Sequential([layers.Dense(1, input_shape=(2,))]).export(**{"filepath": tmp_path / "m", **words})


def test_a_stateful_step_may_be_exported_with_its_state():
    """The line that the refusal writes."""
    model = Sequential([layers.LSTM(3, stateful=True, batch_input_shape=(2, 3, 4)), layers.Dense(1)], seed=1)
    x = some((2, 3, 4))
    program = export.export(jax.jit(model.functional().apply))(model.params, model.state, x)
    state = model.state
    for _ in range(2):
        y, state = program.call(model.params, state, x)
        assert_allclose(y, model.predict(x), rtol=1e-6, atol=1e-6)
