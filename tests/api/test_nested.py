"""Models as layers of models, against Keras 3 with the same weights and against the same layers in one flat row."""

import gc
import weakref

import compiled
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout, Embedding, Flatten, Input
from jaxseq.models import Sequential, clone_model, model_from_json
from jaxseq.optimizers import SGD

pytestmark = pytest.mark.usefixtures("quickly_compiled")

DRAW = np.random.default_rng(7)
X = DRAW.normal(size=(24, 5)).astype("float32")
Y = DRAW.integers(3, size=24)
NOISE = DRAW.normal(size=(24, 2)).astype("float32")
FIT = dict(batch_size=8, epochs=2, shuffle=False, verbose=0)


def close(ours, theirs, **tolerance):
    for a, b in zip(ours, theirs, strict=True):
        assert_allclose(a, b, **{"rtol": 2e-4, "atol": 2e-5} | tolerance)


def same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert_array_equal(a, b)


def classifier(k, frozen=(), optimizer=None):
    """A base with a normalization, a head that holds a model itself; `frozen` are paths into it."""
    base = k.Sequential([k.Input((5,)), k.layers.Dense(6, activation="relu"), k.layers.BatchNormalization(momentum=0.5),
                         k.layers.Dense(4, activation="tanh")], name="base")
    deep = k.Sequential([k.Input((4,)), k.layers.Dense(3, activation="softmax")], name="deep")
    head = k.Sequential([k.Input((4,)), k.layers.Dense(4, kernel_regularizer="l2"), deep], name="head")
    model = k.Sequential([k.Input((5,)), base, head])
    for path in frozen:
        layer = model
        for index in path:
            layer = layer.layers[index]
        layer.trainable = False
    model.compile(optimizer or k.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.every(3)
@pytest.mark.parametrize("frozen", [(), ((0,),), ((0, 0), (1, 1)), ((0, 1),)],
                         ids=["all", "base", "two layers inside", "a normalization inside"])
def test_a_model_of_models_is_keras_own(frozen):
    keras.utils.set_random_seed(0)
    theirs, ours = classifier(keras, frozen), classifier(jaxseq, frozen)
    ours.set_weights(theirs.get_weights())
    assert [weight.shape for weight in ours.trainable_weights] == [weight.shape for weight in theirs.trainable_weights]
    assert ours.count_params() == theirs.count_params()
    close(ours.fit(X, Y, **FIT).history["loss"], theirs.fit(X, Y, **FIT).history["loss"])
    close(ours.get_weights(), theirs.get_weights())
    assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), rtol=1e-4, atol=1e-5)
    close(ours.evaluate(X, Y, verbose=0), theirs.evaluate(X, Y, verbose=0))
    close(ours.layers[0].get_weights(), theirs.layers[0].get_weights())


def test_nested_and_flat_are_the_same_to_the_bit():
    nested = classifier(jaxseq, optimizer=SGD(0.1, momentum=0.9))
    flat = Sequential([Input((5,)), Dense(6, activation="relu"), BatchNormalization(momentum=0.5), Dense(4, activation="tanh"),
                       Dense(4, kernel_regularizer="l2"), Dense(3, activation="softmax")])
    flat.compile(SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    flat.set_weights(nested.get_weights())
    close(nested.fit(X, Y, **FIT).history["loss"], flat.fit(X, Y, **FIT).history["loss"], rtol=1e-6, atol=0)
    close(nested.get_weights(), flat.get_weights(), rtol=1e-5, atol=1e-6)


def test_softmax_at_the_end_of_a_nested_model_is_left_to_the_loss():
    last = Dense(2, activation="softmax", input_shape=(1,), use_bias=False)
    model = Sequential([Sequential([Sequential([last])])])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.set_weights([np.array([[0.0, 60.0]])])
    assert model.evaluate([[1.0]], [0], verbose=0) == pytest.approx(60, rel=1e-6)
    model.train_on_batch([[1.0]], [0])
    assert_allclose(model.get_weights()[0], [[0.01, 59.99]], rtol=1e-6)


# ---- whose weights they are


def test_a_model_within_and_without_is_one():
    base = Sequential([Dense(4, input_shape=(5,))], "base", seed=0)
    base.compile("sgd", "mse")
    one, two = (Sequential([base, Dense(1)], seed=seed) for seed in (1, 2))
    for model in one, two:
        model.compile("sgd", "mse")
    seen = [base.get_weights()[0]]
    for train in (lambda: one.fit(X, X[:, :1], **FIT), lambda: two.train_on_batch(X, X[:, :1]),
                  lambda: base.fit(X, X[:, :4], **FIT), lambda: base.layers[0].set_weights([np.ones((5, 4)), np.ones(4)])):
        train()
        seen.append(base.get_weights()[0])
        assert np.any(seen[-1] != seen[-2])
        same([one.get_weights()[0], two.params["base"]["dense"]["kernel"]], [seen[-1]] * 2)
    assert one.train_state.params["base"]["dense"]["kernel"] is base.train_state.params["dense"]["kernel"]


def test_the_first_weights_follow_from_the_outer_seed():
    inner = lambda seed: Sequential([Dense(4), Sequential([Dense(3)])], seed=seed)
    make = lambda seed, within=None: Sequential([inner(within), Dense(1)], seed=seed)
    draws = [make(3), make(3), make(4), make(3, within=8), make(4, within=8)]
    for model in draws:
        model.build((None, 5))
    first = [model.get_weights()[0] for model in draws]
    same(draws[0].get_weights(), draws[1].get_weights())
    assert np.any(first[0] != first[2]) and np.any(first[0] != first[3])
    assert_array_equal(first[3], first[4])
    again = [Sequential.from_config(draws[0].get_config(), seed=3) for _ in range(2)]
    same(again[0].get_weights(), again[1].get_weights())


def test_the_weights_of_a_model_that_has_some_are_kept():
    base = Sequential([Dense(4, input_shape=(5,))])
    weights = base.get_weights()
    model = Sequential(seed=0)
    model.add(base)
    same(model.get_weights(), weights)
    model.add(Dense(2))
    same(model.get_weights()[:2], weights)
    assert model.pop() == Dense(2) and model.pop() is base
    same(base.get_weights(), weights)


# ---- freezing


def test_generator_and_discriminator_are_trained_through_each_other():
    """Keras 2's idiom, against a loop in JAX that differentiates by one model's weights at a time."""
    g = Sequential([Dense(6, activation="tanh", input_shape=(2,)), Dense(5)], "g", seed=1)
    d = Sequential([Dense(8, activation="tanh", input_shape=(5,)), Dense(1, activation="sigmoid")], "d", seed=2)
    opt_g, opt_d = optax.sgd(0.2, momentum=0.8), optax.sgd(0.3, momentum=0.5)
    d.compile(opt_d, "binary_crossentropy")
    d.trainable = False
    gan = Sequential([g, d])
    gan.compile(opt_g, "binary_crossentropy")
    ones, halves = np.ones((24, 1), "float32"), np.repeat([[1.0], [0.0]], 24, axis=0).astype("float32")
    pure_g, pure_d = g.functional(), d.functional()
    f_g, f_d = (lambda p, x: pure_g.apply(p, {}, x)[0]), (lambda p, x: pure_d.apply(p, {}, x)[0])
    logit = lambda p: jnp.log(p) - jnp.log1p(-p)
    bce = lambda p, y: optax.sigmoid_binary_cross_entropy(logit(p), y).mean()
    p_g, p_d = dict(g.params), dict(d.params)
    s_g, s_d = opt_g.init(p_g), opt_d.init(p_d)
    for _ in range(4):
        both = np.concatenate([X, g.predict(NOISE)])
        loss_d = d.train_on_batch(both, halves)
        expected, grads = jax.value_and_grad(lambda p, both=both: bce(f_d(p, both), halves))(p_d)
        updates, s_d = opt_d.update(grads, s_d)
        p_d = optax.apply_updates(p_d, updates)
        assert loss_d == pytest.approx(float(expected), rel=1e-4)
        loss_g = gan.train_on_batch(NOISE, ones)
        expected, grads = jax.value_and_grad(lambda p, q=p_d: bce(f_d(q, f_g(p, NOISE)), ones))(p_g)
        updates, s_g = opt_g.update(grads, s_g)
        p_g = optax.apply_updates(p_g, updates)
        assert loss_g == pytest.approx(float(expected), rel=1e-4)
        for ours, wanted in (g.params, p_g), (d.params, p_d):
            jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-3, atol=1e-5), dict(ours), wanted)
    assert len(gan.trainable_weights) == 4 and d.trainable_weights == [] and len(d.non_trainable_weights) == 4


@pytest.mark.parametrize("toggle", ["the model", "its layers"])
def test_freezing_and_freeing_around_each_call_compiles_nothing_anew(toggle):
    g = Sequential([Dense(5, input_shape=(2,))], seed=1)
    d = Sequential([Dense(1, input_shape=(5,)), BatchNormalization()], seed=2)
    gan = Sequential([g, d])
    for model in d, gan:
        model.compile("adam", "mse")

    def switch(value):
        for each in [d] if toggle == "the model" else d.layers:
            each.trainable = value

    def both():
        switch(True)
        kept = g.get_weights(), d.get_weights()
        d.train_on_batch(X, X[:, :1])
        switch(False)
        middle = d.get_weights()
        gan.train_on_batch(NOISE, X[:, :1])
        same(d.get_weights(), middle)
        assert np.any(kept[1][0] != middle[0]) and np.any(kept[0][0] != g.get_weights()[0])

    both()
    before = len(compiled.COMPILED)
    moment = lambda model: np.abs(jax.tree.leaves(model.train_state.opt_state)[-1]).sum()
    for _ in range(2):
        both()
    assert compiled.COMPILED[before:] == [] and moment(gan) > 0
    assert {int(leaf) for leaf in jax.tree.leaves(gan.train_state.opt_state) if leaf.dtype == np.int32} == {3}


def test_a_model_may_begin_frozen_as_in_keras_3():
    for library in jaxseq, keras:
        model = library.Sequential([library.layers.Input((5,)), library.layers.Dense(3)], trainable=False)
        assert not model.trainable and model.trainable_weights == [] and len(model.weights) == 2
    with pytest.raises(TypeError, match="trainable='no': write True or False"):
        Sequential(trainable="no")


def test_a_model_frozen_at_its_compile_stays_as_it_is_until_the_next():
    model = Sequential([Dense(3, input_shape=(5,)), BatchNormalization(momentum=0.5)], seed=0)
    model.trainable = False
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, X[:, :3], **FIT)
    same(model.get_weights(), before)
    model.trainable = True
    model.train_on_batch(X, X[:, :3])
    same(model.get_weights(), before)
    model.compile("sgd", "mse")
    model.train_on_batch(X, X[:, :3])
    assert all(np.any(a != b) for a, b in zip(model.get_weights(), before, strict=True))


def test_layers_within_are_frozen_and_freed_at_once_and_moments_stay():
    model = classifier(jaxseq)
    model.train_on_batch(X, Y)
    inner, before = model.layers[0].layers[0], model.get_weights()
    inner.trainable = False
    assert model.count_trainable_params() == model.count_params() - 36 - 12
    model.train_on_batch(X, Y)
    after = model.get_weights()
    same(after[:2], before[:2])
    assert np.any(after[2] != before[2])
    inner.trainable = True
    model.train_on_batch(X, Y)
    assert np.any(model.get_weights()[0] != after[0])
    assert {int(leaf) for leaf in jax.tree.leaves(model.train_state.opt_state) if leaf.dtype == np.int32} == {3}


def test_trainable_is_true_or_false(refuses):
    with refuses("trainable=0: write True or False.", TypeError):
        Sequential([Dense(1)]).trainable = 0


# ---- state, masks, draws


def test_a_carry_within_goes_on_until_it_is_reset():
    sequences = DRAW.normal(size=(8, 4, 3)).astype("float32")
    inner = Sequential([LSTM(3, stateful=True, return_sequences=True), LSTM(2, stateful=True)], "memory")
    model = Sequential([Input(batch_shape=(4, 4, 3)), inner, Dense(1)], seed=0)
    flat = Sequential([LSTM(3, stateful=True, return_sequences=True, batch_input_shape=(4, 4, 3)), LSTM(2, stateful=True),
                       Dense(1)])
    flat.set_weights(model.get_weights())
    for each in model, flat:
        each.compile("sgd", "mse")
    y = np.ones((8, 1))
    for call in (lambda each: each.predict(sequences), lambda each: each.evaluate(sequences, y, batch_size=4, verbose=0),
                 lambda each: each.fit(sequences, y, batch_size=4, shuffle=False, verbose=0).history["loss"][0],
                 lambda each: each.predict(sequences)):
        assert_allclose(call(model), call(flat), rtol=1e-5, atol=1e-6)
    assert_allclose(inner.layers[1].states["h"], flat.layers[1].states["h"], rtol=1e-5, atol=1e-6)
    for forget in model.reset_states, inner.reset_states, inner.layers[1].reset_states:
        model.predict(sequences)
        forget()
        assert not np.any(inner.layers[1].states["h"]) and not np.any(model.state["memory"]["lstm_1"]["h"])
    with pytest.raises(ValueError, match="x has 7 rows, but the model is declared for batches of exactly 4"):
        model.predict(sequences[:7])


def test_a_mask_made_within_reaches_the_layers_behind():
    ids = np.array([[3, 1, 0, 0], [2, 2, 2, 0], [1, 4, 1, 2]])
    table = Sequential([Embedding(5, 3, mask_zero=True)], "table")
    model = Sequential([table, LSTM(2)], seed=0)
    flat = Sequential([Embedding(5, 3, mask_zero=True), LSTM(2)])
    flat.build((None, 4))
    flat.set_weights(model.get_weights())
    assert model.input_dtype == "int32" and model.input_shape == (None, None)
    assert_array_equal(model.predict(ids), flat.predict(ids))
    with pytest.raises(ValueError, match=r"x\[0, 0\] is 6, but Embedding"):
        model.predict(ids + 3)


def test_dropout_within_draws_by_its_path():
    model = Sequential([Input((50,)), Sequential([Dropout(0.5)], "a"), Sequential([Dropout(0.5)], "b")], seed=0)
    apply = model.functional().apply
    y = lambda key: np.asarray(apply({}, {}, np.ones((4, 50), "float32"), train=True, key=jax.random.key(key))[0])
    assert_array_equal(y(0), y(0))
    assert set(np.unique(y(0))) == {0, 4} and 0.1 < (y(0) == 4).mean() < 0.4         # two draws, not one twice
    assert np.any(y(0) != y(1))
    assert_array_equal(model.predict(np.ones((4, 50))), np.ones((4, 50)))


def test_the_same_seed_gives_the_same_bits_however_the_steps_are_cut():
    def trained(**words):
        inner = Sequential([Dense(4, activation="relu"), Dropout(0.3)])
        model = Sequential([Input((5,)), inner, Dense(3, activation="softmax")], seed=5)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, Y, batch_size=5, verbose=0, **words)
        return model

    from jaxseq.callbacks import LambdaCallback

    single = LambdaCallback(on_batch_end=lambda batch, logs: None)
    one, two = trained(epochs=2), trained(epochs=2, callbacks=[single])
    assert one.fingerprint() == two.fingerprint()
    assert one.layers[0].fingerprint() == two.layers[0].fingerprint()


# ---- what a model says of the models within it


def test_summary_shows_a_model_as_one_row_or_with_its_layers():
    lines, model = [], classifier(jaxseq, [(0,)])
    model.summary(print_fn=lines.append)
    rows = [line.split("│")[1:-1] for line in lines if "│" in line][1:]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["base (Sequential, frozen)", "(None, 4)", "88"], ["head (Sequential)", "(None, 3)", "35"]]
    assert lines[-1] == "Weights: 123 (0.5 KiB), trained 35, not trained 88"
    lines.clear()
    model.summary(line_length=90, print_fn=lines.append, expand_nested=True)
    rows = [line.split("│")[1].rstrip() for line in lines if "│" in line][1:]
    assert rows == [" base (Sequential, frozen)", "   dense (Dense, frozen)",
                    "   batch_normalization (BatchNormalization, frozen)", "   dense_1 (Dense, frozen)", " head (Sequential)",
                    "   dense (Dense)", "   deep (Sequential)", "     dense (Dense)"]


@pytest.mark.parametrize("width", [78, 66, 50, 30])
def test_summary_is_as_wide_as_asked_and_cuts_nothing(width):
    lines, model = [], Sequential([Dense(512, input_shape=(784,), name="a_layer_with_a_rather_long_name"), Dense(10)])
    model.summary(line_length=width, print_fn=lines.append)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line][1:]
    assert max(map(len, lines)) == width
    assert "a_layer_with_a_rather_long_name" in "".join(row[0] for row in rows)
    assert [row[2] for row in rows if row[2]][-2:] == ["401,920", "5,130"]


@pytest.mark.parametrize(("length", "positions", "ends"), [
    (50, [0.4, 0.8, 1.0], (1, 20, 40, 50)), (None, [33, 50, 70], (1, 33, 50, 70)),
    (None, [33, 50, 60, 70], (1, 33, 50, 70)),         # Keras 2's last column is one of connections
])
def test_summary_takes_where_columns_end(length, positions, ends):
    lines, model = [], Sequential([Dense(3, input_shape=(2,))])
    model.summary(length, positions, lines.append)
    rows = [line for line in lines if "│" in line]
    assert {tuple(place for place, mark in enumerate(row, 1) if mark == "│") for row in rows} == {ends}


def test_summary_shows_what_is_trained():
    lines, model = [], Sequential([Dense(3, input_shape=(2,)), Dropout(0.5), Dense(2)])
    model.layers[0].trainable = False
    model.summary(print_fn=lines.append, show_trainable=True)
    cells = [line.split("│")[-2].strip() for line in lines if "│" in line]
    assert cells == ["Trainable", "N", "-", "Y"] and max(map(len, lines)) <= 78


def test_layers_and_get_layer_give_the_models_themselves():
    base, other = Sequential([Dense(2, input_shape=(5,))]), Sequential([Dense(2)])
    model = Sequential([base, Dense(2), other, Sequential([Dense(1)], "last")])
    assert model.layers[0] is base and model.get_layer("sequential_1") is other is model.get_layer(index=2)
    assert [name for name, _ in model.named_layers] == ["sequential", "dense", "sequential_1", "last"] == list(model.params)
    assert model.layers[0].output_shape == (None, 2) and base.layers[0].get_weights()[0].shape == (5, 2)
    assert "Sequential([Dense(units=1, name='dense')], name='last')" in repr(model)


def test_params_state_and_functional_are_nested_by_name():
    model = classifier(jaxseq)
    shapes = jax.tree.map(lambda leaf: leaf.shape, dict(model.params))
    assert shapes["head"] == {"dense": {"kernel": (4, 4), "bias": (4,)}, "deep": {"dense": {"kernel": (4, 3), "bias": (3,)}}}
    assert list(model.params["base"]) == ["dense", "batch_normalization", "dense_1"] and list(model.state) == ["base"]
    pure = model.functional()
    params, state = pure.init(jax.random.key(0))
    assert jax.tree.structure((params, state)) == jax.tree.structure((dict(model.params), dict(model.state)))
    model.params, model.state = params, state
    assert_allclose(pure.apply(params, state, X)[0], model.predict(X), rtol=1e-5, atol=1e-6)
    assert_allclose(model(X), model.predict(X), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"head/deep/dense/bias has shape \(3,\), got \(4,\)"):
        model.set_weights([*model.get_weights()[:-1], np.zeros(4)])


@pytest.mark.parametrize("copied", [clone_model, lambda model: model_from_json(model.to_json())], ids=["clone", "json"])
def test_copies_share_nothing(copied):
    model = Sequential([Sequential([Input((5,), dtype="float32"), Dense(4)]), Sequential([Sequential([Dense(3)])]), Dense(2)],
                       "m", seed=0)
    model.layers[0].trainable = False
    again = copied(model)
    told = {each: [] for each in (model, again)}
    for each, lines in told.items():
        each.summary(print_fn=lines.append, expand_nested=True)
    assert told[again] == told[model] and len(told[model]) == 12 and again.name == "m"
    assert [layer.trainable for layer in again.layers] == [False, True, True]
    assert [name for name, _ in again.named_layers] == ["sequential", "sequential_1", "dense"]
    again.set_weights([weight * 0 for weight in model.get_weights()])
    assert all(weight.any() for weight in model.get_weights()[::2])
    linear = clone_model(model, lambda layer: Dense(layer.units, activation="relu"))
    assert linear.layers[1].layers[0].layers[0].activation == "relu"


# ---- what it is given, and what is refused


def test_a_model_within_learns_its_input_from_the_outer():
    inner, late = Sequential([Flatten(), Dense(2)]), Sequential([Dense(3)])
    model = Sequential([Input((4, 2)), inner])
    assert inner.input_shape == (None, 4, 2) and model.output_shape == (None, 2)
    outer = Sequential([Dense(7), Sequential([late])])
    assert late.input_shape is None
    outer.build((None, 5))
    assert late.input_shape == (None, 7) and [weight.shape for weight in late.get_weights()] == [(7, 3), (3,)]


def test_an_input_that_does_not_fit_is_refused(refuses):
    base = Sequential([Dense(2, input_shape=(5,))], "base")
    message = "Sequential(name='base') takes an input (None, 5), and would be given (None, 4) here."
    with refuses(message):
        Sequential([Input((4,)), base])
    model = Sequential([Dense(4)])
    model.add(base)
    with refuses(message):
        model.build((None, 9))
    assert model.input_shape is None
    other = Sequential([Dense(4, input_shape=(9,))])
    with refuses(message):
        other.add(base)
    assert len(other.layers) == 1 and len(model.layers) == 2


def test_nothing_stands_in_a_model_twice(refuses):
    base = Sequential([Dense(5, input_shape=(5,))], "base")
    model = Sequential([base], "model")
    copy = "copy it with jaxseq.models.clone_model."
    shared = ("Dense(units=5, name='dense', batch_input_shape=(None, 5)), a layer of Sequential(name={}), stands in this model "
              f"already: {copy}")
    with refuses(shared.format("'base'")):
        model.add(base)
    with refuses(shared.format("'other'")):
        model.add(Sequential([Sequential(base.layers)], "other"))
    with refuses("Dense(units=5, name='dense', batch_input_shape=(None, 5)) stands in this model already: write a new layer."):
        model.add(base.layers[0])
    assert len(model.layers) == 1
    with refuses("Two layers are called 'base': write another name for Sequential([Dense(units=1, name='dense')], "
                 "name='base')."):
        model.add(Sequential([Dense(1)], "base"))
    for inside in model, Sequential([model]):
        with refuses(f"Sequential(name='model') cannot stand within itself: {copy}"):
            model.add(inside)
    with refuses("Sequential(name='empty') is empty: add its layers first."):
        Sequential([Sequential(name="empty")])


def test_a_model_within_another_keeps_its_layers_until_that_is_gone(refuses):
    base = Sequential([Dense(5, input_shape=(5,)), Dense(2)], "base")
    model = Sequential([base, Dense(1)])
    for what, change in ("add", lambda: base.add(Dense(3))), ("pop", base.pop):
        with refuses(f"{what}() would change Sequential(name='base'), which stands in another one. Build a new model of its "
                     "layers, Sequential([*model.layers, ...]): it shares their weights."):
            change()
    shorter = Sequential(base.layers[:-1])
    assert_array_equal(shorter.get_weights()[0], model.get_weights()[0])
    model.pop()
    model.pop()
    base.add(Dense(4))
    model.add(base)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert base.pop().units == 4


def test_models_die_when_nobody_holds_them():
    base = Sequential([Dense(5, input_shape=(5,))])
    outer = Sequential([base, Dense(1)])
    outer.compile("sgd", "mse")
    outer.train_on_batch(X, X[:, :1])
    inner, holder = weakref.ref(base), weakref.ref(outer)
    del base
    gc.collect()
    assert inner() is not None and inner() is outer.layers[0]
    del outer
    gc.collect()
    assert inner() is None and holder() is None
