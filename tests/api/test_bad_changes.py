"""What a model cannot become or do, or a user's loss cannot give, is refused with one clear error, and it stays as it was.

Most cases are a row in a table: what it is, the change, the error and its whole text.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from bad_input import (
    BINARY,
    FOR_TEXTS,
    HOOKED,
    ONES,
    OURS,
    SHAPED,
    WHOLE,
    X,
    Y,
    nothing_compiled,
    put,
    table,
    unharmed,
)
from compiled import COMPILED

from jaxseq import optimizers
from jaxseq.layers import LSTM, Dense
from jaxseq.models import Sequential

# ---- compile, add, build, set_weights

def weights_like(value: Any, dtype: Any = None) -> list[np.ndarray]:
    """Weights for the regressor, all of one value."""
    return [np.full((4, 1), value, dtype), np.full((1,), value, dtype)]


@table(
    ("an unknown loss", lambda model: model.compile("sgd", "msee"), ValueError,
     "Unknown loss 'msee'. Did you mean 'mse' or 'msle'?"),
    ("a number for a loss", lambda model: model.compile("sgd", 5), TypeError,
     "loss=5: write a name such as 'mse', or a function (y_true, y_pred)."),
    ("a list of losses", lambda model: model.compile("sgd", ["mse", "mae"]), ValueError,
     "loss=['mse', 'mae']: a Sequential has one loss, write one."),
    ("an unknown optimizer", lambda model: model.compile("sdg", "mse"), ValueError,
     "Unknown optimizer 'sdg'. Did you mean 'sgd'?"),
    ("a number for an optimizer", lambda model: model.compile(5, "mse"), TypeError, "optimizer=5: write a name such as 'adam', "
     "jaxseq.optimizers.Adam(), or an Optax transformation such as optax.adamw(1e-3)."),
    ("an unknown metric", lambda model: model.compile("sgd", "mse", metrics=["acuracy"]), ValueError,
     "Unknown metric 'acuracy'. Did you mean 'accuracy' or 'Accuracy' or 'BinaryAccuracy'?"),
    ("a number for a metric", lambda model: model.compile("sgd", "mse", metrics=[5]), TypeError,
     "metrics=[5] are numbers: the third argument of compile is metrics, as in Keras 2. Write loss_weights=[5]."),
    ("metrics as a string", lambda model: model.compile("sgd", "mse", metrics="accuracy"), TypeError,
     "metrics='accuracy': write a list, metrics=['accuracy']."),
    ("a compile keyword", lambda model: model.compile("sgd", los="mse"), TypeError,
     "compile takes no argument 'los'. Did you mean 'loss'?"),
    ("a learning rate below 0", lambda model: setattr(model, "learning_rate", -1), ValueError,
     "learning_rate=-1: write a number from 0 on."),
    ("a learning rate of NaN", lambda model: setattr(model, "learning_rate", np.nan), ValueError,
     "learning_rate=nan: write a number from 0 on."),
    ("a learning rate '0.1'", lambda model: setattr(model, "learning_rate", "0.1"), ValueError,
     "learning_rate='0.1': write a number from 0 on."),
    ("add nothing", lambda model: model.add(), TypeError, "add() needs a layer: model.add(Dense(10))."),
    ("add a number", lambda model: model.add(5), TypeError, "add(5): write a layer of jaxseq.layers, or an instance of your "
     "own subclass of jaxseq.layers.Layer."),
    ("add a class", lambda model: model.add(Dense), TypeError, "add(Dense) is a class: add an instance, Dense(...)."),
    ("add a layer again", lambda model: model.add(model.layers[0]), ValueError,
     "Dense(units=1, name='dense', batch_input_shape=(None, 4)) stands in this model already: write a new layer."),
    ("add a name that is taken", lambda model: model.add(Dense(3, name="dense")), ValueError,
     "Two layers are called 'dense': write another name for Dense(units=3, name='dense')."),
    ("add a layer that cannot follow", lambda model: model.add(LSTM(3)), ValueError,
     "LSTM(units=3) cannot follow Dense(units=1, name='dense', batch_input_shape=(None, 4)), whose output is (None, 1): LSTM "
     "needs x (batch, time, features), got (None, 1). Write return_sequences=True in the recurrent layer before it, or give x "
     "a time axis: x[:, :, None]."),
    ("add a batch size too late", lambda model: model.add(batch_size=8), ValueError,
     "The model has its weights already: declare the input before they are drawn."),
    ("build for a number", lambda model: model.build(784), TypeError,
     "build(784): write the shape with its batch axis, build((None, 784))."),
    ("build for another input", lambda model: model.build((None, 5)), ValueError,
     "build((None, 5)): the model's input is declared as (None, 4)."),
    ("too few weights", lambda model: model.set_weights(model.get_weights()[:1]), ValueError,
     "set_weights got 1 arrays and needs 2: dense/kernel, dense/bias."),
    ("weights of another shape", lambda model: model.set_weights([np.ones((1, 4)), np.ones(1)]), ValueError,
     "dense/kernel has shape (4, 1), got (1, 4)."),
    ("weights None", lambda model: model.set_weights(None), TypeError,
     "set_weights(None): pass a list of arrays, as get_weights gives it."),
    ("weights of None", lambda model: model.set_weights(weights_like(None)), TypeError,
     "dense/kernel[0, 0] is None, of type NoneType: pass an array of numbers."),
    ("complex weights", lambda model: model.set_weights(weights_like(1, complex)), TypeError, "dense/kernel has dtype "
     "complex128: pass numbers, for example dense/kernel.real and dense/kernel.imag side by side."),
    ("weights too large for float32", lambda model: model.set_weights(weights_like(1e300)), ValueError,
     "dense/kernel[0, 0] is 1e+300, too large for float32: scale the data first."),
    ("too few weights of a layer", lambda model: model.layers[0].set_weights([]), ValueError,
     "set_weights got 0 arrays and needs 2: dense/kernel, dense/bias."),
    ("params without an entry", lambda model: setattr(model, "params", {"dense": {"kernel": np.ones((4, 1))}}), ValueError,
     "params['dense']['bias'] is missing."),
    ("params with another entry", lambda model: setattr(model, "params", {**model.params, "extra": {"w": np.ones(1)}}),
     ValueError, "params['extra']['w'] is not in the model."),
    ("a layer there is not", lambda model: model.get_layer("dence"), ValueError,
     "There is no layer 'dence'. Did you mean 'dense'?"),
    ("an index there is not", lambda model: model.get_layer(index=7), ValueError,
     "get_layer(index=7): the model has 1 layers."),
    ("neither name nor index", lambda model: model.get_layer(), ValueError,
     "get_layer needs a name or an index: get_layer('dense') or get_layer(index=0)."),
)
def test_a_change_that_does_not_fit_leaves_the_model_as_it_was(row, refuses):
    call, error, message = row
    with unharmed("regressor") as model, refuses(message, error):
        call(model)


def test_an_optimizer_that_does_not_fit_the_weights_leaves_the_old_one():
    misfit = optax.multi_transform({"a": optax.sgd(0.1)}, {"dense": "b"})
    with unharmed("regressor") as model, pytest.raises(ValueError, match="Some parameters have no corresponding"):
        model.compile(misfit, "mse")


def test_a_learning_rate_that_is_not_there_cannot_be_set(refuses):
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile(optimizers.SGD(optax.constant_schedule(0.1)), "mse")
    with refuses("The learning rate follows a schedule: compile with a number to set it.", TypeError):
        model.learning_rate = 0.5
    plain = optax.identity()
    model.compile(plain, "mse")
    with refuses(f"The optimizer {plain!r} keeps no learning rate: compile with one of jaxseq.optimizers.", AttributeError):
        model.learning_rate = 0.5


# ---- a model that has not seen its input

NEVER_SEEN = ("The model has not seen its input yet, so it has no weights. Declare it, Dense(32, input_shape=(784,)), or call "
              "build((None, 784)) or fit.")


@table(
    ("y of another shape", lambda model: model.fit(X, np.zeros((24, 3)), verbose=0), ValueError,
     "mean_squared_error wants y of the shape of the model's output, (None, 1); got (24, 3). Give the last layer 3 units, or "
     "pass 1 column."),
    ("a NaN in x", lambda model: model.fit(put(X, (5, 1), np.nan), Y, verbose=0), ValueError,
     "x has 1 value that is NaN or infinite, at [5, 1]: nan. Clean the data, for example with np.nan_to_num."),
    ("an empty x", lambda model: model.fit(X[:0], Y[:0], verbose=0), ValueError,
     "x is empty, shape (0, 4): there is nothing to work on."),
    ("an empty list", lambda model: model.fit([], [], verbose=0), ValueError,
     "x is empty, shape (0,): there is nothing to work on."),
    ("rows without features", lambda model: model.fit(X[:, :0], Y, verbose=0), ValueError,
     "x has shape (24, 0): its rows are empty."),
    ("validation x of another width", lambda model: model.fit(X, Y, validation_data=(X[:, :3], Y), verbose=0), ValueError,
     "validation x has shape (24, 3), but the model wants (None, 4)."),
    ("a callback that is none", lambda model: model.fit(X, Y, callbacks=[5], verbose=0), TypeError,
     f"callbacks has 5: {HOOKED}"),
    ("strings to predict from", lambda model: model.predict([["a"]]), TypeError,
     f"x has dtype <U1, its first value is 'a': {FOR_TEXTS}"),
    ("nothing to predict from", lambda model: model.predict([]), ValueError, "x is empty, shape (0,), and the model has not "
     "seen its input yet: build it first, build((None, 784))."),
    ("build for nothing", lambda model: model.build(()), TypeError,
     "build(()): write the shape with its batch axis, build((None, 784))."),
    ("build for a negative width", lambda model: model.build((None, -4)), ValueError, f"input shape=(None, -4): {SHAPED}"),
    ("build without a shape", lambda model: model.build(), ValueError, NEVER_SEEN),
    ("weights", lambda model: model.get_weights(), ValueError, NEVER_SEEN),
    ("batch size 0", lambda model: model.add(batch_size=0), ValueError, f"batch_size=0: {WHOLE}"),
    ("a number for a shape", lambda model: model.add(input_shape=4), ValueError,
     f"input_shape=4: {SHAPED} Write input_shape=(4,)."),
)
def test_a_model_that_has_seen_nothing_has_seen_nothing_after_an_error(row, refuses):
    call, error, message = row
    model = Sequential([Dense(1)], seed=0)
    model.compile("sgd", "mse")
    with refuses(message, error):
        call(model)
    assert model.input_shape is None and model.history is None
    model.build((None, 7))                                      # any other input is still welcome
    assert model.input_shape == (None, 7)


def test_x_that_the_first_layer_cannot_take_is_refused(refuses):
    model = Sequential([LSTM(1)], seed=0)
    model.compile("sgd", "mse")
    with refuses("LSTM(units=1, name='lstm') cannot take (None, 4): LSTM needs x (batch, time, features), got (None, 4). Write "
                 "return_sequences=True in the recurrent layer before it, or give x a time axis: x[:, :, None]."):
        model.fit(X, Y, verbose=0)
    assert model.input_shape is None


def test_an_empty_model_says_so(refuses):
    model = Sequential()
    model.compile("sgd", "mse")
    for call in lambda: model.fit(X, Y), lambda: model.predict(X), lambda: model.build((None, 4)):
        with refuses("The model is empty: add a layer first, model.add(Dense(10))."):
            call()
    with refuses("There is no layer to pop: the model is empty.", TypeError):
        model.pop()


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_what_needs_compile_says_so(method, refuses):
    model = Sequential([Dense(1)])
    with refuses(f"{method} needs a compiled model: write model.compile(optimizer='rmsprop', loss='mse') first.", RuntimeError):
        getattr(model, method)(X, Y)
    model.compile("sgd")
    with refuses(f"{method} needs a loss: write model.compile(optimizer, loss='mse')."):
        getattr(model, method)(X, Y)


# ---- a user's loss and metric

def three_rows(y_true, y_pred):
    return y_pred[:3, 0]


@table(
    ("a loss of three rows", {"loss": three_rows}, ValueError,
     "The loss gave shape (3,) for predictions (24, 1): return one number per row, for example "
     "mean(..., axis=-1), from y_true and y_pred of the same shape."),
    ("a loss that broadcasts (n,) against (n, 1)", {"loss": lambda y, p: (y[:, 0] - p) ** 2}, ValueError,
     "The loss gave shape (24, 24) for predictions (24, 1): return one number per row, for example "
     "mean(..., axis=-1), from y_true and y_pred of the same shape."),
    ("a loss without return", {"loss": lambda y, p: None}, ValueError,
     "The loss gave None: end the function with return."),
    ("a loss of one argument", {"loss": lambda y: y}, TypeError, "<lambda>() takes 1 positional argument but 2 were given"),
    ("a metric of three rows", {"loss": "mse", "metrics": [three_rows]}, ValueError,
     "metric 'three_rows' gave shape (3,) for predictions (24, 1): return one number per row, for example "
     "mean(..., axis=-1), from y_true and y_pred of the same shape."),
    ("a metric of another shape", {"loss": lambda y, p: jnp.abs(p), "metrics": ["categorical_accuracy"]}, ValueError,
     "categorical_accuracy wants y of the predictions' shape (24, 1), got (24, 2)."),
)
def test_a_function_that_gives_the_wrong_shape_is_refused_before_the_first_step(row, refuses):
    words, error, message = row
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile("sgd", **words)
    before = model.fingerprint()
    y = np.hstack([Y, Y]) if "(24, 2)" in message else Y
    for call in lambda: model.fit(X, y, verbose=0), lambda: model.evaluate(X, y, verbose=0), lambda: model.train_on_batch(X, y):
        with nothing_compiled(), refuses(message, error):
            call()
    assert model.fingerprint() == before
    model.compile("sgd", "mse")
    assert np.isfinite(model.train_on_batch(X, Y))


def test_a_loss_of_one_number_cannot_be_weighed(refuses):
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile("sgd", lambda y, p: jnp.mean(jnp.square(y - p)))
    before = model.fingerprint()
    for words in {"sample_weight": ONES}, {"class_weight": {0: 1.0, 1: 2.0}}:
        with refuses("The loss gives one number for the whole batch, so sample_weight and class_weight cannot weigh its rows. "
                     "Let it return one number per row: mean(..., axis=-1)."):
            model.fit(X, BINARY, verbose=0, **words)
    assert model.fingerprint() == before
    assert np.isfinite(model.train_on_batch(X, Y))


def test_what_is_compiled_is_noticed():
    before = len(COMPILED)
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=24, validation_split=0.5, verbose=0)
    model.predict(X)
    assert sorted(set(COMPILED[before:]) & OURS) == ["jit(evaluate)", "jit(predict)", "jit(train)"]      # evaluate beside train
