"""Keywords that nobody knows: every constructor and every method of the model names the nearest one."""

import inspect
import re

import pytest

from jaxseq import callbacks, constraints, initializers, losses, metrics, optimizers, regularizers
from jaxseq.core.declared import Declared
from jaxseq.core.layers import LSTM, Dense, Dropout, Embedding, Flatten
from jaxseq.core.require import Spelled, spelled
from jaxseq.datasets import digits
from jaxseq.layers import Convolution1D, Convolution2D, MaxPooling1D
from jaxseq.models import Sequential
from jaxseq.utils import Sequence, image_dataset_from_directory, load_img, pad_sequences

CLASSES = sorted({each for module in (callbacks, constraints, initializers, losses, metrics, optimizers, optimizers.schedules,
                                      regularizers) for each in vars(module).values()
                  if inspect.isclass(each) and issubclass(each, Declared | callbacks.Callback)
                  and each.__init__ is not object.__init__}, key=lambda each: each.__name__)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_names_what_it_does_not_know(cls):
    with pytest.raises(TypeError, match=rf"^{cls.__name__} takes no argument 'nonsense'\. (Known: |Did you mean )"):
        cls(nonsense=1)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: losses.Huber(dleta=1.0), "Huber takes no argument 'dleta'. Did you mean 'delta'?"),
    (lambda: metrics.AUC(curv="PR"), "AUC takes no argument 'curv'. Did you mean 'curve'?"),
    (lambda: optimizers.Adam(learnin_rate=1.0), "Adam takes no argument 'learnin_rate'. Did you mean 'learning_rate'?"),
    (lambda: optimizers.schedules.ExponentialDecay(decay_step=1), "ExponentialDecay takes no argument 'decay_step'. Did you "
     "mean 'decay_steps' or 'decay_rate'?"),
    (lambda: initializers.RandomNormal(stdev=1.0), "RandomNormal takes no argument 'stdev'. Did you mean 'stddev'?"),
    (lambda: regularizers.l1_l2(l_1=1.0), "l1_l2 takes no argument 'l_1'. Did you mean 'l1'?"),
    (lambda: constraints.max_norm(max_valeu=1), "MaxNorm takes no argument 'max_valeu'. Did you mean 'max_value'?"),
    (lambda: callbacks.EarlyStopping(patiance=1), "EarlyStopping takes no argument 'patiance'. Did you mean 'patience'?"),
    (lambda: Sequential(layer=[]), "Sequential takes no argument 'layer'. Did you mean 'layers'?"),
    (lambda: Sequential().fit(epoch=1), "fit takes no argument 'epoch'. Did you mean 'epochs' or 'nb_epoch'?"),
    (lambda: Sequential().evaluate(step=1), "evaluate takes no argument 'step'. Did you mean 'steps'?"),
    (lambda: Sequential().predict(1, verbos=1), "predict takes no argument 'verbos'. Did you mean 'verbose'?"),
    (lambda: Sequential().compile(metric=["mse"]), "compile takes no argument 'metric'. Did you mean 'metrics'?"),
    (lambda: Sequential().train_on_batch(1, 2, sampel_weight=1), "train_on_batch takes no argument 'sampel_weight'. Did you "
     "mean 'sample_weight' or 'class_weight'?"),
    (lambda: pad_sequences([[1]], max_len=1), "pad_sequences takes no argument 'max_len'. Did you mean 'maxlen'?"),
    (lambda: image_dataset_from_directory(".", img_size=8), "image_dataset_from_directory takes no argument 'img_size'. Did "
     "you mean 'image_size'?"),
    (lambda: load_img("a.png", targetsize=8), "load_img takes no argument 'targetsize'. Did you mean 'target_size'?"),
    (lambda: digits.load_data(testsplit=0.5), "load_data takes no argument 'testsplit'. Did you mean 'test_split'?"),
    (lambda: callbacks.History().plot(metric="loss"), "plot takes no argument 'metric'. Did you mean 'metrics'?"),
    (lambda: Dense(3, activaton="relu"), "Dense takes no argument 'activaton'. Did you mean 'activation'?"),
    (lambda: LSTM(3, return_sequence=True), "LSTM takes no argument 'return_sequence'. Did you mean 'return_sequences' or "
     "'return_state'?"),
])
def test_the_nearest_is_named(call, message):
    with pytest.raises(TypeError) as error:
        call()
    assert str(error.value) == message


@pytest.mark.parametrize(("call", "now"), [
    (lambda: Dense(output_dim=12, input_dim=8), "units"),
    (lambda: Dense(12, init="uniform"), "kernel_initializer"),
    (lambda: Dense(12, W_regularizer="l2"), "kernel_regularizer"),
    (lambda: Dense(12, b_regularizer="l2"), "bias_regularizer"),
    (lambda: Dense(12, W_constraint="max_norm"), "kernel_constraint"),
    (lambda: Dense(12, b_constraint="max_norm"), "bias_constraint"),
    (lambda: Dense(12, bias=False), "use_bias"),
    (lambda: MaxPooling1D(pool_length=2), "pool_size"),
    (lambda: Dropout(p=0.5), "rate"),
    (lambda: Convolution2D(4, 3, border_mode="same"), "padding"),
    (lambda: Convolution2D(nb_filter=4, nb_row=3, nb_col=3), "filters"),
    (lambda: Convolution2D(4, nb_row=3, nb_col=3), "kernel_size=(rows, columns)"),
    (lambda: Convolution2D(4, 3, subsample=(2, 2)), "strides"),
    (lambda: Convolution2D(4, 3, dim_ordering="tf"), 'data_format="channels_last" for "tf", "channels_first" for "th"'),
    (lambda: Convolution1D(4, filter_length=3), "kernel_size"),
    (lambda: Convolution1D(4, 3, subsample_length=2), "strides"),
    (lambda: LSTM(4, inner_init="orthogonal"), "recurrent_initializer"),
    (lambda: LSTM(4, inner_activation="sigmoid"), "recurrent_activation"),
    (lambda: LSTM(4, dropout_W=0.5), "dropout"),
    (lambda: LSTM(4, dropout_U=0.5), "recurrent_dropout"),
    (lambda: Embedding(9, 4, init="uniform"), "embeddings_initializer"),
])
def test_words_of_keras_1_are_translated(call, now):
    with pytest.raises(TypeError, match=rf"^\w+ takes no argument '\w+', which is Keras 1's: write {re.escape(now)}\.$"):
        call()


def test_a_layer_without_the_setting_says_nothing_of_keras_1():
    with pytest.raises(TypeError, match="^Flatten takes no argument 'init'. Known: "):
        Flatten(init="uniform")
    assert Embedding(9, output_dim=4).output_dim == 4


def test_what_is_known_passes_and_so_does_a_class_that_takes_everything():
    class Open(Spelled):
        def __init__(self, **words):
            self.words = words

    class Own(callbacks.Callback):
        def __init__(self, often):
            super().__init__()
            self.often = often

    class Rows(Sequence):
        def __init__(self, size, **options):
            super().__init__(**options)

    assert Open(anything=1).words == {"anything": 1} and Own(often=3).often == 3 and Rows(size=3, workers=2).workers == 2
    assert optimizers.Adam(lr=0.5).learning_rate == 0.5
    with pytest.raises(TypeError, match="Own takes no argument 'oftn'. Did you mean 'often'?"):
        Own(oftn=3)


@pytest.mark.parametrize("make", [lambda cls: cls(3), lambda cls: cls(value=3)])
def test_a_class_without_a_constructor_takes_nothing(make):
    class Own(regularizers.Regularizer):
        def __call__(self, w):
            return w.sum()

    assert isinstance(Own(), regularizers.Regularizer)
    with pytest.raises(TypeError, match="^Own takes no arguments.$"):
        make(Own)


def test_a_function_keeps_its_name_and_its_signature():
    @spelled
    def double(x, *, times=2):
        """Twice."""
        return x * times

    assert double(3) == 6 and double(3, times=3) == 9 and double.__doc__ == "Twice."
    assert list(inspect.signature(double).parameters) == ["x", "times"]
    with pytest.raises(TypeError, match="^double takes no argument 'time'. Did you mean 'times'?"):
        double(3, time=1)
