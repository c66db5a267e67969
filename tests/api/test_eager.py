"""run_eagerly: real numbers within layers and losses, and the same results."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import COMPILED
from numpy.testing import assert_allclose

from jaxseq.layers import LSTM, Conv1D, Dense, Dropout, Flatten, Lambda
from jaxseq.models import Sequential

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(10, 6, 3)).astype(np.float32), RANDOM.integers(0, 2, (10, 1)).astype(np.float32)


def make(layers, **options):
    model = Sequential(layers, seed=1)
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"], **options)
    return model


def stacks():
    return [[Dense(4, input_shape=(6, 3)), Dropout(0.5), LSTM(3), Dense(1, activation="sigmoid")],
            [Conv1D(2, 3, input_shape=(6, 3)), Flatten(), Dense(1, activation="sigmoid")]]


@pytest.mark.parametrize("place", [pytest.param(0, marks=pytest.mark.full), 1])
def test_the_numbers_are_those_of_the_compiled_run(place):
    compiled, eager = make(stacks()[place]), make(stacks()[place], run_eagerly=True)
    histories = [each.fit(X, Y, batch_size=4, epochs=2, validation_split=0.3, verbose=0).history for each in (compiled, eager)]
    for name, values in histories[0].items():
        assert_allclose(histories[1][name], values, rtol=1e-4, err_msg=name)
    assert_allclose(eager.predict(X), compiled.predict(X), rtol=1e-4, atol=1e-6)
    assert_allclose(eager.evaluate(X, Y, verbose=0), compiled.evaluate(X, Y, verbose=0), rtol=1e-4)


def test_a_layer_and_a_loss_see_real_numbers_in_training_too():
    seen = {"layer": [], "loss": []}

    def noted(name, x):
        x_ = jax.lax.stop_gradient(jnp.mean(x))
        if not isinstance(x_, jax.core.Tracer):             # shapes are found out beforehand, by tracing
            seen[name].append(float(x_))
        return x

    model = Sequential([Dense(1, input_shape=(3,)), Lambda(lambda x: noted("layer", x))], seed=1)
    model.compile("sgd", lambda y, y_hat: jnp.mean((y - noted("loss", y_hat)) ** 2, axis=-1), run_eagerly=True)
    first = model.predict(X[:, 0]).mean()
    model.fit(X[:, 0], Y, verbose=0)
    assert_allclose([seen["layer"][-1], seen["loss"][-1]], first, rtol=1e-5)


def test_no_program_of_ours_is_compiled():
    model = make(stacks()[1], run_eagerly=True)
    before = len(COMPILED)
    model.fit(X, Y, verbose=0)
    assert not {"jit(train)", "jit(evaluate)"} & set(COMPILED[before:])


@pytest.mark.parametrize(("options", "message"), [
    ({"steps_per_execution": 0}, "steps_per_execution=0: write a whole number of at least 1."),
    ({"jit_compile": "yes"}, "jit_compile='yes': write one of 'auto', True, False."),
    ({"sample_weight_mode": "rows"}, "sample_weight_mode='rows': write one of None, 'temporal'."),
])
def test_words_of_compile_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        make(stacks()[1], **options)
