"""What docs/differences.md says of compile, of metrics of probabilities and of batches, shown beside Keras 3."""

import re

import keras
import numpy as np
import pytest

import jaxseq

X = np.random.default_rng(2).normal(size=(24, 3)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), pytest.mark.usefixtures("quickly_compiled")]


def compiled(k, *layers, optimizer="sgd", loss="mse", **how):
    model = k.Sequential([k.Input((3,)), *(layers or [k.layers.Dense(1, name="last")])])
    model.compile(optimizer=optimizer, loss=loss, **how)
    return model


@pytest.mark.parametrize("how", [{"loss_weights": {"other": 2.0}}, {"metrics": {"other": ["mae"]}}], ids=str)
def test_a_dict_that_names_another_output(how):
    compiled(keras, **how).evaluate(X, Y, verbose=0)
    with pytest.raises(ValueError, match="the model's output is its last layer, 'last'"):
        compiled(jaxseq, **how)


def test_target_tensors():
    with pytest.raises(TypeError, match="target_tensors"):
        compiled(keras, target_tensors=[Y])
    with pytest.raises(ValueError, match="^target_tensors: there is no graph to feed"):
        compiled(jaxseq, target_tensors=[Y])


def test_auc_of_logits():
    y, logits = np.array([0, 0, 1, 1], "float32"), np.array([-3, 1.2, 1.5, 4], "float32")     # every 1 above every 0
    theirs = keras.metrics.AUC()
    theirs.update_state(y, logits)
    assert float(theirs.result()) < 1
    metric = jaxseq.metrics.get(jaxseq.metrics.AUC())
    assert np.isnan(metric.finish(*metric.sums(y, logits, None)))
    told = jaxseq.metrics.get(jaxseq.metrics.AUC(from_logits=True))
    assert told.finish(*told.sums(y, logits, None)) == pytest.approx(1, abs=1e-6)


def test_a_metric_of_probabilities_beside_a_loss_of_logits():
    how = lambda k: {"loss": k.losses.BinaryCrossentropy(from_logits=True), "metrics": ["binary_accuracy", "Precision"]}
    compiled(keras, **how(keras)).evaluate(X, Y, verbose=0)
    with pytest.raises(ValueError, match="^The loss reads the predictions as logits, the metric 'binary_accuracy' as shares"):
        compiled(jaxseq, **how(jaxseq))


def test_an_unknown_keyword():
    for k, told in (keras, "unexpected keyword argument"), (jaxseq, "Did you mean 'epochs'"):
        with pytest.raises(TypeError, match=told):
            compiled(k).fit(X, Y, epoch=3)
        with pytest.raises(TypeError, match="patience" if k is jaxseq else told):
            k.callbacks.EarlyStopping(patiance=3)


def test_terminate_on_nan_and_the_weights(capsys):
    spoilt = X.copy()
    spoilt[9] = np.nan
    weights = {}
    for k, words in (keras, {}), (jaxseq, {"check_inputs": False}):
        model = compiled(k)
        model.fit(spoilt, Y, batch_size=4, shuffle=False, verbose=0, callbacks=[k.callbacks.TerminateOnNaN()], **words)
        weights[k] = model.get_weights()[0]
    assert np.isnan(weights[keras]).any() and np.isfinite(weights[jaxseq]).all()
    assert re.search("Batch 2: Invalid loss.*NaN or infinity in x, at step 3", capsys.readouterr().out, re.S)


def test_a_batch_that_does_not_fit():
    batches = lambda: (each for each in [(X[:4], Y[:4]), (X[:4], Y[:4]), (X[:4, :2], Y[:4])])
    with pytest.raises(Exception, match="incompatible|shape") as theirs:
        compiled(keras).fit(batches(), verbose=0)
    assert "atch 2" not in str(theirs.value)
    with pytest.raises(ValueError, match="x has shape") as ours:
        compiled(jaxseq).fit(batches(), verbose=0)
    assert ours.value.__notes__ == ["In batch 2 of the data, counted from 0."]


def test_a_mean_of_targets_and_predictions():
    model = compiled(keras, metrics=[keras.metrics.Mean()])
    with pytest.raises(TypeError):
        model.evaluate(X, Y, verbose=0)
    with pytest.raises(TypeError, match="a model measures targets and predictions"):
        compiled(jaxseq, metrics=[jaxseq.metrics.Mean()])
