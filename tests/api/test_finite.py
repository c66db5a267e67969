"""fit(check_finite=True) and TerminateOnNaN: the first number that is not finite is named, and the model stands before it."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.callbacks import Callback, TerminateOnNaN
from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout, Lambda, Masking
from jaxseq.models import Sequential
from jaxseq.optimizers import SGD

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(44, 4)).astype("float32")       # eleven batches of four
Y = X[:, :1] - X[:, 1:2]
SHORTER = "write a smaller learning_rate, or clipnorm=1.0 in the optimizer."
AT_ZERO = ("sqrt, norms, powers and divisions have no finite gradient at 0: write jnp.sqrt(jnp.maximum(z, 1e-12)) for "
           "jnp.sqrt(z).")


def make(*middle, loss="mse", optimizer="sgd"):
    model = Sequential([Dense(8, input_shape=(4,)), *middle, Dense(1, name="last")], seed=6)
    model.compile(optimizer, loss)
    return model


def fit(model, x=X, y=Y, **words):
    words = {"batch_size": 4, "shuffle": False, "verbose": 0, "check_finite": True} | words
    return model.fit(x, y, **words)


def lost(function, name):
    return Lambda(function, name=name)


def log_of_zero(z):
    return jnp.log(z * 0)


def root_of_zero(z):
    return jnp.sqrt(z * 0)


def loss_log(y, y_hat):
    return jnp.log((y - y_hat)[..., 0] * 0)


def loss_root(y, y_hat):
    return jnp.sqrt((y - y_hat)[..., 0] * 0)


@pytest.mark.every(3)
@pytest.mark.parametrize(("make", "what", "advice"), [
    (lambda: make(lost(log_of_zero, "odd"), Dense(3)), "the output of layer 'odd', Lambda(function=log_of_zero, name='odd')",
     f"Weights that grew too large do this: {SHORTER} In a function of your own look for 1 / 0, log(0) and the exp of large "
     "numbers."),
    (lambda: make(Dense(3), lost(root_of_zero, "odd")), "the gradient of layer 'odd', Lambda(function=root_of_zero, name='odd')"
     " with respect to its input", AT_ZERO),
    (lambda: make(loss=loss_log), "the loss", "In a loss of your own look for 1 / 0 and log(0). If the predictions are too "
     f"large: {SHORTER}"),
    (lambda: make(loss=loss_root), "the gradient of the loss with respect to its input", AT_ZERO),
    (lambda: Sequential([Dense(8, input_shape=(4,), kernel_regularizer=lambda w: jnp.sum(jnp.sqrt(w * 0)))]),
     "the gradient of 'kernel' in layer 'dense', ", AT_ZERO),
    (lambda: make(optimizer=SGD(3e38)), "the weight '",
     f"The step is too long: {SHORTER}"),
], ids=["output", "gradient of a layer", "loss", "gradient of the loss", "gradient of a weight", "weight"])
def test_what_was_not_finite_first_is_named(make, what, advice):
    model = make()
    if model.optimizer is None:
        model.compile("sgd", "mse")
    y = np.repeat(Y, model.output_shape[-1], axis=1)
    model.build()
    before = model.fingerprint()
    with pytest.raises(FloatingPointError) as error:
        fit(model, y=y)
    told = str(error.value)
    assert told.startswith(f"NaN or infinity in {what}")
    assert told.endswith(f", at step 1: batch 0 of epoch 0, both counted from 0. The model stands before that step. {advice}")
    assert model.fingerprint() == before


def test_the_state_is_looked_at_too():
    model = make(BatchNormalization(), Lambda(lambda z: z * 0))
    with pytest.raises(FloatingPointError, match="in the state 'moving_variance' of layer 'batch_normalization', Batch"):
        fit(model, x=X * 1e25)


@pytest.mark.every(4)
@pytest.mark.parametrize("middle", [list, lambda: [Dropout(0.5)], lambda: [BatchNormalization()]],
                         ids=["plain", "draws", "looks at the batch"])
@pytest.mark.parametrize("bad", [0, 7, 10])
def test_the_model_stands_before_the_first_step_that_was_not_finite(middle, bad):
    spoilt = X.copy()
    spoilt[4 * bad + 2, 1] = np.inf
    model, twin = make(*middle(), optimizer="adam"), make(*middle(), optimizer="adam")
    told = rf"^NaN or infinity in x, at step {12 + bad}: batch {bad} of epoch 1, both counted from 0\. .* check_inputs=True"
    fit(model)
    with pytest.raises(FloatingPointError, match=told):
        fit(model, x=spoilt, epochs=3, initial_epoch=1, check_inputs=False)
    fit(twin, check_finite=False)
    if bad:
        fit(twin, x=X[:4 * bad], y=Y[:4 * bad], check_finite=False)
    assert model.fingerprint() == twin.fingerprint()
    fit(model)                                          # and goes on


@pytest.mark.full
def test_so_it_does_for_data_that_come_in_batches_with_weights_and_masks():
    model = Sequential([Masking(input_shape=(5, 3)), LSTM(2), Dense(1)], seed=0)
    model.compile("adam", "mse")
    x, y, weight = RANDOM.normal(size=(4, 5, 3)).astype("float32"), RANDOM.normal(size=(4, 1)), np.ones(4)
    x[:, 3:] = 0
    batches = [(x, y, weight)] * 3 + [(x, y * np.nan, weight)] + [(x, y, weight)]
    with pytest.raises(FloatingPointError, match="^NaN or infinity in y, at step 4: batch 3 of epoch 0"):
        fit(model, x=iter(batches), y=None, batch_size=None, check_inputs=False)
    assert int(model.train_state.step) == 3


def test_where_all_is_finite_nothing_changes():
    one, other = make(Dropout(0.5)), make(Dropout(0.5))
    assert fit(one, epochs=3).history == fit(other, epochs=3, check_finite=False).history
    assert one.fingerprint() == other.fingerprint()


def test_terminate_on_nan_says_the_same_and_ends_training(capsys):
    class Noting(Callback):
        def __init__(self):
            super().__init__()
            self.messages, self.epochs = [], []

        def on_not_finite(self, message):
            self.messages.append(message)

        def on_epoch_end(self, epoch, logs=None):
            self.epochs.append(epoch)

    spoilt, noting = X.copy(), Noting()
    spoilt[9] = np.nan
    model = make()
    history = fit(model, x=spoilt, epochs=4, check_inputs=False, check_finite=False, callbacks=[TerminateOnNaN(), noting])
    said = capsys.readouterr().out.strip()
    assert noting.messages == [said] and noting.epochs == [0] and np.isnan(history.history["loss"]).all()
    assert said == ("NaN or infinity in x, at step 3: batch 2 of epoch 0, both counted from 0. The model stands before that "
                    "step. fit with check_inputs=True refuses such data before the first step.")
    assert int(model.train_state.step) == 2


def test_what_it_can_be():
    with pytest.raises(TypeError, match="^check_finite=1: write True or False.$"):
        fit(make(), check_finite=1)


def root_of_nothing(w):
    return jnp.sum(jnp.sqrt(w * 0))


def nested(*layers, optimizer="sgd"):
    inner = Sequential([Dense(3, input_shape=(4,)), *layers], "inner", seed=0)
    model = Sequential([inner, Dense(1)], seed=6)
    model.compile(optimizer, "mse")
    return model


@pytest.mark.every(3)
@pytest.mark.parametrize(("model", "what", "advice"), [
    (lambda: nested(Sequential([Dense(2, kernel_regularizer=root_of_nothing)], "deep")),
     "the gradient of 'deep/dense/kernel' in layer 'inner', Sequential(", AT_ZERO),
    (lambda: nested(optimizer=SGD(3e38)), "the weight 'dense/bias' of layer 'inner', Sequential(",
     f"The step is too long: {SHORTER}"),
    (lambda: nested(optimizer=SGD(loss_scale_factor=3e38)), "the gradient of the loss with respect to its input", AT_ZERO),
], ids=["gradient", "weight", "loss scale"])
def test_in_a_model_within_the_path_is_named(model, what, advice):
    with pytest.raises(FloatingPointError) as error:
        fit(model(), X, 1000 * Y)
    assert str(error.value).startswith(f"NaN or infinity in {what}") and str(error.value).endswith(advice)
