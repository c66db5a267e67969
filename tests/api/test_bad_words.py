"""Words that mean nothing are refused with one clear error: those to fit, evaluate and predict, and those of declarations.

Most cases are a row in a table: what it is, the bad argument, the error and its whole text.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bad_input import HOOKED, SHAPED, WHOLE, X, Y, table, unharmed

from jaxseq import callbacks, optimizers
from jaxseq.layers import Conv2D, Dense, Dropout, Embedding, Flatten, Input, InputLayer, PReLU, RandomFlip, Reshape
from jaxseq.models import Sequential

# ---- numbers and switches

COUNT = "write a whole number of at least 0."
SHARE = "write a share from 0 up to, and without, 1."


@table(
    ("batch_size 0", {"batch_size": 0}, ValueError, f"batch_size=0: {WHOLE}"),
    ("batch_size -1", {"batch_size": -1}, ValueError, f"batch_size=-1: {WHOLE}"),
    ("batch_size True", {"batch_size": True}, ValueError, f"batch_size=True: {WHOLE}"),
    ("batch_size 2.5", {"batch_size": 2.5}, ValueError, f"batch_size=2.5: {WHOLE}"),
    ("batch_size '8'", {"batch_size": "8"}, ValueError, f"batch_size='8': {WHOLE}"),
    ("epochs -3", {"epochs": -3}, ValueError, f"epochs=-3: {COUNT}"),
    ("epochs 1.5", {"epochs": 1.5}, ValueError, f"epochs=1.5: {COUNT}"),
    ("epochs None", {"epochs": None}, ValueError, f"epochs=None: {COUNT}"),
    ("epochs True", {"epochs": True}, ValueError, f"epochs=True: {COUNT}"),
    ("epochs '2'", {"epochs": "2"}, ValueError, f"epochs='2': {COUNT}"),
    ("nb_epoch -1", {"nb_epoch": -1}, ValueError, f"epochs=-1: {COUNT}"),
    ("initial_epoch -1", {"initial_epoch": -1}, ValueError, f"initial_epoch=-1: {COUNT}"),
    ("initial_epoch None", {"initial_epoch": None}, ValueError, f"initial_epoch=None: {COUNT}"),
    ("initial_epoch behind epochs", {"epochs": 2, "initial_epoch": 5}, ValueError, "initial_epoch=5 lies behind epochs=2, the "
     "number of the last epoch: write epochs=7 to train for 2 more."),
    ("steps_per_epoch 0", {"steps_per_epoch": 0}, ValueError, f"steps_per_epoch=0: {WHOLE}"),
    ("steps_per_epoch -1", {"steps_per_epoch": -1}, ValueError, f"steps_per_epoch=-1: {WHOLE}"),
    ("steps_per_epoch 2.5", {"steps_per_epoch": 2.5}, ValueError, f"steps_per_epoch=2.5: {WHOLE}"),
    ("validation_steps 0", {"validation_steps": 0, "validation_split": 0.5}, ValueError, f"validation_steps=0: {WHOLE}"),
    ("validation_steps alone", {"validation_steps": 1}, ValueError,
     "validation_steps needs validation_data or validation_split."),
    ("validation_split -0.1", {"validation_split": -0.1}, ValueError, f"validation_split=-0.1: {SHARE}"),
    ("validation_split 1", {"validation_split": 1}, ValueError, f"validation_split=1: {SHARE}"),
    ("validation_split 1.5", {"validation_split": 1.5}, ValueError, f"validation_split=1.5: {SHARE}"),
    ("validation_split NaN", {"validation_split": np.nan}, ValueError, f"validation_split=nan: {SHARE}"),
    ("validation_split True", {"validation_split": True}, ValueError, f"validation_split=True: {SHARE}"),
    ("validation_split '0.2'", {"validation_split": "0.2"}, ValueError, f"validation_split='0.2': {SHARE}"),
    ("validation_split of everything", {"validation_split": 0.999}, ValueError, "validation_split=0.999 of 24 rows leaves 0 to "
     "train on and 24 to measure: neither may be empty."),
    ("shuffle 'batches'", {"shuffle": "batches"}, ValueError, "shuffle='batches': write one of True, False, 'batch'."),
    ("shuffle None", {"shuffle": None}, ValueError, "shuffle=None: write one of True, False, 'batch'."),
    ("verbose 3", {"verbose": 3}, ValueError, "verbose=3: write one of 'auto', 0, 1, 2."),
    ("verbose 'yes'", {"verbose": "yes"}, ValueError, "verbose='yes': write one of 'auto', 0, 1, 2."),
    ("verbose None", {"verbose": None}, ValueError, "verbose=None: write one of 'auto', 0, 1, 2."),
    ("callbacks 5", {"callbacks": 5}, TypeError, f"callbacks has 5: {HOOKED}"),
    ("callbacks of a function", {"callbacks": [print]}, TypeError, f"callbacks has <built-in function print>: {HOOKED}"),
    ("callbacks of a class", {"callbacks": [callbacks.EarlyStopping]}, TypeError,
     f"callbacks has <class 'jaxseq.api.monitoring.EarlyStopping'>: {HOOKED}"),
    ("callbacks a class", {"callbacks": callbacks.EarlyStopping}, TypeError,
     f"callbacks has <class 'jaxseq.api.monitoring.EarlyStopping'>: {HOOKED}"),
    ("an unknown keyword", {"batchsize": 8}, TypeError,
     "fit takes no argument 'batchsize'. Did you mean 'batch_size' or 'validation_batch_size'?"),
)
def test_a_word_to_fit_that_means_nothing_is_refused(row, refuses):
    words, error, message = row
    with unharmed("regressor") as model, refuses(message, error):
        model.fit(X, Y, **{"verbose": 0} | words)


@pytest.mark.parametrize("method", ["evaluate", "predict"])
@table(
    ("batch_size 0", {"batch_size": 0}, ValueError, f"batch_size=0: {WHOLE}"),
    ("batch_size True", {"batch_size": True}, ValueError, f"batch_size=True: {WHOLE}"),
    ("batch_size '8'", {"batch_size": "8"}, ValueError, f"batch_size='8': {WHOLE}"),
    ("steps 0", {"steps": 0}, ValueError, f"steps=0: {WHOLE}"),
    ("steps 2.5", {"steps": 2.5}, ValueError, f"steps=2.5: {WHOLE}"),
    ("verbose 3", {"verbose": 3}, ValueError, "verbose=3: write one of 'auto', 0, 1, 2."),
    ("callbacks of strings", {"callbacks": "History"}, TypeError, f"callbacks has 'History': {HOOKED}"),
)
def test_a_word_to_evaluate_or_predict_that_means_nothing_is_refused(row, method, refuses):
    words, error, message = row
    data = (X, Y) if method == "evaluate" else (X,)
    with unharmed("regressor") as model, refuses(message, error):
        getattr(model, method)(*data, **{"verbose": 0} | words)


# ---- words in constructors

MEANT_RELU = "Unknown activation 'rleu'. Did you mean 'relu' or 'relu6'?"
NAMED = "write letters, digits, '_', '-', '.' and spaces; the name becomes a key in files."
SEEDED = "write a whole number from 0 to 2**63 - 1, or a JAX key."
RATED = "write a number from 0 on, or an Optax schedule."
DROPPED = "write a number from 0 up to, and without, 1."


@table(
    ("activation", lambda: Dense(3, activation="rleu"), ValueError, MEANT_RELU),
    ("activation 5", lambda: Dense(3, activation=5), ValueError,
     "5 is no activation: write a name, as 'relu', or pass a function of an array."),
    ("a layer with weights for an activation", lambda: Dense(3, activation=PReLU()), ValueError,
     "PReLU() is no activation of another layer: add it as a layer of its own, after that one."),
    ("a layer that draws for an activation", lambda: Dense(3, activation=Dropout(0.5)), ValueError,
     "Dropout(rate=0.5) is no activation of another layer: add it as a layer of its own, after that one."),
    ("two shapes of an input", lambda: InputLayer((8,), batch_shape=(2, 8)), ValueError,
     "InputLayer(shape=(8,)) has another shape beside it, (2, 8): write one of them."),
    ("an input layer without a shape", lambda: InputLayer(batch_size=3), ValueError,
     "InputLayer needs a shape: write Input(shape=(784,))."),
    ("columns that end before they begin", lambda: Sequential().summary(positions=[0.5, 0.4]), ValueError,
     "summary(positions=[0.5, 0.4]): write where the columns end, such as [0.5, 0.8, 1.0]."),
    ("a layer that is called", lambda: Dense(3)(X), TypeError, "Dense is called within a model: Sequential([Dense(...)]). "
     "Alone: params, state = layer.init(key, x); y, state = layer.apply(params, state, x, Ctx())."),
    ("one that changes images", lambda: RandomFlip()(X), TypeError, "RandomFlip is called within a model: "
     "Sequential([RandomFlip(...)]). Alone: params, state = layer.init(key, x); y, state = layer.apply(params, state, x, "
     "Ctx())."),
    ("initializer", lambda: Dense(3, kernel_initializer="glorot"), ValueError,
     "Unknown initializer 'glorot'. Did you mean 'glorot_normal' or 'glorot_uniform'?"),
    ("regularizer", lambda: Dense(3, kernel_regularizer="l3"), ValueError, "Unknown regularizer 'l3'. Known: L1, L1L2, L2, "
     "OrthogonalRegularizer, l1, l1_l2, l1l2, l2, orthogonal_regularizer."),
    ("constraint", lambda: Dense(3, kernel_constraint="maxnrom"), ValueError,
     "Unknown constraint 'maxnrom'. Did you mean 'maxnorm' or 'max_norm' or 'min_max_norm'?"),
    ("layer keyword", lambda: Dense(3, activaton="relu"), TypeError,
     "Dense takes no argument 'activaton'. Did you mean 'activation'?"),
    ("Conv2D keyword", lambda: Conv2D(3, 3, stride=2), TypeError,
     "Conv2D takes no argument 'stride'. Did you mean 'strides'?"),
    ("units 0", lambda: Dense(0), ValueError, f"Dense(units)=0: {WHOLE}"),
    ("units 2.5", lambda: Dense(2.5), ValueError, f"Dense(units)=2.5: {WHOLE}"),
    ("units '3'", lambda: Dense("3"), ValueError, f"Dense(units)='3': {WHOLE}"),
    ("no units", lambda: Dense(), TypeError, "Dense.__init__() missing 1 required positional argument: 'units'"),
    ("no ids", lambda: Embedding(0, 4), ValueError, f"Embedding(input_dim)=0: {WHOLE}"),
    ("dropout of all", lambda: Dropout(1.0), ValueError, f"Dropout(rate=1.0): {DROPPED}"),
    ("dropout below 0", lambda: Dropout(-0.1), ValueError, f"Dropout(rate=-0.1): {DROPPED}"),
    ("dropout in percent", lambda: Dropout(50), ValueError, f"Dropout(rate=50): {DROPPED}"),
    ("dropout '0.5'", lambda: Dropout("0.5"), ValueError, f"Dropout(rate='0.5'): {DROPPED}"),
    ("input_shape 4", lambda: Dense(3, input_shape=4), ValueError, f"input_shape=4: {SHAPED} Write input_shape=(4,)."),
    ("input_shape (0,)", lambda: Dense(3, input_shape=(0,)), ValueError, f"input_shape=(0,): {SHAPED}"),
    ("input_shape (4.0,)", lambda: Dense(3, input_shape=(4.0,)), ValueError, f"input_shape=(4.0,): {SHAPED}"),
    ("batch_size alone", lambda: Dense(3, batch_size=4), ValueError,
     "Dense(batch_size=4) says the batch size alone. Add the rest: batch_size=4, input_shape=(...)."),
    ("Input without a shape", lambda: Input(), ValueError, "Input() needs a shape: write Input(shape=(784,))."),
    ("Input of complex numbers", lambda: Input((4,), dtype="complex64"), ValueError,
     "Input(dtype='complex64'): write 'float32', or 'int32' for token ids."),
    ("a field set later", lambda: setattr(Dense(3), "units", 4), AttributeError, "Dense.units cannot be changed: a layer is a "
     "frozen declaration. Write a new one: layer.replaced(units=4)."),
    ("trainable 'no'", lambda: setattr(Dense(3), "trainable", "no"), TypeError, "trainable='no': write True or False."),
    ("seed -1", lambda: Sequential(seed=-1), ValueError, f"seed=-1: {SEEDED}"),
    ("seed 2**63", lambda: Sequential(seed=2**63), ValueError, f"seed=9223372036854775808: {SEEDED}"),
    ("seed 1.5", lambda: Sequential(seed=1.5), ValueError, f"seed=1.5: {SEEDED}"),
    ("seed True", lambda: Sequential(seed=True), ValueError, f"seed=True: {SEEDED}"),
    ("seed 'a'", lambda: Sequential(seed="a"), ValueError, f"seed='a': {SEEDED}"),
    ("two keys", lambda: Sequential(seed=jax.random.split(jax.random.key(0))), ValueError, "seed is a key of threefry2x32, "
     "shape (2,): pass one key made by jax.random.key(seed, impl='threefry2x32')."),
    ("another key", lambda: Sequential(seed=jax.random.key(0, impl="rbg")), ValueError, "seed is a key of rbg, shape (): pass "
     "one key made by jax.random.key(seed, impl='threefry2x32')."),
    ("an array for a key", lambda: Sequential(seed=jnp.zeros(3)), ValueError, "seed is an array (3,) float32: pass an int, "
     "jax.random.key(0) or jax.random.PRNGKey(0)."),
    ("learning rate -1", lambda: optimizers.SGD(lr=-1), ValueError, f"SGD(learning_rate=-1): {RATED}"),
    ("learning rate NaN", lambda: optimizers.SGD(learning_rate=np.nan), ValueError, f"SGD(learning_rate=nan): {RATED}"),
    ("learning rate infinity", lambda: optimizers.Adam(np.inf), ValueError, f"Adam(learning_rate=inf): {RATED}"),
    ("learning rate 'fast'", lambda: optimizers.SGD("fast"), ValueError, f"SGD(learning_rate='fast'): {RATED}"),
    ("lr and learning_rate", lambda: optimizers.SGD(lr=1, learning_rate=1), TypeError,
     "lr and learning_rate are the same: write one of them."),
    ("optimizer keyword", lambda: optimizers.SGD(momentun=0.9), TypeError,
     "SGD takes no argument 'momentun'. Did you mean 'momentum' or 'ema_momentum'?"),
    ("momentum -1", lambda: optimizers.SGD(momentum=-1), ValueError, f"SGD(momentum=-1): {DROPPED}"),
    ("beta_1 of 1", lambda: optimizers.Adam(beta_1=1.0), ValueError, f"Adam(beta_1=1.0): {DROPPED}"),
    ("mode 'low'", lambda: callbacks.EarlyStopping(mode="low"), ValueError, "mode='low': write one of 'auto', 'min', 'max'."),
    ("a monitor of no known direction", lambda: callbacks.EarlyStopping("speed"), ValueError,
     "monitor='speed': is less or more of it better? Write mode='min' or mode='max'."),
    ("patience -1", lambda: callbacks.EarlyStopping(patience=-1), ValueError,
     "EarlyStopping(patience=-1): write a finite number of at least 0."),
    ("min_delta 'a'", lambda: callbacks.EarlyStopping(min_delta="a"), ValueError,
     "EarlyStopping(min_delta='a'): write a finite number."),
    ("callback keyword", lambda: callbacks.LambdaCallback(on_epoch_ned=print), TypeError, "LambdaCallback takes no argument "
     "'on_epoch_ned'. Did you mean 'on_epoch_end' or 'on_epoch_begin' or 'on_steps_end'?"),
    ("a hook that cannot be called", lambda: callbacks.LambdaCallback(on_epoch_end=5), TypeError,
     "LambdaCallback(on_epoch_end=5): write a function."),
    ("Sequential of a layer", lambda: Sequential(Dense(3)), TypeError,
     "Sequential(Dense(units=3)): write a list, Sequential([...])."),
    ("Sequential of a number", lambda: Sequential(5), TypeError, "Sequential(5): write a list, Sequential([...])."),
    ("Sequential of numbers", lambda: Sequential([5]), TypeError, "add(5): write a layer of jaxseq.layers, or an instance of "
     "your own subclass of jaxseq.layers.Layer."),
    ("Sequential of a class", lambda: Sequential([Dense]), TypeError,
     "add(Dense) is a class: add an instance, Dense(...)."),
    ("Sequential keyword", lambda: Sequential([], sead=0), TypeError,
     "Sequential takes no argument 'sead'. Did you mean 'seed'?"),
    ("one name twice", lambda: Sequential([Dense(3, name="a"), Dense(4, name="a")]), ValueError,
     "Two layers are called 'a': write another name for Dense(units=4, name='a')."),
    ("a name with a slash", lambda: Sequential([Dense(3, name="a/b")]), ValueError, f"name='a/b': {NAMED}"),
    ("a name of dots", lambda: Sequential([Dense(3, name="..")]), ValueError, f"name='..': {NAMED}"),
    ("an empty name", lambda: Sequential([Dense(3, name="")]), ValueError, f"name='': {NAMED}"),
    ("a number for a name", lambda: Sequential([Dense(3, name=5)]), ValueError, f"name=5: {NAMED}"),
    ("two inputs", lambda: Sequential([Input((4,)), Input((5,))]), ValueError,
     "InputLayer(batch_input_shape=(None, 5)): the model's input is declared already, (None, 4)."),
    ("an input behind a layer", lambda: Sequential([Dense(3), Input((4,))]), ValueError,
     "InputLayer(batch_input_shape=(None, 4)) must come before all layers: add it first."),
    ("a layer that cannot follow", lambda: Sequential([Dense(3, input_shape=(4,)), Reshape((2, 2))]), ValueError,
     "Reshape(target_shape=(2, 2)) cannot follow Dense(units=3, name='dense', batch_input_shape=(None, 4)), whose output is "
     "(None, 3): Reshape((2, 2)) cannot hold a row of x (None, 3): 3 elements."),
    ("a length that must be known", lambda: Sequential([Flatten(input_shape=(None, 3)), Dense(3)]), ValueError,
     "Dense(units=3) cannot follow Flatten(name='flatten', batch_input_shape=(None, None, 3)), whose output is (None, None): "
     "Dense(units=3) needs to know every length of its input but the batch size, got (None, None). Write the missing one where "
     "the input is declared: input_shape=(...)."),
)
def test_a_declaration_that_means_nothing_is_refused(row, refuses):
    make, error, message = row
    with refuses(message, error):
        make()


def test_a_layer_stands_in_one_place_of_a_model(refuses):
    layer = Dense(3)
    with refuses("Dense(units=3, name='dense') stands in this model already: write a new layer."):
        Sequential([layer, layer])
