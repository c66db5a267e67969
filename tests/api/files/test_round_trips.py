"""Everything that compile() and add() take is either refused by save, or comes back."""

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxseq import activations, constraints, initializers, layers as L, losses, metrics, optimizers, regularizers
from jaxseq.api.files import words
from jaxseq.api.files.recompiled import Recompiler
from jaxseq.api.files.refusal import Source
from jaxseq.core import optimizers as optimizer_classes, schedules
from jaxseq.models import FileRejected, Sequential
from jaxseq.optimizers.schedules import LearningRateSchedule

pytestmark = pytest.mark.usefixtures("quickly_compiled")


def told(value):
    """What a case is called: as it shows itself, but for where in memory it lies."""
    return re.sub(r" at 0x\w+", "", str(value))



def doubled(x):
    return 2 * x


def turned(x, axes, more):
    return x


def widest(x, mask):
    return mask


def far(y, y_hat):
    return jnp.abs(y - y_hat).mean(-1)


def falling(step):
    return 0.1 / (1 + step.astype("float32"))


class Own(L.Layer):
    """A declaration with settings whose names promise nothing."""

    fn: Callable[..., Any] | None = None
    rule: Any = None
    table: Any = None
    parts: Any = ()

    def apply(self, params, state, x, ctx):
        return x if self.fn is None else self.fn(x), state


class InKerasWay(L.Layer):
    def __init__(self, fn=None, rule=None, **words):
        super().__init__(**words)
        self.fn, self.rule = fn, rule

    def call(self, x):
        return x if self.fn is None else self.fn(x)


class Largest(metrics.Metric):
    def __init__(self, name="largest", power=1, fn=None):
        super().__init__(name=name)
        self.power, self.fn, self.value = power, fn, self.add_variable(shape=(), name="value")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(jnp.maximum(self.value, jnp.max(y_pred) ** self.power))

    def result(self):
        return self.value

    def get_config(self):
        return {**super().get_config(), "power": self.power, "fn": self.fn}


class Weighed(losses.Loss):
    def __init__(self, factor=1.0, name=None, reduction="sum_over_batch_size"):
        super().__init__(name, reduction)
        self.factor = factor

    def call(self, y, y_hat):
        return self.factor * far(y, y_hat)

    def get_config(self):
        return {"factor": self.factor, "name": self.name, "reduction": self.reduction}


@dataclasses.dataclass(frozen=True)
class Slow(LearningRateSchedule):
    start: float = 0.1

    def __call__(self, step):
        return self.start / (1 + step.astype("float32"))


class Halved(optimizers.SGD):
    share: float = 0.5


OWN = {each.__name__: each for each in (doubled, turned, widest, far, falling, Own, InKerasWay, Largest, Weighed, Slow, Halved)}


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """The rate as it was declared, for which no weights have to be drawn."""
    declared = lambda model: getattr(model._compiled.optimizer, "inner_optimizer", model._compiled.optimizer).learning_rate
    monkeypatch.setattr(Sequential, "learning_rate", property(declared))


def again(model):
    """The model out of its own description."""
    data = json.loads(json.dumps(words.of_model(model, words.of_compile(model)), allow_nan=False))
    recompiler = Recompiler(Source("file"), OWN, Sequential)
    made = recompiler.model(data)
    recompiler.compile(made, data)
    return made


def of(*rows, **how):
    model = Sequential([L.Dense(3, input_shape=(3,)), *rows, L.Dense(1, name="last")], seed=0)
    if how:
        model.compile(**{"optimizer": "sgd", "loss": "mse"} | how)
    return model


# ---- optimizers

OTHER = {"learning_rate": 0.25, "decay": 0.5, "gradient_accumulation_steps": 3, "ema_overwrite_frequency": 7, "use_ema": True,
         "loss_scale_factor": 1024.0, "name": "mine", "learning_rate_power": -0.25, "beta_2_decay": -0.5,
         "exclude_layers": ("last",), "warmup_steps": 5, "ns_steps": 6}


def off_default(each):
    if each.name in OTHER:
        return OTHER[each.name]
    return not each.default if isinstance(each.default, bool) else 0.125



@pytest.mark.every(4)
@pytest.mark.parametrize("cls", optimizer_classes.CLASSES.values(), ids=lambda cls: cls.__name__)
def test_every_setting_of_every_optimizer_comes_back(cls):
    model = of(optimizer="sgd")
    for name, value in ((each.name, off_default(each)) for each in dataclasses.fields(cls)):
        for made in cls(**{name: value}), optimizers.LossScaleOptimizer(cls(**{name: value}), 512.0, 7):
            model.compile(made, "mse")
            assert again(model).compile_arguments["optimizer"] == model.compile_arguments["optimizer"], name


@pytest.mark.parametrize("rate", [Slow(0.5), falling, schedules.ExponentialDecay(0.1, 3, 0.5)], ids=told)
def test_every_kind_of_schedule_comes_back(rate):
    for decay in 0.0, 0.5:
        made = again(of(optimizer=optimizers.SGD(rate, decay=decay)))
        assert made.compile_arguments["optimizer"] == optimizers.SGD(rate, decay=decay)


def test_an_optimizer_of_ones_own_comes_back():
    assert again(of(optimizer=Halved(share=0.25))).optimizer == Halved(share=0.25)


def test_patterns_that_may_take_for_ever_are_neither_written_nor_read():
    model = of(optimizer=optimizers.Muon(exclude_layers=["(a+)+$"]))
    with pytest.raises(ValueError, match="exclude_layers.* cannot be written to a file"):
        again(model)


# ---- losses and metrics

LOSSES = ["mse", far, Weighed(2.0), Weighed, losses.Huber(0.5), losses.mean_squared_error, losses.dice,
          metrics.cosine_similarity, losses.cosine_similarity, ["mse"], {"last": "mae"}, [losses.Huber(0.5)], {"last": far}]


@pytest.mark.parametrize("loss", LOSSES, ids=told)
def test_every_kind_of_loss_comes_back(loss):
    model = of(loss=loss)
    y, y_hat = np.array([[1.0], [0.5]], "float32"), np.array([[0.5], [-2.0]], "float32")
    wanted, found = model._compiled.loss, again(model)._compiled.loss
    assert type(wanted) is type(found) and np.array_equal(wanted(y, y_hat), found(y, y_hat))


METRICS = ["mae", "accuracy", far, metrics.AUC(num_thresholds=20), metrics.AUC, Largest(power=3, fn=doubled), Largest,
           metrics.MeanMetricWrapper(far, "distance"), metrics.MeanMetricWrapper(losses.Huber(0.5), "bent"),
           metrics.MeanMetricWrapper(losses.huber, "hubert", delta=0.5), metrics.mean_squared_error, losses.cosine_similarity,
           metrics.cosine_similarity, metrics.MeanIoU(2), "AUC"]


@pytest.mark.every(4)
@pytest.mark.parametrize("form", [lambda one: [one], lambda one: {"last": [one]}, lambda one: {"last": one},
                                  lambda one: [[one]], lambda one: ["mse", one], lambda one: [["mse", one]]], ids=range(6))
@pytest.mark.parametrize("metric", METRICS, ids=told)
def test_every_kind_of_metric_comes_back(metric, form):
    model = of(metrics=form(metric), weighted_metrics=form(metric))
    made = again(model)
    assert made.metrics_names == model.metrics_names
    y, y_hat = np.array([[1.0], [0.0]], "float32"), np.array([[0.75], [0.5]], "float32")
    for wanted, found in zip(model._compiled.metrics, made._compiled.metrics, strict=True):
        assert wanted.weighted == found.weighted
        assert all(map(np.array_equal, wanted.sums(y, y_hat, None), found.sums(y, y_hat, None)))


def test_means_and_sums_are_written():
    for made in metrics.Mean("m"), metrics.Sum("s"):
        data = json.loads(json.dumps(words.of_value(made, "it")))
        assert (data["module"], data["class_name"]) == ("keras.metrics", type(made).__name__)
        found = Recompiler(Source("file"), None, Sequential)._metric(data)
        assert (type(found), found.name) == (type(made), made.name)


# ---- layers

ROWS = [
    L.Lambda(doubled), L.Lambda(activations.relu), L.Lambda(doubled, mask=widest),
    L.Lambda(turned, arguments={"axes": (1,), "more": {"a": None}}), L.Activation(doubled), L.Activation("relu"),
    L.Dense(2, kernel_initializer=initializers.Constant(2.0), kernel_regularizer=regularizers.L2(0.5)),
    L.Dense(2, kernel_initializer=initializers.HeNormal(3), kernel_constraint=constraints.MaxNorm(3.0)),
    L.Dense(2, kernel_regularizer=doubled), L.Dense(2, kernel_constraint=doubled),
    Own(doubled), Own(activations.relu), Own(activations.tanh, rule=regularizers.L1(0.5)), Own(rule=constraints.NonNeg()),
    Own(rule=initializers.GlorotUniform(3)), Own(rule=losses.Huber(0.5)), Own(rule=metrics.AUC(num_thresholds=9)),
    Own(rule=schedules.ExponentialDecay(0.1, 3, 0.5)), Own(rule=Slow(0.5)), Own(rule=optimizers.Adam(0.5)),
    Own(parts=(L.Dense(2), Own(doubled), (doubled, {"a": doubled}))), InKerasWay(doubled), InKerasWay(activations.relu),
    InKerasWay(activations.tanh, rule=regularizers.L1(0.5)), InKerasWay(rule=L.Dense(2)), L.SpectralNormalization(L.Dense(2)),
]


@pytest.mark.parametrize("row", ROWS, ids=told)
def test_every_kind_of_setting_comes_back(row):
    made = again(of(row)).layers[1]
    assert made == row or repr(made) == repr(row)


def test_arrays_come_back():
    for table in np.arange(6.0).reshape(2, 3), np.arange(3, dtype="int8"):
        found, = again(of(Own(parts=(table,)))).layers[1].parts
        assert found.dtype == table.dtype and np.array_equal(found, table)


@pytest.mark.parametrize("row", [
    lambda: L.Lambda(lambda x: x), lambda: Own(lambda x: x), lambda: InKerasWay(lambda x: x), lambda: Own(rule=object()),
    lambda: Own(table=np.ufunc), lambda: Own(parts={1: 2}), lambda: L.Lambda(jnp.sin),
    lambda: Own(rule=float("nan"))], ids=range(8))
def test_what_cannot_come_back_is_not_written(row):
    with pytest.raises((ValueError, TypeError)) as caught:
        again(of(row()))
    assert not isinstance(caught.value, FileRejected)


@pytest.mark.parametrize("how", [{"loss": lambda y, y_hat: y - y_hat}, {"metrics": [lambda y, y_hat: y - y_hat]},
                                 {"metrics": [metrics.mean("m", far)]}], ids=told)
def test_what_compile_takes_and_cannot_come_back_is_not_written(how):
    with pytest.raises(ValueError, match="to be found by|cannot be written"):
        again(of(**how))


def test_what_has_no_list_is_left_out():
    assert words.of_compile(of(optimizer=optimizers.LossScaleOptimizer(optax.sgd(0.1)))) is None


# ---- names

def test_shared_layers_and_models_have_the_names_of_this_model():
    first, second = Sequential([L.Dense(2, input_shape=(2,))], seed=0), Sequential([L.Dense(2, input_shape=(2,))], seed=1)
    shared = Sequential([*first.layers, *second.layers], seed=2)
    assert [name for name, _ in again(shared).named_layers] == ["dense", "dense_1"]
    nested = Sequential([first, second])
    made = again(nested)
    assert made._architecture.names == nested._architecture.names == ["sequential", "sequential_1"]
