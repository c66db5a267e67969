"""What jaxseq.backend does not have, and what to write instead; values of arrays."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from backend_data import IDS, X, Y, refuses

import jaxseq
from jaxseq import backend
from jaxseq.api import backend as K
from jaxseq.api.backend.absent import INSTEAD


def test_values():
    assert K.backend() == "jax" and K.clear_session() is None
    assert isinstance(K.get_value(jnp.ones(2)), np.ndarray) and K.eval(0.5) == 0.5
    assert [each.shape for each in K.batch_get_value([X, IDS])] == [X.shape, IDS.shape]
    assert K.count_params(X) == 60
    with refuses("K.get_value(x): x has no value while a program is traced.", RuntimeError):
        jax.jit(lambda x: K.get_value(x).sum())(X)


@pytest.mark.parametrize("call, message", [
    (lambda: K.set_value(X, Y), "K.set_value(x, value): arrays do not change. Write x = K.constant(value) for an array "
     "of your own, layer.set_weights([...]) for weights, and K.set_value(model.optimizer.lr, value) for the learning "
         "rate."),
    (lambda: K.batch_set_value([(X, Y)]), "Write model.set_weights([...]) or layer.set_weights([...])."),
    (lambda: K.update(X, Y), "Write a Layer whose apply returns (y, new state)."),
    (lambda: K.learning_phase(), "K.learning_phase(): every layer is told whether it trains. Write `if ctx.train:` in "
     "the apply of a Layer."),
    (lambda: K.set_learning_phase(0), "K.set_learning_phase(0): fit trains, evaluate and predict do not"),
    (lambda: K.in_train_phase(X, Y), "Write `x if ctx.train else alt` in the apply of a Layer."),
    (lambda: K.in_test_phase(X, Y), "Write `alt if ctx.train else x` in the apply of a Layer."),
    (lambda: K.function([X], [Y]), "Write Sequential(model.layers[:n]).predict(x) for the output of the n-th layer"),
    (lambda: K.gradients(X, Y), "Write jax.grad(f)(x), with f a function from x to a scalar."),
])
def test_what_needs_hidden_state_says_what_to_write(call, message):
    with refuses(message, RuntimeError):
        call()


@pytest.mark.parametrize("name", [*INSTEAD, "ctc_decode", "nonsense"])
def test_what_is_not_here_says_what_to_write(name):
    assert not hasattr(backend, name) and name not in dir(backend)
    with pytest.raises(AttributeError) as error:
        getattr(backend, name)
    instead = INSTEAD.get(name, "jax.numpy, jax.lax or a layer; dir(jaxseq.backend) lists what there is")
    assert str(error.value) == f"module 'jaxseq.backend' has no attribute {name!r}. Write {instead}."


def test_names_that_are_written_instead_are_there():
    words = set(re.findall(r"\b((?:jax|jaxseq)\.[\w.]*\w)", " ".join(INSTEAD.values())))
    for module, *path in (word.split(".") for word in words):
        functools.reduce(getattr, path, {"jax": jax, "jaxseq": jaxseq}[module])
    for name in re.findall(r"[A-Z]\w+(?:1D|2D|3D|Transpose|Normalization)|RNN", " ".join(INSTEAD.values())):
        assert hasattr(jaxseq.layers, name), name
