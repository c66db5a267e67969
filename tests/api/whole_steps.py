"""The shared perceptron after each step of an uninterrupted run, to tell whether a broken one stands at a whole step."""

import jax
import numpy as np

from jaxseq.callbacks import LambdaCallback

EPOCHS = 4
STEPS = 5 * EPOCHS                  # forty rows in batches of eight


def fit(model, data, *callbacks, **words):
    words = {"batch_size": 8, "epochs": EPOCHS, "verbose": 0} | words
    return model.fit(data.x, data.y, callbacks=list(callbacks), **words)


def steps_of(model, data, **words) -> list[str]:
    """The model's fingerprint after no step, one step, two steps, ... of an uninterrupted run."""
    found = [model.fingerprint()]
    fit(model, data, LambdaCallback(on_train_batch_end=lambda batch, logs: found.append(model.fingerprint())), **words)
    return found


def assert_at_a_whole_step(model, fingerprints: list[str]) -> int:
    """The number of whole steps the model has made; its weights and its optimizer are those after so many steps."""
    step = int(model.train_state.step)
    assert model.fingerprint() == fingerprints[step]
    assert {int(leaf) for leaf in jax.tree.leaves(model.train_state.opt_state) if leaf.dtype == np.int32} == {step}
    return step


def assert_usable(model, data) -> None:
    assert np.isfinite(model.predict(data.x)).all()
    assert np.isfinite(model.evaluate(data.x, data.y, verbose=0)).all()
    history = fit(model, data, epochs=1)
    assert np.isfinite(history.history["loss"]).all()
