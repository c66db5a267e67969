"""What is asked of files between the two libraries: equal predictions, then equal steps of training.

Numbers are compared relative to the largest of their array.
"""

import jax
import numpy as np
from numpy.testing import assert_allclose
from small import in_keras

from jaxseq.layers import Masking
from jaxseq.models import Sequential, load_model

PREDICTED, TRAINED = 1e-6, 1e-5


def agree(mine, other, tolerance, what):
    mine, other = np.asarray(mine), np.asarray(other)
    assert mine.shape == other.shape, what
    assert_allclose(mine, other, rtol=0, atol=tolerance * np.abs(other).max(initial=0), err_msg=what)


def with_weights(model):
    """Our model with weights none of which is zero. To draw them would take longer than to train."""
    model.fill_with_zeros()
    draw = np.random.default_rng(2)
    model.set_weights([draw.uniform(0.5, 1.5, shape) if "variance" in slot[-1] else 0.5 * draw.normal(size=shape)
                       for slot, shape in zip(model._slots(), map(np.shape, model.get_weights()), strict=True)])
    return model


def trained(model, x, y, steps=3):
    """What is measured of each step over all rows. Stateful layers begin each one anew, as they always do in Keras."""
    measured = []
    for _ in range(steps):
        measured.append(model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0).history)
        refresh(model)
    return measured


def predicted(model, x):
    y = model.predict(x, batch_size=len(x), verbose=0)
    refresh(model)
    return y


def refresh(model):
    """Memories are forgotten. In Keras, weights and their average share an array after fit, and the next one would fail."""
    if isinstance(model, Sequential):
        model.reset_states()
    elif model.optimizer is not None and model.optimizer.use_ema:
        for weight in model.trainable_weights:
            weight.assign(np.array(weight.value))


def predict_alike(ours, theirs, x):
    agree(predicted(ours, x), predicted(theirs, x), PREDICTED, "predict")


def train_alike(ours, theirs, x, y):
    """The next steps, by what they measure and by the weights after them."""
    masked = any(isinstance(each, Masking) or getattr(each, "mask_zero", False) for each in ours.layers)
    for mine, other in zip(trained(ours, x, y), trained(theirs, x, y), strict=True):
        assert sorted(mine) == sorted(other)
        for name in ["loss"] if masked else other:              # in fit, Keras measures masked steps, too
            agree(mine[name], other[name], TRAINED, name)
    for kind in "trainable_weights", "non_trainable_weights":
        for one, other in zip(getattr(ours, kind), getattr(theirs, kind), strict=True):
            agree(one, other, TRAINED, other.path)


def there(ours, x, y, folder):
    """Keras opens what is saved here, predicts and trains on alike. Returns its model."""
    ours.save(folder / "here.keras")
    theirs = in_keras(folder / "here.keras")
    predict_alike(ours, theirs, x)
    train_alike(ours, theirs, x, y)
    return theirs


def back(theirs, x, y, folder):
    """What Keras saves is opened here, predicts and trains on alike. Returns our model."""
    theirs.save(folder / "there.keras")
    ours = load_model(folder / "there.keras")
    predict_alike(ours, theirs, x)
    train_alike(ours, theirs, x, y)
    return ours


def assert_same_to_the_bit(one, other):
    """Two models of ours go on alike: layers, weights, compilation, and the optimizer's state."""
    assert one.layers == other.layers and one.optimizer == other.optimizer
    assert one._compiled.loss == other._compiled.loss and one.metrics_names == other.metrics_names
    for part in "params", "state", "opt_state", "step":
        mine, wanted = (jax.tree.leaves(getattr(each.train_state, part)) for each in (one, other))
        assert [np.asarray(each).tobytes() for each in mine] == [np.asarray(each).tobytes() for each in wanted], part
