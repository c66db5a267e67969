"""First weights, and what the optimizer begins with, are made where they lie: in parts, with the bits of one device."""

from itertools import product

import jax
import numpy as np
import pytest
from shares import always

from jaxseq import Sequential, layers as L, optimizers
from jaxseq.core import run
from jaxseq.core.layout import of_state
from jaxseq.distribution import DataParallel, DeviceMesh, FullySharded, LayoutMap, ModelParallel

DRAWS = ["glorot_uniform", "glorot_normal", "random_normal", "random_uniform", "truncated_normal", "ones", "identity"]


def perceptron(initializer, width=256):
    return [L.Input((width,)), L.Dense(width, activation="relu", kernel_initializer=initializer),
            L.Dense(width, kernel_initializer=initializer)]


def bytes_of(program, *arguments):
    """What one device holds of a program's results, and meanwhile, at most."""
    found = run.compiled(program).lower(*arguments).compile().memory_analysis()
    return found.output_size_in_bytes + found.temp_size_in_bytes


@pytest.mark.parametrize("initializer", DRAWS)
def test_no_device_ever_holds_more_than_its_part(initializer):
    model = Sequential(perceptron(initializer), seed=1)
    layers, x = model.drawing()
    names, layout = [name for name, _ in layers], FullySharded().layout()
    alone, spread = (bytes_of(run.drawing(layers, x, names, each), model._key) for each in (None, layout))
    assert spread <= alone / 8 + 2048
    params, _ = run.draw(layers, model._key, x, names, layout)
    begun = bytes_of(run.beginning(optimizers.Adam().transform(), layout), params)
    assert begun <= 2 * sum(leaf.nbytes for leaf in jax.tree.leaves(params)) / 8 + 2048


def cut_by_names():
    layouts = LayoutMap(DeviceMesh((2, 4), ("batch", "model")))
    layouts["dense_[1-4]/kernel|(inner|outer|turned)/.*kernel"] = None, "model"
    return ModelParallel(layout_map=layouts)


def odd():
    """Parts that no vector fits, every way to draw, and an optimizer with a moment of its own form."""
    return [L.Input((24,)), *(L.Dense(40, kernel_initializer=each) for each in ("he_normal", "lecun_uniform", "orthogonal",
            "random_normal", "truncated_normal")), L.BatchNormalization(), L.Dense(3)]


def of_models():
    """Models within, two deep, and one that is a part of a layer."""
    inner = Sequential([L.Dense(16), Sequential([L.Dense(8)], name="deep")], name="inner")
    turned = Sequential([L.Dense(24), L.Dense(8)], name="part")
    return [L.Input((5, 8)), L.TimeDistributed(turned, name="turned"), L.Flatten(), inner, L.Dense(16, name="outer")]


SPREADS = {"by rows": DataParallel, "fully": FullySharded, "by names": cut_by_names,
           "by hosts": lambda: FullySharded(DeviceMesh((4, 2), ("host", "device")))}

MODELS = {"odd": odd, "of models": of_models}
QUICK = {("of models", "by names")}


@pytest.mark.parametrize("case", always(QUICK, product(MODELS, SPREADS)), ids="-".join)
def test_they_lie_there_from_the_first_and_are_those_of_one_device_to_the_bit(case):
    name, spread = case
    layers = MODELS[name]
    alone = Sequential(layers(), seed=7)
    alone.compile("adam", "mse")
    model = Sequential(layers(), seed=7)
    model.compile("adam", "mse", distribution=SPREADS[spread]())
    model.build()
    ts, places = model.train_state, of_state(model.layout, model.train_state)
    for part in "params", "state", "opt_state":
        for leaf, place in zip(jax.tree.leaves(getattr(ts, part)), jax.tree.leaves(getattr(places, part)), strict=True):
            assert leaf.sharding.is_equivalent_to(place, leaf.ndim), (part, leaf.shape)
    assert model.fingerprint() == alone.fingerprint()
    assert spread == "by rows" or any(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(ts.params))


def test_a_key_may_lie_on_any_device():
    key = jax.device_put(jax.random.key(3), jax.devices()[5])
    models = [Sequential(odd(), seed=key) for _ in range(2)]
    for model, spread in zip(models, (None, FullySharded()), strict=True):
        model.compile("sgd", "mse", distribution=spread)
    assert models[0].fingerprint() == models[1].fingerprint()


@pytest.mark.full
def test_layers_that_come_later_are_drawn_there_too():
    models = [Sequential(odd(), seed=3) for _ in range(2)]
    for model, spread in zip(models, (None, FullySharded()), strict=True):
        model.compile("adam", "mse", distribution=spread)
        model.build()
        model.add(L.Dense(64, name="last"))
    kernel = models[1].train_state.params["last"]["kernel"]
    assert kernel.sharding.shard_shape(kernel.shape) == (3, 8)
    assert np.array_equal(kernel, models[0].train_state.params["last"]["kernel"])
