"""Twenty steps of every optimizer against keras.optimizers; Keras 2's decay against a NumPy loop."""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import optimizers
from jaxseq.core.optimizers import SGD, Adagrad, Adam, RMSprop

STEPS = 20
START = {"kernel": np.array([[1.0, -2.0], [0.5, 3.0], [0.0, 1e-3]], np.float32), "bias": np.array([0.25, -40.0], np.float32)}

# the class here and in Keras, and their arguments
CASES = {
    "SGD": ("SGD", {}),
    "SGD, momentum": ("SGD", {"momentum": 0.9}),
    "SGD, nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "SGD, nesterov without momentum": ("SGD", {"nesterov": True}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop, momentum": ("RMSprop", {"rho": 0.8, "momentum": 0.5, "epsilon": 1e-3}),
    "RMSprop, centered": ("RMSprop", {"centered": True}),
    "RMSprop, centered, momentum": ("RMSprop", {"centered": True, "momentum": 0.5}),
    "Adagrad": ("Adagrad", {}),
    "Adagrad, other start": ("Adagrad", {"initial_accumulator_value": 0.5, "epsilon": 1e-2}),
    "Adam": ("Adam", {}),
    "Adam, other moments": ("Adam", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2}),
    "Adam, amsgrad": ("Adam", {"amsgrad": True}),
}
NAMES = [SGD, RMSprop, Adagrad, Adam]


def gradient(w, step):
    """Of a bowl that moves and widens from step to step."""
    return jax.tree.map(lambda w: np.float32(1.1 + np.sin(step)) * (w - np.float32(np.cos(0.7 * step))), w)


def walk(transform, gradients, rates=None):
    """The weights after each update; rates: {step: the learning rate from there on}."""
    update = jax.jit(transform.update)
    w, state = START, transform.init(START)
    for step in range(STEPS):
        if rates and step in rates:
            state = optax.tree.set(state, learning_rate=jnp.float32(rates[step]))
        updates, state = update(gradients(w, step), state, w)
        w = jax.tree.map(lambda w, u: np.asarray(w + u), w, updates)
        yield w


@pytest.mark.parametrize("rates", [{10: 0.03}, {5: 0.4, 15: 0.2}], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_twenty_steps_are_those_of_keras_and_so_are_changes_of_the_rate(case, rates):
    name, arguments = CASES[case]
    theirs = getattr(keras.optimizers, name)(1e-3, **arguments)
    variables = {weight: keras.Variable(value) for weight, value in START.items()}
    theirs.build(list(variables.values()))
    for step, w in enumerate(walk(getattr(optimizers, name)(1e-3, **arguments).transform(), gradient, rates)):
        if step in rates:
            theirs.learning_rate.assign(rates[step])
        now = gradient({weight: np.asarray(variable) for weight, variable in variables.items()}, step)
        theirs.apply([now[weight] for weight in variables], list(variables.values()))
        for weight, variable in variables.items():
            assert_allclose(w[weight], variable, rtol=1e-5, atol=1e-6, err_msg=f"{weight} after step {step}")


@pytest.mark.parametrize("optimizer", NAMES)
def test_defaults_are_those_of_keras(optimizer):
    ours = {each.name: each.default for each in dataclasses.fields(optimizer) if each.name != "decay"}
    theirs = inspect.signature(getattr(keras.optimizers, optimizer.__name__)).parameters
    assert ours == {name: theirs[name].default for name in ours}


@pytest.mark.parametrize("optimizer", NAMES)
def test_arguments_stand_in_the_order_of_keras(optimizer):
    count = len(dataclasses.fields(optimizer)) - 1
    of = lambda cls: [name for name, each in inspect.signature(cls).parameters.items() if each.kind is not each.KEYWORD_ONLY]
    assert of(optimizer) == of(getattr(keras.optimizers, optimizer.__name__))[:count]


# ---- what is better than Keras ----


def test_a_gradient_that_stays_the_same_never_gives_nan():
    """v - m^2 is then 0 but for rounding. Keras 3 and optax.scale_by_stddev take the root of a negative number here."""
    gradients = jnp.logspace(-2, 5, 50_000)

    def lost(transform):
        """Whether any update of a few dozen was not finite."""
        update, state, lost = jax.jit(transform.update), transform.init(gradients), False
        for _ in range(40):
            updates, state = update(gradients, state)
            lost = lost or not np.isfinite(updates).all()
        return lost

    assert lost(optax.scale_by_stddev(0.5, 1e-7))
    assert not lost(RMSprop(rho=0.5, centered=True).transform())


# ---- the words of Keras 2 ----


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_decay_is_that_of_keras_2(momentum, nesterov):
    """optimizers.SGD of Keras 2.2.4: lr_t = lr / (1 + decay * iterations), the rate inside the velocity."""
    transform = SGD(lr=0.05, decay=0.3, momentum=momentum, nesterov=nesterov).transform()
    w = {weight: value.astype(np.float64) for weight, value in START.items()}
    v = {weight: np.zeros_like(value) for weight, value in w.items()}
    for step, ours in enumerate(walk(transform, gradient)):
        rate, g = 0.05 / (1 + 0.3 * step), gradient(w, step)
        for weight in w:
            v[weight] = momentum * v[weight] - rate * g[weight]
            w[weight] = w[weight] + (momentum * v[weight] - rate * g[weight] if nesterov else v[weight])
            assert_allclose(ours[weight], w[weight], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", [RMSprop, Adagrad, Adam])
def test_decay_divides_the_rate_of_every_optimizer(optimizer):
    ones = lambda w, step: jax.tree.map(np.ones_like, w)
    flat, falling = (list(walk(optimizer(0.1, decay=decay).transform(), ones)) for decay in (0.0, 0.5))
    for step in range(1, STEPS):
        whole, part = (walked[step]["bias"] - walked[step - 1]["bias"] for walked in (flat, falling))
        assert_allclose(part, whole / (1 + 0.5 * step), rtol=1e-3)


def test_lr_is_the_learning_rate():
    assert SGD(lr=0.1) == SGD(learning_rate=0.1) == SGD(0.1)
    assert Adam(lr=0.1, epsilon=None) == Adam(0.1) and Adam(epsilon=None).epsilon == 1e-7
    with pytest.raises(TypeError) as error:
        SGD(lr=0.1, learning_rate=0.1)
    assert str(error.value) == "lr and learning_rate are the same: write one of them."


def test_names_in_lower_case_and_upper():
    for name, optimizer in [("sgd", SGD), ("SGD", SGD), ("rmsprop", RMSprop), ("RMSprop", RMSprop), ("adagrad", Adagrad),
                            ("Adagrad", Adagrad), ("adam", Adam), ("Adam", Adam)]:
        assert optimizers.get(name) == optimizer()


# ---- the learning rate ----


def test_the_learning_rate_may_change_between_steps_without_a_new_trace():
    transform, traces = SGD(0.5).transform(), []

    @jax.jit
    def update(g, state):
        traces.append(g)
        return transform.update(g, state)

    state = transform.init(jnp.float32(0))
    for rate in 0.5, 0.25, 2.0:
        state = optax.tree.set(state, learning_rate=jnp.float32(rate))
        updates, state = update(jnp.float32(1), state)
        assert updates == -rate
    assert len(traces) == 1


def test_a_schedule_of_optax_is_asked_at_every_step():
    schedule = optax.piecewise_constant_schedule(1.0, {2: 0.5, 4: 0.1})
    transform = SGD(schedule).transform()
    rates = []
    with jax.numpy_dtype_promotion("standard"):                 # Optax multiplies floats by integers
        state = transform.init(jnp.float32(0))
        assert optax.tree.get(state, "learning_rate") == 1
        for step in range(6):
            updates, state = transform.update(jnp.float32(1), state)
            rates.append(-updates)
            assert optax.tree.get(state, "learning_rate") == -updates and optax.tree.get(state, "step") == step + 1
    assert_allclose(rates, [1, 1, 0.5, 0.5, 0.05, 0.05])


def test_a_schedule_may_decay_as_well():
    transform = SGD(lambda step: 1 + step.astype(jnp.float32), decay=1.0).transform()
    state, rates = transform.init(jnp.float32(0)), []
    for _ in range(4):
        updates, state = transform.update(jnp.float32(1), state)
        rates.append(-updates)
    assert_allclose(rates, [1.0, 2 / 2, 3 / 3, 4 / 4])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_updates_are_like_the_weights_and_the_state_keeps_its_form(case, dtype):
    name, arguments = CASES[case]
    transform = getattr(optimizers, name)(**arguments).transform()
    w = jax.tree.map(lambda w: jax.ShapeDtypeStruct(w.shape, dtype), START)
    state = jax.eval_shape(transform.init, w)
    updates, after = jax.eval_shape(transform.update, w, state, w)
    assert updates == w and jax.tree.structure(after) == jax.tree.structure(state)
    assert [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(after)] == [
        (leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)]
    assert transform.update({}, transform.init({}), {})[0] == {}                # every layer frozen


# ---- declarations ----


def test_a_declaration_shows_compares_and_hashes_by_its_settings():
    assert repr(SGD(0.1, nesterov=True)) == "SGD(learning_rate=0.1, decay=0.0, momentum=0.0, nesterov=True)"
    assert repr(Adam()) == "Adam(learning_rate=0.001, decay=0.0, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False)"
    assert eval(repr(RMSprop(0.1, decay=0.5))) == RMSprop(0.1, decay=0.5)
    assert Adam(0.1) == Adam(0.1) != Adam(0.2) and hash(Adam(0.1)) == hash(Adam(0.1))
    assert SGD() != Adam() and dataclasses.replace(SGD(0.1), momentum=0.5) == SGD(0.1, 0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        SGD().momentum = 0.5


def test_numpy_numbers_become_plain():
    settled = SGD(np.float32(0.5), np.float64(0.25), np.bool_(True))
    assert settled == SGD(0.5, 0.25, True)
    assert [type(value) for value in dataclasses.astuple(settled)] == [float, float, float, bool]


def test_get():
    mine = SGD(0.1)
    assert optimizers.get(mine) is mine and optimizers.get(SGD) == SGD()
    assert isinstance(optimizers.transformation(mine), optax.GradientTransformation)
    by_hand = optax.GradientTransformation(lambda w: (), lambda updates, state, w: (updates, state))
    for theirs in (optax.adamw(1e-3), optax.chain(optax.clip(1.0), optax.sgd(0.1)), optax.lamb(0.1), by_hand,
                   optax.inject_hyperparams(optax.adam)(1e-3)):
        assert optimizers.get(theirs) is theirs and optimizers.transformation(theirs) is theirs


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: SGD(-1), ValueError, "SGD(learning_rate=-1): write a number from 0 on, or an Optax schedule."),
    (lambda: SGD("0.1"), ValueError, "SGD(learning_rate='0.1'): write a number from 0 on, or an Optax schedule."),
    (lambda: SGD(True), ValueError, "SGD(learning_rate=True): write a number from 0 on, or an Optax schedule."),
    (lambda: Adam(float("nan")), ValueError, "Adam(learning_rate=nan): write a number from 0 on, or an Optax schedule."),
    (lambda: SGD(None), ValueError, "SGD(learning_rate=None): write a number from 0 on, or an Optax schedule."),
    (lambda: SGD(0.1, momentum=1.5), ValueError, "SGD(momentum=1.5): write a number from 0 up to, and without, 1."),
    (lambda: Adam(beta_1=1), ValueError, "Adam(beta_1=1): write a number from 0 up to, and without, 1."),
    (lambda: RMSprop(rho=-0.1), ValueError, "RMSprop(rho=-0.1): write a number from 0 up to, and without, 1."),
    (lambda: Adam(epsilon=-1e-7), ValueError, "Adam(epsilon=-1e-07): write a number from 0 on."),
    (lambda: SGD(decay=-1.0), ValueError, "SGD(decay=-1.0): write a number from 0 on."),
    (lambda: SGD(nesterov=1), ValueError, "SGD(nesterov=1): write True or False."),
    (lambda: SGD(moment=0.9), TypeError, "SGD takes no argument 'moment'. Did you mean 'momentum'?"),
    (lambda: Adam(clipnorm=1.0), TypeError, "Adam takes no argument 'clipnorm'. Known: amsgrad, beta_1, beta_2, decay, "
     "epsilon, learning_rate, lr."),
    (lambda: optimizers.get("adm"), ValueError, "Unknown optimizer 'adm'. Did you mean 'adam'?"),
    (lambda: optimizers.get("lion"), ValueError, "Unknown optimizer 'lion'. Known: adagrad, adam, rmsprop, sgd."),
    (lambda: optimizers.get(0.1), TypeError, "optimizer=0.1: write a name such as 'adam', jaxseq.optimizers.Adam(), or an "
     "Optax transformation such as optax.adamw(1e-3)."),
    (lambda: optimizers.get(None), TypeError, "optimizer=None: write a name such as 'adam', jaxseq.optimizers.Adam(), or an "
     "Optax transformation such as optax.adamw(1e-3)."),
    (lambda: optimizers.Optimizer().transform(), NotImplementedError, "Optimizer must define transform()."),
])
def test_errors_say_what_to_write(make, error, message):
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == message
