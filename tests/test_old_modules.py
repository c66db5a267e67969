"""The module paths of Keras 2: those that hold something lead to it, the others say where it is."""

import importlib

import pytest

from jaxseq import layers, optimizers, utils

LEADING = {
    "layers.core": "Dense Activation Dropout Flatten Reshape Permute RepeatVector Lambda Masking ActivityRegularization",
    "layers.recurrent": "LSTM GRU SimpleRNN RNN", "layers.convolutional": "Conv1D Conv2D Conv3D UpSampling2D ZeroPadding2D",
    "layers.convolutional_recurrent": "ConvLSTM2D", "layers.pooling": "MaxPooling2D GlobalAveragePooling1D",
    "layers.embeddings": "Embedding", "layers.normalization": "BatchNormalization", "layers.local": "LocallyConnected1D",
    "layers.advanced_activations": "LeakyReLU PReLU ELU ThresholdedReLU Softmax ReLU", "layers.noise": "GaussianNoise",
    "layers.wrappers": "TimeDistributed Bidirectional", "layers.experimental.preprocessing": "Rescaling Normalization",
    "utils.np_utils": "to_categorical normalize", "utils.generic_utils": "to_categorical", "utils.data_utils": "Sequence",
    "utils.vis_utils": "plot_model",
    "optimizers.legacy": "SGD Adam RMSprop",
}


@pytest.mark.parametrize("path", LEADING)
def test_an_old_path_leads_to_the_same_classes(path):
    old = importlib.import_module(f"jaxseq.{path}")
    new = {"layers": layers, "utils": utils, "optimizers": optimizers}[path.split(".")[0]]
    for name in LEADING[path].split():
        assert getattr(old, name) is getattr(new, name), name


MERGE = ("jaxseq.layers.merge: a Sequential has one input, so there is nothing to merge. What joins the steps or the features "
         "of one input is a layer of your own: see jaxseq.layers.Layer and Lambda.")
ENGINE = ("jaxseq.engine: write from jaxseq.layers import Layer, Input or from jaxseq.models import Sequential. A layer of "
          "your own has init and apply: see jaxseq.layers.Layer.")


@pytest.mark.parametrize(("path", "message"), [("layers.merge", MERGE), ("engine", ENGINE), ("engine.topology", ENGINE)])
def test_what_is_not_there_says_what_to_write(path, message):
    with pytest.raises(ImportError) as error:
        importlib.import_module(f"jaxseq.{path}")
    assert type(error.value) is ImportError and str(error.value) == message


def test_names_of_keras_3_lead_somewhere():
    import jaxseq

    assert jaxseq.Layer is jaxseq.layers.Layer and jaxseq.saving.load_model is jaxseq.models.load_model
    for name, hint in {"ops": "jax.numpy", "random": "draw_key", "Model": "Sequential"}.items():
        with pytest.raises(AttributeError, match=hint):
            getattr(jaxseq, name)
    with pytest.raises(AttributeError, match="custom_objects"):
        jaxseq.saving.register_keras_serializable  # noqa: B018
