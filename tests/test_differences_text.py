"""What docs/differences.md says of text and series, shown against the installed Keras where that can be run."""

import random

import keras
import numpy as np
import pytest
from differing import PAGE
from keras.src.legacy.preprocessing import sequence as their_sequence, text as their_text
from keras.src.utils import dataset_utils

from jaxseq import layers
from jaxseq.models import Sequential
from jaxseq.preprocessing import sequence, text
from jaxseq.utils import Sequence, text_dataset_from_directory, timeseries_dataset_from_array

TEXTS = their_text, text
SEQUENCES = their_sequence, sequence


def told(what):
    assert any(line.startswith(f"| {what} |") for line in PAGE.splitlines()), what


def test_fractions_that_are_padded():
    told("`pad_sequences` of fractions or large numbers, and a whole `dtype`")
    assert keras.utils.pad_sequences([[0.5]])[0, 0] == 0
    with pytest.raises(OverflowError):
        keras.utils.pad_sequences([[300]], dtype="uint8")
    for numbers, dtype in ([[0.5]], "int32"), ([[300]], "uint8"):
        with pytest.raises(ValueError, match="cannot hold"):
            sequence.pad_sequences(numbers, dtype=dtype)


def test_padding_to_nothing():
    told("`pad_sequences(maxlen=0)`, or of no sequences")
    for given, maxlen, shape in ([[1, 2]], 0, (1, 0)), ([], None, (0, 0)):
        with pytest.raises(ValueError):
            keras.utils.pad_sequences(given, maxlen=maxlen)
        assert sequence.pad_sequences(given, maxlen=maxlen).shape == shape


def test_the_seed_of_skipgrams():
    told("`skipgrams(seed=...)`")
    for module, follows in zip(SEQUENCES, (False, True), strict=True):
        state = random.getstate()
        try:
            found = [module.skipgrams(list(range(1, 30)), 1000, seed=1) for _ in range(2)]
            assert (found[0] == found[1]) == (random.getstate() == state) == follows
        finally:
            random.setstate(state)


def test_hashes_of_words():
    told("`one_hot`, `hashing_trick` without `hash_function`")
    for module, function in zip(TEXTS, (hash, "md5"), strict=True):
        found = module.hashing_trick("some words", 10**9, function)
        assert module.one_hot("some words", 10**9) == module.hashing_trick("some words", 10**9) == found


def test_one_text():
    told('`Tokenizer().fit_on_texts("one text")`')
    theirs = their_text.Tokenizer()
    theirs.fit_on_texts("one text")
    assert theirs.document_count == 8
    with pytest.raises(TypeError, match="is one text"):
        text.Tokenizer().fit_on_texts("one text")


def test_the_unknown_word_among_the_words():
    told("an `oov_token` that stands in the texts")
    for module, numbers in zip(TEXTS, ({"oov": 2, "a": 3}, {"oov": 1, "a": 2}), strict=True):
        tokenizer = module.Tokenizer(oov_token="oov")
        tokenizer.fit_on_texts(["oov oov a"])
        assert tokenizer.word_index == numbers


def test_more_texts_after_json():
    told("fitting on more texts what `tokenizer_from_json` gave")
    theirs, ours = (module.tokenizer_from_json(module.Tokenizer().to_json()) for module in TEXTS)
    with pytest.raises(KeyError):
        theirs.fit_on_texts(["a"])
    ours.fit_on_texts(["a"])
    assert ours.word_index == {"a": 1}


def test_windows_in_another_order():
    told("`TimeseriesGenerator(shuffle=True)`")
    state = np.random.get_state()  # noqa: NPY002
    for module, once in zip(SEQUENCES, (False, True), strict=True):
        windows = module.TimeseriesGenerator(np.arange(99), np.arange(99), 3, shuffle=True)
        first, again = windows[0][1], windows[0][1]
        assert np.array_equal(first, again) == (len(set(first)) == 96) == once
    np.random.set_state(state)  # noqa: NPY002


def test_windows_after_json():
    told("a `TimeseriesGenerator` that went through JSON")
    theirs, ours = (module.TimeseriesGenerator(np.arange(9), np.arange(9), 3) for module in SEQUENCES)
    assert theirs.start_index == ours.start_index == 3
    with pytest.raises(AttributeError, match="get_config"):
        theirs.to_json()
    assert sequence.timeseries_generator_from_json(ours.to_json()).start_index == 3


def test_a_data_set_of_windows():
    told("`timeseries_dataset_from_array`")
    told("where either shuffles")
    with pytest.raises(ImportError, match="tensorflow"):
        keras.utils.timeseries_dataset_from_array(np.arange(9), None, 3)
    ours = timeseries_dataset_from_array(np.arange(9), None, 3, shuffle=True, seed=0)
    assert isinstance(ours, Sequence)
    np.testing.assert_array_equal(ours[0], ours[0])


def test_folders_of_text(tmp_path):
    told("`text_dataset_from_directory`")
    told("a class's folder without a file that counts")
    for name in "a", "b":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "1.txt").write_text("x")
    assert dataset_utils.index_directory(str(tmp_path), "inferred", (".txt",), verbose=False)[2] == ["a", "b"]
    with pytest.raises(ImportError, match="tensorflow"):
        keras.utils.text_dataset_from_directory(str(tmp_path), verbose=False)
    with pytest.raises(ValueError, match="The folder 'b' of .* has no file that counts"):
        text_dataset_from_directory(tmp_path)


@pytest.mark.parametrize("name", ["TextVectorization", "StringLookup", "IntegerLookup"])
def test_tools_in_front_of_a_model(name):
    told("`TextVectorization`, `StringLookup`, `IntegerLookup`")
    told("one of them that has no vocabulary yet")
    with pytest.raises(ImportError, match="TensorFlow"):
        getattr(keras.layers, name)()
    tool = getattr(layers, name)()
    with pytest.raises(TypeError, match="cannot stand in a model"):
        Sequential([tool])
    with pytest.raises(RuntimeError, match="has no vocabulary"):
        tool([1] if name == "IntegerLookup" else ["a"])


def test_what_keras_does_with_tensorflow():
    """Keras's documentation and source tell what it does; what is done here is shown."""
    told("`adapt` where a vocabulary was given")
    told("capital letters and blanks outside of ASCII in `TextVectorization`")
    told("`TextVectorization(split=None)` of texts (batch,)")
    told("`StringLookup(num_oov_indices=2)`")
    vectorize = layers.TextVectorization(vocabulary=["a"])
    vectorize.adapt(["\u00c9t\u00e9\u00a0\u00e9t\u00e9"])
    assert vectorize.get_vocabulary(include_special_tokens=False) == ["\u00e9t\u00e9"]
    assert layers.TextVectorization(vocabulary=["a"], split=None)(["a", "b"]).tolist() == [[2], [1]]
    assert layers.StringLookup(vocabulary=["a"], num_oov_indices=2)(["b"]) == text.hashing_trick("b", 3)[0] - 1
