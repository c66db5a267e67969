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

from jaxseq.core import optimizers, schedules
from jaxseq.core.declared import to_config
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
    "AdamW": ("AdamW", {}),
    "Adadelta": ("Adadelta", {}),
    "Adadelta, other share": ("Adadelta", {"rho": 0.8, "epsilon": 1e-4}),
    "Adamax": ("Adamax", {"beta_1": 0.8, "beta_2": 0.9}),
    "Nadam": ("Nadam", {}),
    "Ftrl": ("Ftrl", {}),
    "Ftrl, regularized": ("Ftrl", {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2, "beta": 0.5,
                                   "l2_shrinkage_regularization_strength": 0.1, "learning_rate_power": -0.4}),
    "Lion": ("Lion", {}),
    "Adafactor": ("Adafactor", {}),
    "Adafactor, decayed": ("Adafactor", {"clip_threshold": 0.5, "weight_decay": 0.1, "beta_2_decay": -0.6}),
    "Lamb": ("Lamb", {}),
    "Lamb, decayed": ("Lamb", {"weight_decay": 0.1, "beta_1": 0.8}),
    "ScheduleFreeAdamW": ("ScheduleFreeAdamW", {}),
    "ScheduleFreeAdamW, warmed up": ("ScheduleFreeAdamW", {"warmup_steps": 5, "weight_decay": 0.1}),
    "Muon": ("Muon", {}),
    "Muon, other ways": ("Muon", {"nesterov": False, "rms_rate": None, "adam_lr_ratio": 0.5, "adam_weight_decay": 0.1}),
    "Muon, all by Adam": ("Muon", {"exclude_layers": ["."]}),
    "SGD, decayed": ("SGD", {"weight_decay": 0.1, "momentum": 0.9}),
    "SGD, clipped by value": ("SGD", {"clipvalue": 0.5}),
    "SGD, clipped by norm": ("SGD", {"clipnorm": 0.5}),
    "Adam, clipped by the norm of all": ("Adam", {"global_clipnorm": 0.5}),
    "SGD, accumulated": ("SGD", {"gradient_accumulation_steps": 3, "momentum": 0.5}),
    "Adam, averaged": ("Adam", {"use_ema": True, "ema_momentum": 0.8}),
    "Adam, averaged and overwritten": ("Adam", {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4}),
    "all at once": ("RMSprop", {"use_ema": True, "ema_overwrite_frequency": 2, "gradient_accumulation_steps": 3,
                                "weight_decay": 0.1, "clipnorm": 1.0, "momentum": 0.5}),
}
NAMES = list(optimizers.CLASSES.values())


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


class Theirs:
    """An optimizer of Keras as one compiled program."""

    def __init__(self, optimizer):
        self.optimizer, self.w = optimizer, dict(START)
        optimizer.build([keras.Variable(value) for value in START.values()])
        self.state = [np.asarray(variable) for variable in optimizer.variables]
        with jax.numpy_dtype_promotion("standard"):             # Keras adds integers to floats
            self.apply = jax.jit(optimizer.stateless_apply).lower(
                self.state, list(START.values()), list(START.values())).compile({"xla_backend_optimization_level": 0})

    def step(self, gradients):
        w, self.state = self.apply(self.state, [gradients[name] for name in START], [self.w[name] for name in START])
        self.w = dict(zip(START, map(np.asarray, w), strict=True))

    def place(self, variable):
        return next(place for place, each in enumerate(self.optimizer.variables) if each is variable)

    def set_rate(self, rate):
        self.state[self.place(self.optimizer._learning_rate)] = np.float32(rate)

    def averages(self):
        return {weight: self.state[self.place(each)]
                for weight, each in zip(START, self.optimizer._model_variables_moving_average, strict=True)}


@pytest.mark.every(3)
@pytest.mark.parametrize("case", CASES)
def test_twenty_steps_are_those_of_keras_and_so_are_changes_of_the_rate(case):
    name, arguments = CASES[case]
    theirs, rates = Theirs(getattr(keras.optimizers, name)(1e-3, **arguments)), {5: 0.03, 12: 0.01}
    for step, w in enumerate(walk(getattr(optimizers, name)(1e-3, **arguments).transform(), gradient, rates)):
        if step in rates:
            theirs.set_rate(rates[step])
        theirs.step(gradient(theirs.w, step))
        for weight, value in theirs.w.items():
            assert_allclose(w[weight], value, rtol=1e-5, atol=1e-5, err_msg=f"{weight} after step {step}")


@pytest.mark.parametrize("optimizer", NAMES)
def test_defaults_are_those_of_keras(optimizer):
    ours = {each.name: each.default for each in dataclasses.fields(optimizer) if each.name not in ("decay", "schedule_decay")}
    ours |= {"exclude_layers": None} if "exclude_layers" in ours else {}
    theirs = inspect.signature(getattr(keras.optimizers, optimizer.__name__)).parameters
    expected = {name: theirs[name].default for name in ours} | {"name": None}
    assert ours == expected


@pytest.mark.parametrize("optimizer", NAMES)
def test_arguments_stand_in_the_order_of_keras(optimizer):
    count = sum(not each.kw_only for each in dataclasses.fields(optimizer))
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


@pytest.mark.parametrize("optimizer", [RMSprop, Adagrad, Adam, optimizers.Nadam, optimizers.Lion])
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
    for name, optimizer in optimizers.CLASSES.items():
        assert optimizers.get(name) == optimizers.get(name.lower()) == optimizers.get(name.upper()) == optimizer()
        for each in name, name.lower(), name.upper():
            assert optimizers.get({"class_name": each, "config": {"learning_rate": 0.5}}) == optimizer(0.5)


@pytest.mark.parametrize("case", [case for case, (_, arguments) in CASES.items() if "use_ema" in arguments])
def test_the_average_is_that_of_keras(case):
    name, arguments = CASES[case]
    theirs = Theirs(getattr(keras.optimizers, name)(1e-2, **arguments))
    transform, ones = getattr(optimizers, name)(1e-2, **arguments).transform(), jax.tree.map(np.ones_like, START)
    w, state, update = START, transform.init(START), jax.jit(transform.update)
    for _ in range(7):
        updates, state = update(ones, state, w)
        w = jax.tree.map(lambda w, u: np.asarray(w + u), w, updates)
        theirs.step(ones)
    for weight, average in optimizers.averaged_weights(state).items():
        assert_allclose(average, theirs.averages()[weight], rtol=1e-5, atol=1e-6)


def test_without_use_ema_there_is_no_average():
    assert optimizers.averaged_weights(SGD().transform().init(START)) is None


def test_clipnorm_comes_before_clipvalue_where_both_are_given():
    transform = SGD(1.0, clipnorm=5.0, clipvalue=3.5).transform()
    w = {"a": jnp.array([6.0, 8.0])}
    assert_allclose(transform.update(w, transform.init(w), w)[0]["a"], [-3.0, -3.5])       # (3, 4), then (3, 3.5)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_the_norm_of_all_is_taken_in_float32(dtype):
    w = {"a": jnp.full(400, 30, dtype), "b": jnp.full((20, 5), 40, dtype)}                 # their squares are beyond float16
    transform = SGD(1.0, global_clipnorm=10.0).transform()
    updates = transform.update(w, transform.init(w), w)[0]
    assert_allclose(updates["a"].astype(jnp.float32), -300 / np.sqrt(52e4), rtol=5e-3)
    assert updates["b"].dtype == dtype


def test_gradients_accumulate_in_the_dtype_of_the_weights():
    g = 1 + 2.0**-40
    with jax.enable_x64(True):
        transform, w = SGD(1.0, gradient_accumulation_steps=2).transform(), jnp.zeros((), jnp.float64)
        state = transform.init(w)
        for _ in range(2):
            updates, state = transform.update(jnp.float64(g), state, w)
        assert updates == -g


def test_nadam_takes_the_schedule_of_keras_2():
    """optimizers.Nadam of Keras 2.2.4, in float64."""
    transform = optimizers.Nadam(lr=0.002, schedule_decay=0.004).transform()
    w = {weight: value.astype(np.float64) for weight, value in START.items()}
    m, v = (jax.tree.map(np.zeros_like, w) for _ in range(2))
    product = 1.0
    for step, ours in enumerate(walk(transform, gradient)):
        g, t = gradient(w, step), step + 1
        now, ahead = (0.9 * (1 - 0.5 * 0.96 ** (each * 0.004)) for each in (t, t + 1))
        product *= now
        for weight in w:
            m[weight] = 0.9 * m[weight] + 0.1 * g[weight]
            v[weight] = 0.999 * v[weight] + 0.001 * g[weight] ** 2
            mixed = (1 - now) * g[weight] / (1 - product) + ahead * m[weight] / (1 - product * ahead)
            w[weight] = w[weight] - 0.002 * mixed / (np.sqrt(v[weight] / (1 - 0.999**t)) + 1e-7)
            assert_allclose(ours[weight], w[weight], rtol=2e-5, atol=2e-6)


def test_adafactor_may_take_the_rate_as_it_is():
    """In Keras relative_step=False changes nothing: the rate is never more than 1 / sqrt(t)."""
    ones = lambda w, step: jax.tree.map(np.ones_like, w)
    absolute = list(walk(optimizers.Adafactor(0.5, relative_step=False).transform(), ones))
    relative = list(walk(optimizers.Adafactor(0.5).transform(), ones))
    assert_allclose(absolute[3]["bias"], relative[3]["bias"], rtol=1e-6)        # 1 / sqrt(4) = 0.5
    assert abs(absolute[19]["bias"][1]) > 1.01 * abs(relative[19]["bias"][1])


def test_muon_leaves_embeddings_to_adam():
    w = {"embedding": {"embeddings": jnp.ones((3, 2))}, "dense": {"kernel": jnp.ones((3, 2))}}
    g = jax.tree.map(lambda w: jnp.array([[1.0, 2], [3, 4], [5, 7]]), w)
    moved = lambda **options: (lambda transform: transform.update(g, transform.init(w), w)[0])(
        optimizers.Muon(1.0, weight_decay=None, adam_weight_decay=None, **options).transform())
    assert_allclose(moved()["embedding"]["embeddings"], -np.ones((3, 2)), rtol=1e-3)        # Adam's first step
    kernel = np.asarray(moved(rms_rate=None)["dense"]["kernel"], np.float64)
    assert_allclose(np.linalg.svd(kernel)[1], [1, 1], atol=0.35)                            # orthogonal, about
    assert_allclose(moved(exclude_layers=["^dense/"])["dense"]["kernel"], -np.ones((3, 2)), rtol=1e-3)
    assert optimizers.Muon(exclude_layers="^dense/") == optimizers.Muon(exclude_layers=["^dense/"])
    assert not np.allclose(moved(exclude_embeddings=False)["embedding"]["embeddings"], -np.ones((3, 2)), rtol=1e-2)


def test_a_declaration_survives_its_config():
    for optimizer in [each(clipvalue=2.0) for each in NAMES] + [Adam(schedules.CosineDecay(0.1, 10), use_ema=True)]:
        config = to_config(optimizer)
        assert optimizers.get(config) == optimizer and hash(optimizers.get(config)) == hash(optimizer)


# ---- the learning rate ----


def test_a_schedule_counts_batches_where_they_accumulate():
    """As Keras 3 does: k batches make one update, and the schedule goes on with every batch."""
    ours = SGD(schedules.InverseTimeDecay(0.1, 1, 1.0), gradient_accumulation_steps=4).transform()
    theirs = Theirs(keras.optimizers.SGD(keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 1.0),
                                         gradient_accumulation_steps=4))
    for step, w in enumerate(walk(ours, lambda w, step: jax.tree.map(np.ones_like, w))):
        theirs.step(jax.tree.map(np.ones_like, START))
        assert_allclose(w["bias"], theirs.w["bias"], rtol=1e-5, err_msg=str(step))


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
    assert repr(SGD(0.1, nesterov=True)) == "SGD(learning_rate=0.1, momentum=0.0, nesterov=True)"
    assert repr(Adam(clipnorm=1)) == ("Adam(learning_rate=0.001, clipnorm=1, beta_1=0.9, beta_2=0.999, epsilon=1e-07, "
                                      "amsgrad=False)")
    assert eval(repr(RMSprop(0.1, decay=0.5))) == RMSprop(0.1, decay=0.5)
    assert Adam(0.1) == Adam(0.1) != Adam(0.2) and hash(Adam(0.1)) == hash(Adam(0.1))
    assert SGD() != Adam() and dataclasses.replace(SGD(0.1), momentum=0.5) == SGD(0.1, 0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        SGD().momentum = 0.5


def test_numpy_numbers_become_plain():
    settled = SGD(np.float32(0.5), np.float64(0.25), np.bool_(True), gradient_accumulation_steps=np.int64(2))
    assert settled == SGD(0.5, 0.25, True, gradient_accumulation_steps=2)
    assert [type(value) for value in (settled.learning_rate, settled.momentum, settled.nesterov,
                                      settled.gradient_accumulation_steps)] == [float, float, bool, int]


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
    (lambda: SGD(moment=0.9), TypeError, "SGD takes no argument 'moment'. Did you mean 'momentum' or "
     "'ema_momentum'?"),
    (lambda: Adam(clip_norm=1.0), TypeError, "Adam takes no argument 'clip_norm'. Did you mean 'clipnorm' or "
     "'global_clipnorm'?"),
    (lambda: Adam(clipnorm=0), ValueError, "Adam(clipnorm=0): write a number above 0, or None."),
    (lambda: Adam(clipnorm=1.0, global_clipnorm=1.0), ValueError, "Adam: clipnorm is for each gradient, "
     "global_clipnorm for all as one; write one of them."),
    (lambda: Adam(gradient_accumulation_steps=1), ValueError, "Adam(gradient_accumulation_steps=1): write a whole "
     "number from 2 on."),
    (lambda: Adam(use_ema=True, ema_overwrite_frequency=2.5), ValueError, "Adam(ema_overwrite_frequency=2.5): write a whole "
     "number from 1 on."),
    (lambda: optimizers.Ftrl(learning_rate_power=0.5), ValueError, "Ftrl(learning_rate_power=0.5): write a number up to 0."),
    (lambda: optimizers.AdamW(weight_decay=None), ValueError, "AdamW(weight_decay=None): write a number, or Adam without one."),
    (lambda: optimizers.ScheduleFreeAdamW(beta_1=0.0), ValueError, "ScheduleFreeAdamW(beta_1=0.0): write a number above 0."),
    (lambda: optimizers.get("adm"), ValueError, "Unknown optimizer 'adm'. Did you mean 'adam' or 'nadam' or 'adamw'?"),
    (lambda: optimizers.get("zzz"), ValueError, "Unknown optimizer 'zzz'. Known: adadelta, adafactor, adagrad, adam, "
     "adamax, adamw, ftrl, lamb, lion, muon, nadam, rmsprop, schedulefreeadamw, sgd."),
    (lambda: optimizers.get(0.1), TypeError, "optimizer=0.1: write a name such as 'adam', jaxseq.optimizers.Adam(), or an "
     "Optax transformation such as optax.adamw(1e-3)."),
    (lambda: optimizers.get(None), TypeError, "optimizer=None: write a name such as 'adam', jaxseq.optimizers.Adam(), or an "
     "Optax transformation such as optax.adamw(1e-3)."),
    (lambda: optimizers.Optimizer().transform(), NotImplementedError, "Optimizer must define step()."),
])
def test_errors_say_what_to_write(make, error, message):
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == message
