"""Running out of a device's memory: the model stands at its last whole step, and the error says what to do."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
from whole_steps import assert_at_a_whole_step, assert_usable, fit

from jaxseq.api.data import training_feed
from jaxseq.api.memory import advised
from jaxseq.callbacks import LambdaCallback
from jaxseq.core import run

OUT_OF_MEMORY = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1099511627776 bytes.")
ADVICE = ("The device has too little memory for batches of 8 rows: pass a smaller batch_size. The model stands at its last "
          "whole step.")


def failing(make: Callable, at: int) -> Callable:
    """`make` of a program that runs out of memory at one of its calls, counted from 1."""
    def made(*about):
        program, calls = make(*about), []

        def call(*values):
            calls.append(1)
            if len(calls) == at:
                raise OUT_OF_MEMORY
            return program(*values)

        return call

    return made


@pytest.fixture
def no_notes():
    OUT_OF_MEMORY.__notes__ = []


def test_running_out_of_memory_in_fit_leaves_the_last_whole_step(monkeypatch, no_notes, make_model, data, whole_steps):
    monkeypatch.setattr(run, "make_train", failing(run.make_train, at=8))
    model = make_model()
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        fit(model, data, LambdaCallback(on_batch_end=lambda batch, logs: None))
    assert caught.value.__notes__ == [ADVICE]
    assert assert_at_a_whole_step(model, whole_steps[0]) == 7
    assert_usable(model, data)


def test_running_out_of_memory_in_evaluate_and_predict_says_what_to_do(monkeypatch, no_notes, make_model, data):
    monkeypatch.setattr(run, "make_evaluate", failing(run.make_evaluate, at=1))
    monkeypatch.setattr(run, "make_predict", failing(run.make_predict, at=2))
    model = make_model()
    before = model.fingerprint()
    for call in (lambda: model.evaluate(data.x, data.y, batch_size=8, verbose=0), lambda: model.predict(data.x, batch_size=8)):
        OUT_OF_MEMORY.__notes__ = []
        with pytest.raises(jax.errors.JaxRuntimeError) as caught:
            call()
        assert caught.value.__notes__ == [ADVICE]
        assert model.fingerprint() == before
    assert_usable(model, data)


def test_data_too_large_for_the_device_say_how_large_they_are(monkeypatch, no_notes):
    def full(*arguments):
        raise OUT_OF_MEMORY

    monkeypatch.setattr("jaxseq.api.data.jax.device_put", full)
    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        training_feed(jnp.zeros((2**18, 4)), jnp.zeros(2**18), None, 32)
    assert caught.value.__notes__ == ["The data are 5 MiB, too much for the device's memory: pass a generator or a "
                                      "jaxseq.utils.Sequence, which go there batch by batch."]


def test_other_errors_of_the_device_get_no_advice():
    with pytest.raises(jax.errors.JaxRuntimeError) as caught, advised("never said"):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")
    assert not hasattr(caught.value, "__notes__")
