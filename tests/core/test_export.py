"""A training step is lowered for CPU, CUDA and TPU, whatever machine this is, and each gets the form that suits it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from numpy.testing import assert_allclose
from shares import always
from started import train_state

from jaxseq.core import chain, losses, metrics, optimizers, run
from jaxseq.core.layers import LSTM, Conv1D, Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling1D, Masking, MaxPooling2D
from jaxseq.core.rng import root_key
from jaxseq.core.types import Batch, Spec

PLATFORMS = "cpu", "cuda", "tpu"
BATCH, CLASSES = 4, 3

MODELS = {
    "mlp": ((5,), lambda: (Dense(8, "relu"), Dropout(0.5), Dense(8, "relu"), Dropout(0.5), Dense(CLASSES, "softmax"))),
    "convnet": ((8, 8, 2), lambda: (Conv2D(4, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dense(CLASSES, "softmax"))),
    "lstm": ((14, 2), lambda: (Masking(), LSTM(4), Dropout(0.5), Dense(CLASSES, "softmax"))),
    "conv1d": ((10, 2), lambda: (Conv1D(4, 3, activation="relu"), Conv1D(4, 3), GlobalAveragePooling1D(),
                                 Dense(CLASSES, "softmax"))),
    "stateful lstm": ((4, 2), lambda: (LSTM(4, return_sequences=True, stateful=True), LSTM(4, stateful=True),
                                       Dense(CLASSES, "softmax"))),
}
XLAS_OWN = "[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]", "[f, 0, b]x[i, 0, o]->[0, b, f]"     # axes exchanged, none moved


@functools.cache
def training(name):
    """(the training program over the leaves of its arguments, those leaves: two batches of random data)."""
    shape, layers = MODELS[name]
    named = tuple((f"layer_{place}", layer) for place, layer in enumerate(layers()))
    loss = losses.get("categorical_crossentropy")
    task = run.Task(named, "float32", loss, (metrics.get("accuracy", loss),), optimizers.SGD(0.1, momentum=0.9).transform())
    draws = np.random.default_rng(0)
    x = draws.normal(size=(2 * BATCH, *shape)).astype(np.float32)
    if name == "lstm":
        x[::2, 9:] = 0                                                      # the steps that Masking hides
    y = np.eye(CLASSES, dtype=np.float32)[draws.integers(0, CLASSES, len(x))]
    key = root_key(0)
    params, state = jax.jit(lambda key: chain.init(named, key, Spec((BATCH, *shape), jnp.float32)))(key)
    rows = np.arange(len(x), dtype=np.int32).reshape(2, BATCH)
    arguments = (train_state(task, params, state, key), run.zero_sums(task), Batch(x, y), rows, np.int32(0),
                 np.int32(2))
    leaves, structure = jax.tree.flatten(arguments)
    train = run.make_train(task).__wrapped__
    return run.compiled(lambda leaves: jax.tree.leaves(train(*jax.tree.unflatten(structure, leaves)))), leaves


@functools.cache
def exported(name, *platforms):
    program, leaves = training(name)
    return export.export(program, platforms=platforms)(leaves)


def numbers(leaves):
    return [np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)
            for leaf in leaves]


def assert_same(leaves, expected):
    for one, other in zip(numbers(leaves), expected, strict=True):
        assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_it_lowers_for_every_platform(name):
    for platforms in (*((each,) for each in PLATFORMS), PLATFORMS):
        program = exported(name, *platforms)
        assert program.platforms == platforms
        assert "stablehlo.while" in program.mlir_module()


@pytest.mark.every(3)
@pytest.mark.parametrize("name", always({"mlp", "lstm"}, MODELS))
def test_what_was_exported_gives_the_numbers_of_the_program(name):
    program, leaves = training(name)
    before, expected = numbers(leaves), numbers(program(leaves))
    assert any(not np.array_equal(one, other) for one, other in zip(before, expected, strict=False))
    assert_same(run.compiled(exported(name, "cpu").call)(leaves), expected)


def test_what_was_exported_goes_through_bytes():
    pytest.importorskip("flatbuffers", reason="jax.export writes bytes with flatbuffers, which jax does not install")
    program, leaves = training("convnet")
    again = export.deserialize(exported("convnet", *PLATFORMS).serialize())
    assert_same(run.compiled(again.call)(leaves), numbers(program(leaves)))


@pytest.mark.parametrize("name", ["convnet", "conv1d"])
def test_the_gradient_of_a_convolution_has_each_platforms_own_form(name):
    own = {platforms: any(axes in exported(name, *platforms).mlir_module() for axes in XLAS_OWN)
           for platforms in (("cpu",), ("cuda",), ("tpu",), PLATFORMS)}
    assert own == {("cpu",): False, ("cuda",): True, ("tpu",): True, PLATFORMS: True}
    assert "stablehlo.case" in exported(name, *PLATFORMS).mlir_module()         # the choice is left to whoever runs it


@pytest.mark.parametrize("name", ["mlp", "lstm", "stateful lstm"])
def test_a_step_without_convolutions_is_the_same_for_gpu_and_tpu(name):
    cuda, tpu = (exported(name, each).mlir_module() for each in ("cuda", "tpu"))
    assert cuda.count("stablehlo.dot_general") == tpu.count("stablehlo.dot_general") > 0
