"""model.optimizer: the rate and the count of updates as they stand in the model, read and set in the words of Keras 2 and 3."""

import copy
import dataclasses
import pickle

import jax
import keras
import numpy as np
import optax
import pytest
from compiled import COMPILED, compiled_since
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq import backend as K
from jaxseq.callbacks import Callback, LambdaCallback, LearningRateScheduler, ReduceLROnPlateau
from jaxseq.layers import Dense
from jaxseq.models import Sequential
from jaxseq.optimizers import SGD, Adam, LossScaleOptimizer
from jaxseq.optimizers.schedules import ExponentialDecay

X, Y = np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3), np.ones((8, 1), np.float32)


def line(optimizer, seed=0):
    model = Sequential([Dense(1, input_shape=(3,))], seed=seed)
    model.compile(optimizer, "mse")
    return model


@pytest.fixture(scope="module")
def shared():
    model = line(SGD(0.5))
    model.fit(X, Y, batch_size=2, verbose=0)
    return model, model.train_state


@pytest.fixture
def model(shared):
    model, model.train_state = shared
    return model


def test_the_rate_is_a_number_to_read(model):
    rate = model.optimizer.learning_rate
    assert float(rate) == 0.5 and rate.numpy() == np.float32(0.5) and rate.numpy().dtype == rate.dtype == np.float32
    assert rate * 0.5 == 0.25 and 1 - rate == 0.5 and rate < 1 and bool(rate)
    assert f"{rate:.3f}" == "0.500" and str(rate) == "0.5"
    assert np.log2(rate) == -1 and np.asarray(rate).shape == rate.shape == () and int(model.optimizer.iterations) == 4
    assert K.get_value(model.optimizer.lr) == K.eval(rate) == 0.5 and K.batch_get_value([rate]) == [0.5]


SETTERS = {
    "model": lambda model, value: setattr(model, "learning_rate", value),
    "learning_rate": lambda model, value: setattr(model.optimizer, "learning_rate", value),
    "lr": lambda model, value: setattr(model.optimizer, "lr", value),
    "assign": lambda model, value: model.optimizer.learning_rate.assign(value),
    "set_value": lambda model, value: K.set_value(model.optimizer.lr, value),
    "batch_set_value": lambda model, value: K.batch_set_value([(model.optimizer.lr, np.float64(value))]),
}


@pytest.mark.parametrize("way", SETTERS)
def test_the_rate_that_is_set_acts_at_the_next_step_and_compiles_nothing(way, model):
    held = model.optimizer.learning_rate                        # read now, it follows the model
    before = model.get_weights()
    model.fit(X, Y, batch_size=8, verbose=0)
    compiled = len(COMPILED)
    step = [now - old for now, old in zip(model.get_weights(), before, strict=True)]
    model.set_weights(before)
    SETTERS[way](model, 0.125)
    assert float(held) == float(model.optimizer.lr) == model.learning_rate == 0.125
    model.fit(X, Y, batch_size=8, verbose=0)
    for now, old, full in zip(model.get_weights(), before, step, strict=True):
        assert_allclose(now - old, full / 4, rtol=1e-5, atol=2e-7)
    assert compiled_since(compiled, "train") == 0


def test_a_callback_of_keras_2_halves_the_rate_between_batches(model):
    seen = []

    class Halve(Callback):
        def on_batch_end(self, batch, logs):
            seen.append(float(K.get_value(self.model.optimizer.lr)))
            K.set_value(self.model.optimizer.lr, K.get_value(self.model.optimizer.lr) / 2)

    model.fit(X, Y, batch_size=2, callbacks=[Halve()], verbose=0)
    assert seen == [0.5, 0.25, 0.125, 0.0625] and model.learning_rate == 0.03125


def test_the_optimizer_shows_what_callbacks_set(model):
    seen = []
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[
        LearningRateScheduler(lambda epoch: 0.5 ** (epoch + 1)),
        LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(float(model.optimizer.learning_rate)))])
    assert seen == [0.5, 0.25, 0.125]
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)])
    assert float(model.optimizer.lr) == 0.125 / 4


def test_two_models_do_not_share_the_number():
    optimizer = Adam(0.5)
    first, second = line(optimizer), line(optimizer, seed=1)
    first.optimizer.learning_rate = 0.25
    assert [float(each.optimizer.learning_rate) for each in (first, second)] == [0.25, 0.5] and optimizer.learning_rate == 0.5
    third = line(first.optimizer, seed=2)                       # begins where the first one stands, and goes its own way
    third.optimizer.learning_rate = 0.125
    assert [float(each.optimizer.learning_rate) for each in (first, third)] == [0.25, 0.125]


def test_the_optimizer_of_a_model_is_its_declaration(model):
    assert type(model.optimizer) is SGD and model.optimizer == SGD(0.5) and hash(model.optimizer) == hash(SGD(0.5))
    assert repr(model.optimizer) == "SGD(learning_rate=0.5, momentum=0.0, nesterov=False)"
    model.learning_rate = 0.1
    assert model.optimizer == SGD(0.1) and model.optimizer.get_config() == SGD(0.1).get_config()
    assert SGD.from_config(model.optimizer.get_config()) == dataclasses.replace(model.optimizer) == SGD(0.1)
    for copied in copy.deepcopy(model.optimizer), pickle.loads(pickle.dumps(model.optimizer)):
        assert copied == SGD(0.1) and copied.owner is None
    assert (SGD.learning_rate, Adam.learning_rate) == (0.01, 0.001)


@pytest.mark.parametrize("words", [{}, {"input_shape": (3,)}], ids=["the input is not known", "it is"])
def test_it_is_read_and_set_before_there_are_weights(words):
    model = Sequential([Dense(1, **words)], seed=0)
    model.compile(SGD(0.5), "mse")
    assert repr(model.optimizer) == "SGD(learning_rate=0.5, momentum=0.0, nesterov=False)" and model.optimizer == SGD(0.5)
    assert model.optimizer.get_config() == SGD(0.5).get_config() and int(model.optimizer.iterations) == 0
    assert float(model.optimizer.lr) == model.learning_rate == 0.5
    model.optimizer.lr = 0.125
    model.optimizer.iterations = 10
    assert model.optimizer == SGD(0.125) and not model.drawn
    copied = copy.deepcopy(model)
    for each in model, copied:
        each.fit(X, Y, batch_size=8, verbose=0)
        assert each.learning_rate == 0.125 and int(each.optimizer.iterations) == 11
    wanted = line(SGD(0.125))
    wanted.fit(X, Y, batch_size=8, verbose=0)
    assert_array_equal(model.get_weights()[0], wanted.get_weights()[0])


def test_what_is_set_before_there_are_weights_reaches_a_model_of_float64():
    with jax.enable_x64(True):
        model = Sequential([Dense(1)], seed=0, dtype="float64")
        model.compile(SGD(0.5), "mse")
        model.optimizer.lr, model.optimizer.iterations = 0.125, 10
        model.fit(X, Y, batch_size=8, verbose=0)
        assert model.learning_rate == 0.125 and int(model.optimizer.iterations) == 11


def test_a_declaration_stays_one(model, refuses):
    with refuses("SGD.learning_rate cannot be changed: compile with another optimizer, or write model.learning_rate = 1 for "
                 "the rate of the next step.", dataclasses.FrozenInstanceError):
        SGD().learning_rate = 1
    with refuses("SGD.momentum cannot be changed: compile with another optimizer, or write model.learning_rate = 0.9 for the "
                 "rate of the next step.", dataclasses.FrozenInstanceError):
        model.optimizer.momentum = 0.9
    with refuses("SGD(learning_rate=0.01, momentum=0.0, nesterov=False) stands in no model, so it has made no updates. Ask "
                 "model.optimizer.iterations after model.compile(...).", AttributeError):
        SGD().iterations    # noqa: B018
    with refuses("learning_rate=nan: write a number from 0 on."):
        model.optimizer.lr = float("nan")
    assert not hasattr(SGD(), "iterations") and SGD(0.25).lr == 0.25


def test_iterations_are_the_updates_of_keras(model):
    theirs = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    theirs.compile(keras.optimizers.SGD(0.5, gradient_accumulation_steps=2), "mse")
    ours = line(SGD(0.5, gradient_accumulation_steps=2))
    for each in ours, theirs:
        each.fit(X, Y, batch_size=2, epochs=3, verbose=0)
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations) == 6
    K.set_value(model.optimizer.iterations, 100)
    assert int(model.optimizer.iterations) == 100 and int(model.train_state.step) == 4
    model.optimizer.iterations = 7
    assert int(model.optimizer.iterations) == 7


def test_a_transformation_of_optax_counts_no_updates(refuses):
    model = line(LossScaleOptimizer(optax.sgd(0.1)))
    for use in lambda: int(model.optimizer.iterations), lambda: setattr(model.optimizer, "iterations", 7):
        with refuses("A transformation of Optax keeps no count of its updates: compile with one of jaxseq.optimizers.",
                     AttributeError):
            use()


def test_the_count_that_is_set_is_what_decay_sees():
    model = line(SGD(0.5, decay=1.0))
    before = model.get_weights()
    model.train_on_batch(X, Y)
    step = model.get_weights()[0] - before[0]
    model.set_weights(before)
    K.set_value(model.optimizer.iterations, 3)
    model.train_on_batch(X, Y)
    assert_allclose(model.get_weights()[0] - before[0], step / 4, rtol=1e-5)


def test_a_schedule_shows_the_rate_of_the_next_step_as_in_keras():
    theirs = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    theirs.compile(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)), "mse")
    ours = line(SGD(ExponentialDecay(0.5, 2, 0.5)))
    for _ in range(3):
        assert_allclose(float(ours.optimizer.learning_rate), float(theirs.optimizer.learning_rate), rtol=1e-6)
        for each in ours, theirs:
            each.train_on_batch(X, Y)
    assert ours.optimizer == SGD(ExponentialDecay(0.5, 2, 0.5))
    assert ours.optimizer.get_config() == SGD(ExponentialDecay(0.5, 2, 0.5)).get_config()
    assert line(ours.optimizer)._compiled.optimizer == SGD(ExponentialDecay(0.5, 2, 0.5))


@pytest.mark.parametrize("callback", [LearningRateScheduler(lambda epoch: 0.1), ReduceLROnPlateau("loss")])
def test_a_schedule_and_a_callback_that_sets_the_rate_are_refused_before_the_first_step(callback, refuses):
    model = line(SGD(ExponentialDecay(0.5, 2, 0.5)))
    before = model.fingerprint()
    with refuses("The learning rate follows a schedule: compile with a number to set it.", TypeError):
        model.fit(X, Y, callbacks=[callback], verbose=0)
    assert model.fingerprint() == before
    model.compile(optax.sgd(0.1), "mse")
    with pytest.raises(AttributeError, match="keeps no learning rate: compile with one of jaxseq.optimizers"):
        model.fit(X, Y, callbacks=[callback], verbose=0)
    assert int(model.train_state.step) == 0


def test_layers_weights_and_rate_may_change_between_batches_without_new_programs_for_what_was_there():
    model = Sequential([Dense(2, input_shape=(3,)), Dense(1)], seed=0)
    model.compile(SGD(0.125), "mse")
    first = model.layers[0]

    class Steer(Callback):
        def on_train_batch_end(self, batch, logs=None):
            first.trainable = batch % 2 == 1
            self.model.optimizer.lr = 0.125 / (batch + 1)
            self.model.set_weights(self.model.get_weights())

    model.fit(X, Y, batch_size=2, callbacks=[Steer()], verbose=0)           # both programs, with and without the first layer
    before, frozen = len(COMPILED), []
    watch = LambdaCallback(on_batch_begin=lambda batch, logs: frozen.append((first.trainable, first.get_weights()[0])))
    model.fit(X, Y, batch_size=2, callbacks=[watch, Steer()], verbose=0)
    assert compiled_since(before, "train") == 0
    assert [each for each, _ in frozen] == [True, False, True, False]
    assert_array_equal(frozen[1][1], frozen[2][1])
    assert np.abs(frozen[2][1] - frozen[3][1]).max() > 0
