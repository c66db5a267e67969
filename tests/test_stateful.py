"""A stateful LSTM carries its state from batch to batch in fit, evaluate and predict, and only reset_states clears it."""

import numpy as np
import pytest

from jaxseq.layers import LSTM, Dense
from jaxseq.models import Sequential

BATCH, PIECE, PIECES, WIDTH = 4, 5, 6, 3
GENERATOR = np.random.default_rng(3)
WHOLE = GENERATOR.normal(size=(BATCH, PIECE * PIECES, WIDTH)).astype("float32")
CUT = np.concatenate(np.split(WHOLE, PIECES, axis=1))       # row i of batch k goes on where row i of batch k - 1 ended


def stack(stateful, length, seed=0, rate=0.1):
    shape = (BATCH, length, WIDTH)
    model = Sequential([LSTM(8, return_sequences=True, stateful=stateful, batch_input_shape=shape),
                        LSTM(8, return_sequences=True, stateful=stateful), LSTM(8, return_sequences=True, stateful=stateful),
                        Dense(2)], seed=seed)
    model.compile("sgd", "mse")
    model.learning_rate = rate
    return model


def test_predict_in_pieces_equals_one_unbroken_pass():
    pieces, whole = stack(True, PIECE), stack(False, PIECE * PIECES)
    joined = np.concatenate(np.split(pieces.predict(CUT, batch_size=BATCH), PIECES), axis=1)
    np.testing.assert_allclose(joined, whole.predict(WHOLE, batch_size=BATCH), rtol=1e-5, atol=1e-5)


def test_evaluate_in_pieces_equals_one_unbroken_pass():
    y = GENERATOR.normal(size=(BATCH, PIECE * PIECES, 2)).astype("float32")
    pieces, whole = stack(True, PIECE), stack(False, PIECE * PIECES)
    loss = pieces.evaluate(CUT, np.concatenate(np.split(y, PIECES, axis=1)), batch_size=BATCH, verbose=0)
    assert loss == pytest.approx(whole.evaluate(WHOLE, y, batch_size=BATCH, verbose=0), rel=1e-5)


def test_fit_in_pieces_measures_what_one_unbroken_pass_measures():
    y = GENERATOR.normal(size=(BATCH, PIECE * PIECES, 2)).astype("float32")
    pieces, whole = stack(True, PIECE, rate=0.0), stack(False, PIECE * PIECES)
    loss = pieces.fit(CUT, np.concatenate(np.split(y, PIECES, axis=1)), batch_size=BATCH, shuffle=False, verbose=0)
    assert loss.history["loss"][0] == pytest.approx(whole.evaluate(WHOLE, y, batch_size=BATCH, verbose=0), rel=1e-5)
    whole.predict(WHOLE, batch_size=BATCH)
    carried = pieces.layers[0].states["h"]
    first = Sequential([LSTM(8, input_shape=(None, WIDTH))])
    first.set_weights(pieces.layers[0].get_weights())
    np.testing.assert_allclose(carried, first.predict(WHOLE), rtol=1e-5, atol=1e-5)


def test_the_state_goes_on_over_calls_until_it_is_reset():
    model = stack(True, PIECE)
    x = CUT[:BATCH]
    first, second = model.predict(x, batch_size=BATCH), model.predict(x, batch_size=BATCH)
    assert np.abs(first - second).max() > 1e-4
    model.reset_states()
    np.testing.assert_array_equal(model.predict(x, batch_size=BATCH), first)


def test_the_state_of_one_layer_can_be_read_and_set():
    model = stack(True, PIECE)
    model.predict(CUT, batch_size=BATCH)
    kept = {name: np.array(value) for name, value in model.layers[1].states.items()}
    after = model.predict(CUT[:BATCH], batch_size=BATCH)
    for layer in model.layers[:3]:
        layer.reset_states()
    assert not np.any(model.layers[1].states["h"])
    model.reset_states()
    model.predict(CUT, batch_size=BATCH)
    model.layers[1].reset_states([kept["h"], kept["c"]])
    np.testing.assert_array_equal(model.predict(CUT[:BATCH], batch_size=BATCH), after)


def test_training_cuts_the_gradient_at_the_edge_of_a_batch():
    """With the carry as a constant, one step equals a step of a stateless LSTM that begins in that state."""
    import jax

    model = stack(True, PIECE)
    model.predict(CUT, batch_size=BATCH)
    functional = model.functional()
    y = np.ones((BATCH, PIECE, 2), "float32")

    def loss(params, carry):
        return ((functional.apply(params, carry, CUT[:BATCH])[0] - y) ** 2).mean()

    before, carry = model.params, model.state
    grads = jax.grad(loss)(before, carry)
    model.train_on_batch(CUT[:BATCH], y)
    wanted = jax.tree.map(lambda w, g: w - 0.1 * g, before, grads)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), dict(model.params), wanted)


def test_rows_that_the_batch_size_does_not_divide_are_refused_before_the_first_step():
    model = stack(True, PIECE)
    before = model.fingerprint()
    with pytest.raises(ValueError, match="x has 22 rows, but the model is declared for batches of exactly 4"):
        model.predict(CUT[:22])
    with pytest.raises(ValueError, match="x has 22 rows, but the model is declared for batches of exactly 4"):
        model.fit(CUT[:22], np.zeros((22, PIECE, 2)), verbose=0)
    assert model.fingerprint() == before


def test_a_penalty_is_nothing_that_a_layer_carries():
    model = Sequential([LSTM(2, stateful=True, activity_regularizer="l2", batch_input_shape=(2, 3, 1)), Dense(1)], seed=0)
    model.predict(np.ones((2, 3, 1)), batch_size=2)
    kept = list(map(np.array, model.layers[0].states.values()))
    assert [*model.layers[0].states] == ["h", "c"]
    model.reset_states()
    model.layers[0].reset_states(kept)
    np.testing.assert_array_equal(model.layers[0].states["c"], kept[1])
    model.layers[0].reset_states()
    assert not np.any(model.layers[0].states["h"])
