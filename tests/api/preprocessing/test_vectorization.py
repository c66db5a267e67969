"""TextVectorization and the lookups, held to the examples of Keras's documentation and to sums worked out by hand.

Keras's own need TensorFlow, and are not run here.
"""

import hashlib
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.layers import Dense, Embedding, GlobalAveragePooling1D, IntegerLookup, StringLookup, TextVectorization
from jaxseq.models import Sequential
from jaxseq.utils import Sequence, timeseries_dataset_from_array

Vectorize = TextVectorization
TEXTS = ["foo bar", "bar baz", "baz bada boom"]
VOCABULARY = ["a", "b", "c", "d"]
WORDS = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]


def adapted(texts=TEXTS, **how):
    vectorize = TextVectorization(**how)
    vectorize.adapt(texts)
    return vectorize


# ---- the examples of Keras


def test_text_is_vectorized_as_in_the_documentation():
    vectorize = adapted(max_tokens=5000, output_mode="int", output_sequence_length=4)
    found = vectorize([["foo qux bar"], ["qux baz"]])
    assert found.dtype == np.int32
    assert_array_equal(found, [[4, 1, 3, 0], [1, 2, 0, 0]])
    given = TextVectorization(max_tokens=5000, output_sequence_length=4, vocabulary=["earth", "wind", "and", "fire"])
    assert given.get_vocabulary() == ["", "[UNK]", "earth", "wind", "and", "fire"] and given.vocabulary_size() == 6


@pytest.mark.parametrize(("mode", "rows"), [
    ("multi_hot", [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]), ("count", [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]])])
def test_strings_are_looked_up_as_in_the_documentation(mode, rows):
    found = StringLookup(vocabulary=VOCABULARY, output_mode=mode)(WORDS)
    assert found.dtype == np.int32
    assert_array_equal(found, rows)
    assert_array_equal(StringLookup(vocabulary=VOCABULARY)([["a", "c", "d"], ["d", "z", "b"]]), [[1, 3, 4], [4, 0, 2]])
    assert_array_equal(StringLookup(vocabulary=VOCABULARY, output_mode="one_hot")(["a", "b", "c", "d", "z"]),
                       np.roll(np.eye(5), 1, axis=1))


def test_a_file_of_words_has_one_in_each_line(tmp_path):
    file = tmp_path / "words.txt"
    for written in "a\nb\u2028c\nd\x0ce", "a\r\nb\u2028c\r\nd\x0ce\r\n":
        file.write_bytes(written.encode())
        assert StringLookup(vocabulary=str(file)).get_vocabulary() == ["[UNK]", "a", "b\u2028c", "d\x0ce"]


def test_weights_of_words_as_in_the_documentation():
    weights = [0.25, 0.75, 0.6, 0.4]
    found = StringLookup(output_mode="tf_idf", vocabulary=VOCABULARY, idf_weights=weights)(WORDS)
    assert found.dtype == np.float32
    assert_allclose(found, [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]], rtol=1e-6)
    whole = StringLookup(output_mode="tf_idf")
    whole.set_vocabulary(["[UNK]", *VOCABULARY], idf_weights=[0.9, *weights])
    assert_allclose(whole(WORDS), [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]], rtol=1e-6)


def test_strings_come_back_as_in_the_documentation():
    layer, back = StringLookup(vocabulary=VOCABULARY), StringLookup(vocabulary=VOCABULARY, invert=True)
    assert back([[1, 3, 4], [4, 0, 2]]).tolist() == [["a", "c", "d"], ["d", "[UNK]", "b"]]
    assert back(layer([["a", "c", "d"], ["d", "z", "b"]])).tolist() == [["a", "c", "d"], ["d", "[UNK]", "b"]]
    numbers = IntegerLookup(vocabulary=[12, 36, 1138, 42], invert=True)([[1, 3, 4], [4, 0, 9]])
    assert numbers.dtype == np.int64 and numbers.tolist() == [[12, 1138, 42], [42, -1, -1]]


def test_whole_numbers_are_looked_up_as_in_the_documentation():
    vocabulary = [12, 36, 1138, 42]
    assert_array_equal(IntegerLookup(vocabulary=vocabulary)([[12, 1138, 42], [42, 1000, 36]]), [[1, 3, 4], [4, 0, 2]])
    several = IntegerLookup(vocabulary=vocabulary, num_oov_indices=2)
    assert_array_equal(several([[12, 1138, 42], [37, 1000, 36]]), [[2, 4, 5], [1, 0, 3]])
    learned = IntegerLookup()
    learned.adapt(np.array([[12, 1138, 42], [42, 1000, 36]]))
    assert learned.get_vocabulary() == [-1, 42, 1138, 1000, 36, 12]


# ---- vocabularies


def test_of_words_as_frequent_the_last_comes_first_and_the_rarest_go():
    texts = ["b a c b", "é a", "d", "B, a!"]
    assert adapted(texts).get_vocabulary() == ["", "[UNK]", "b", "a", "é", "d", "c"]
    assert adapted(texts, max_tokens=4).get_vocabulary() == ["", "[UNK]", "b", "a"]
    assert adapted(texts, max_tokens=4, output_mode="count").get_vocabulary() == ["[UNK]", "b", "a", "é"]
    assert adapted(texts).get_vocabulary(include_special_tokens=False) == ["b", "a", "é", "d", "c"]
    assert adapted(["[UNK] a"], standardize=None).get_vocabulary() == ["", "[UNK]", "a"]


@pytest.mark.parametrize("data", [
    TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS)[:, None], [[text] for text in TEXTS],
    [text.encode() for text in TEXTS],
    iter([TEXTS[:2], TEXTS[2:]]), (text for text in TEXTS), np.array(TEXTS, object)])
def test_data_of_every_kind_are_learned_from(data):
    assert adapted(data).get_vocabulary() == ["", "[UNK]", "baz", "bar", "foo", "boom", "bada"]


def test_batches_of_a_sequence_are_learned_from_and_only_so_many_of_them():
    class Lines(Sequence):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return [TEXTS[index]]

    assert adapted(Lines()).get_vocabulary() == adapted().get_vocabulary()
    vectorize = TextVectorization()
    vectorize.adapt(Lines(), steps=1)
    assert vectorize.get_vocabulary() == ["", "[UNK]", "foo", "bar"]
    vectorize.adapt(["new"])
    assert vectorize.get_vocabulary() == ["", "[UNK]", "new"]


def test_weights_that_are_learned():
    """Five texts; a is in 4, b in 1, c in 2. What is not known weighs the mean."""
    found = adapted(["a a b", "a", "c", "a c", "a"], output_mode="tf_idf")
    assert found.get_vocabulary() == ["[UNK]", "a", "c", "b"]
    a, c, b = np.log(1 + 5 / np.array([5, 3, 2]))
    assert_allclose(found(["a a b z", "c", ""]), [[(a + b + c) / 3, 2 * a, 0, b], [0, 0, c, 0], [0, 0, 0, 0]], rtol=1e-6)
    wide = adapted(["a a b", "a", "c", "a c", "a"], output_mode="tf-idf", max_tokens=6, pad_to_max_tokens=True)
    assert_allclose(wide(["a a b z"]), [[(a + b + c) / 3, 2 * a, 0, b, 0, 0]], rtol=1e-6)


def test_a_vocabulary_in_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("earth\nwind\nfeu d'été\n", encoding="utf-8")
    for given in path, str(path):
        assert TextVectorization(vocabulary=given).get_vocabulary(False) == ["earth", "wind", "feu d'été"]
    path.write_text("7\n12\n")
    assert_array_equal(IntegerLookup(vocabulary=path)([12, 7, 3]), [2, 1, 0])


# ---- what is made of a text


@pytest.mark.parametrize(("how", "tokens"), [
    ({}, ["dont", "stop", "été", "ab"]), ({"standardize": "lower"}, ["don't", "stop!", "été", "a_b"]),
    ({"standardize": "strip_punctuation"}, ["Dont", "STOP", "Été", "ab"]),
    ({"standardize": None}, ["Don't", "STOP!", "Été", "a_b"]),
    ({"standardize": np.char.upper}, ["DON'T", "STOP!", "ÉTÉ", "A_B"]), ({"split": None}, ["dont stop\t été  ab"]),
    ({"split": lambda texts: [text.split("t") for text in texts]}, ["don", " s", "op\t é", "é  ab"]),
    ({"ngrams": 2}, ["dont", "stop", "été", "ab", "dont stop", "stop été", "été ab"]),
    ({"ngrams": (3, 2)}, ["dont stop été", "stop été ab", "dont stop", "stop été", "été ab"]), ({"ngrams": (5,)}, [])])
def test_the_pieces_of_a_text(how, tokens):
    text = "Don't STOP!\t Été  a_b"
    every = TextVectorization(vocabulary=[*tokens, "other"], **how)
    assert_array_equal(every([text]), [np.arange(2, 2 + len(tokens))])
    assert sorted(adapted([text], **how).get_vocabulary(False)) == sorted(tokens)


def test_characters():
    vectorize = TextVectorization(vocabulary=list("abé"), split="character")
    assert_array_equal(vectorize(["ÉA z", "b"]), [[4, 2, 1, 1], [3, 0, 0, 0]])


def test_texts_of_every_shape():
    vectorize = adapted()
    assert_array_equal(vectorize("foo bar"), [4, 3])
    assert_array_equal(vectorize(b"foo"), [4])
    assert_array_equal(vectorize(np.array(["foo bar", "bar"], object)), [[4, 3], [3, 0]])
    assert vectorize([]).shape == (0, 0) and vectorize([""]).shape == (1, 0)
    assert adapted(output_sequence_length=3)(["", "foo"]).tolist() == [[0, 0, 0], [4, 0, 0]]
    assert adapted(output_mode="count")([]).shape == (0, 6)
    assert_array_equal(TextVectorization(vocabulary=["a", "b"], split=None)([["a", "b"], ["c", ""]]), [[2, 3], [1, 0]])
    assert_array_equal(adapted(output_mode="multi_hot")(["foo foo zip", ""]), [[1, 0, 0, 1, 0, 0], [0] * 6])
    assert_array_equal(adapted(output_mode="binary", max_tokens=8, pad_to_max_tokens=True)(["bar"]), [[0, 0, 1] + [0] * 5])


def test_lookups_of_every_shape():
    lookup = StringLookup(vocabulary=VOCABULARY, mask_token="")
    assert lookup.get_vocabulary() == ["", "[UNK]", *VOCABULARY]
    assert lookup("a") == 2 and lookup([[["a"], [""]]]).tolist() == [[[2], [0]]]
    count = StringLookup(vocabulary=VOCABULARY, mask_token="", output_mode="count")
    assert_array_equal(count(["a", "", "a", "q"]), [1, 2, 0, 0, 0])
    assert count(np.zeros((2, 0), str)).shape == (2, 5) and count(np.zeros((0, 3), str)).shape == (0, 5)
    one_hot = StringLookup(vocabulary=VOCABULARY, output_mode="one_hot")
    assert one_hot([["a"], ["b"]]).shape == (2, 5) and one_hot([["a", "b"]]).shape == (1, 2, 5) and one_hot("a").shape == (5,)


def test_others_that_have_several_numbers_have_the_same_ones_always():
    lookup = StringLookup(vocabulary=VOCABULARY, num_oov_indices=3)
    assert lookup.get_vocabulary()[:4] == ["[UNK]"] * 3 + ["a"]
    others = [str(each) for each in range(300)]
    assert lookup(others).tolist() == [int(hashlib.md5(each.encode()).hexdigest(), 16) % 3 for each in others]
    assert np.bincount(lookup(others)).min() > 70 and lookup("a") == 3


# ---- beside a model


def test_it_stands_in_front_of_a_model(refuses):
    vectorize, y = adapted(output_sequence_length=3), np.array([[0.0], [1.0], [1.0]], np.float32)
    model = Sequential([Embedding(vectorize.vocabulary_size(), 4), GlobalAveragePooling1D(), Dense(1, "sigmoid")], seed=0)
    model.compile("adam", "binary_crossentropy")
    losses = model.fit(vectorize(TEXTS), y, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    with refuses("TextVectorization cannot stand in a model: no text enters a compiled program. Call it on the data: "
                 "model.fit(vectorize(x), y), model.predict(vectorize(x)), or data.map(lambda x, y: (vectorize(x), y)), where "
                 "vectorize = TextVectorization(...).", TypeError):
        Sequential([vectorize, Dense(1)])
    assert len(model.layers) == 3


@pytest.mark.parametrize("tool", [
    adapted(), adapted(output_mode="tf_idf", ngrams=2), TextVectorization(), StringLookup(vocabulary=VOCABULARY, mask_token=""),
    StringLookup(vocabulary=VOCABULARY, output_mode="tf_idf", idf_weights=[1, 2, 3, 4]),
    IntegerLookup(vocabulary=[3, 5], num_oov_indices=2)], ids=lambda tool: type(tool).__name__)
def test_tools_are_what_they_were_after_a_config_and_after_pickle(tool):
    for back in type(tool).from_config(tool.get_config()), pickle.loads(pickle.dumps(tool)):
        assert back.get_config() == tool.get_config() and back.get_vocabulary() == tool.get_vocabulary()
    if tool.get_config()["vocabulary"]:
        given = [3, 4, 9] if isinstance(tool, IntegerLookup) else ["a bar", "c"]
        assert_array_equal(type(tool).from_config(tool.get_config())(given), tool(given))


@pytest.mark.parametrize(("call", "message", "error"), [
    (lambda: Vectorize()(["a"]), "TextVectorization has no vocabulary: call adapt(data), or write vocabulary=.", RuntimeError),
    (lambda: adapted()([3]), "TextVectorization wants text, got 3. Write text, or put '' where there is none.", TypeError),
    (lambda: adapted()([["a", "b"]]), "TextVectorization: texts are of shape (batch,) or (batch, 1). For tokens "
     "(batch, tokens) write split=None.", ValueError),
    (lambda: adapted([["a"], [None]]), "TextVectorization wants text, got None. Write text, or put '' where there is none.",
     TypeError),
    (lambda: Vectorize(output_mode="one_hot"), "output_mode='one_hot': write one of 'int', 'multi_hot', 'count', "
     "'tf_idf'.", ValueError),
    (lambda: Vectorize(standardize="upper"), "standardize='upper': write one of None, 'lower', 'strip_punctuation', "
     "'lower_and_strip_punctuation'.", ValueError),
    (lambda: Vectorize(split=","), "split=',': write one of 'whitespace', 'character', None.", ValueError),
    (lambda: Vectorize(ngrams=(0, 2)), "ngrams=0: write a whole number of at least 1.", ValueError),
    (lambda: Vectorize(ragged=True), "sparse=True, ragged=True: rows are dense arrays here; output_sequence_length= says "
     "how long.", ValueError),
    (lambda: Vectorize(output_mode="count", output_sequence_length=3), "output_sequence_length goes with output_mode='int': "
     "other rows are as wide as the vocabulary.", ValueError),
    (lambda: Vectorize(max_tokens=2), "max_tokens=2 leaves no room for tokens: ['', '[UNK]'] are counted, too.", ValueError),
    (lambda: Vectorize(output_mode="count", pad_to_max_tokens=True), "pad_to_max_tokens=True needs max_tokens=.", ValueError),
    (lambda: Vectorize(vocabulary=[]), "This vocabulary is empty. Write its tokens, or call adapt(data).", ValueError),
    (lambda: Vectorize(vocabulary=["a", "b", "a"]), "This vocabulary has ['a'] more than once.", ValueError),
    (lambda: Vectorize(vocabulary=["a", ""]), "'' stands for no token: leave it out of the vocabulary, or begin it with "
     "['', '[UNK]'].", ValueError),
    (lambda: Vectorize(3, vocabulary=["a", "b"]), "This vocabulary has 4 tokens with ['', '[UNK]'], and max_tokens=3.",
     ValueError),
    (lambda: Vectorize(output_mode="tf_idf", vocabulary=["a"]), "idf_weights go with output_mode='tf_idf', and it with them.",
     ValueError),
    (lambda: Vectorize(output_mode="tf_idf", vocabulary=["a"], idf_weights=[1, 2]), "Here are 2 idf_weights for 1 tokens.",
     ValueError),
    (lambda: Vectorize().adapt(timeseries_dataset_from_array([1, 2], [1, 2], 1)), "adapt wants batches of x alone: write "
     "adapt(x for x, _ in data).", TypeError),
    (lambda: StringLookup(num_oov_indices=0, vocabulary=["a"])(["a", "b"]), "StringLookup: 'b' is not in the vocabulary. Write "
     "num_oov_indices=1 for a number of those that are not.", ValueError),
    (lambda: StringLookup(vocabulary=["a"])([1]), "StringLookup wants text, got 1. Write text, or put '' where there is none.",
     TypeError),
    (lambda: StringLookup(sparse=True), "sparse=True: rows are dense arrays here.", ValueError),
    (lambda: StringLookup(invert=True, output_mode="count"), "invert=True gives tokens for numbers: it goes with "
     "output_mode='int'.", ValueError),
    (lambda: StringLookup(invert=True, vocabulary=["a"])(["a"]), "StringLookup(invert=True) wants numbers of tokens, got <U1.",
     ValueError),
    (lambda: IntegerLookup(vocabulary=[1])([0.5]), "IntegerLookup wants whole numbers, got 0.5.", TypeError)])
def test_what_cannot_be_looked_up_says_so(call, message, error, refuses):
    with refuses(message, error):
        call()


def test_misspelt_words_are_named():
    with pytest.raises(TypeError, match="TextVectorization takes no argument 'max_token'. Did you mean 'max_tokens'"):
        TextVectorization(max_token=3)
