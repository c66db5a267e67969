"""Tokenizer and the hashes of words, held to Keras's own and to examples worked out by hand."""

import json
import os
import subprocess
import sys
import time

import keras  # noqa: F401
import numpy as np
import pandas as pd
import pytest
from keras.src.legacy.preprocessing import text as legacy
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.layers import StringLookup, TextVectorization
from jaxseq.preprocessing.text import Tokenizer, hashing_trick, one_hot, text_to_word_sequence, tokenizer_from_json

TEXTS = ["The cat sat on the mat.", "The dog, the DOG, and the log!", "", "Dogs and cats\tliving together\nmass hysteria", "?!",
         "Äpfel und Öl", "the-cat_sat  on"]
NEW = ["The cat and the axolotl", "nothing known here", "", "dog dog dog cat"]
SETTINGS = [{}, {"num_words": 5}, {"oov_token": "<OOV>"}, {"num_words": 4, "oov_token": "oov"}, {"char_level": True},
            {"char_level": True, "num_words": 6, "oov_token": "§", "lower": False}, {"lower": False}, {"filters": "t"},
            {"split": "a"}, {"analyzer": str.split}]
named = pytest.mark.parametrize("how", SETTINGS, ids=lambda how: "_".join(how) or "plain")


def both(how, texts=TEXTS):
    pair = Tokenizer(**how), legacy.Tokenizer(**how)
    for each in pair:
        each.fit_on_texts(texts)
    return pair


@named
def test_what_is_counted_is_what_keras_counts(how):
    ours, theirs = both(how)
    ours.fit_on_texts(NEW)
    theirs.fit_on_texts(NEW)
    for name in "word_counts", "word_docs", "word_index", "index_word", "index_docs", "document_count":
        assert getattr(ours, name) == getattr(theirs, name), name
    assert list(ours.word_index) == list(theirs.word_index) and list(ours.word_counts) == list(theirs.word_counts)


@named
def test_texts_become_the_sequences_of_keras_and_come_back(how):
    ours, theirs = both(how)
    sequences = theirs.texts_to_sequences(NEW)
    assert ours.texts_to_sequences(NEW) == list(ours.texts_to_sequences_generator(NEW)) == sequences
    numbers = [*sequences, [1, 2, 3, 99], []]
    assert ours.sequences_to_texts(numbers) == theirs.sequences_to_texts(numbers)


@named
@pytest.mark.parametrize("mode", ["binary", "count", "freq", "tfidf"])
def test_matrices_are_those_of_keras(how, mode):
    ours, theirs = both(how)
    x = ours.texts_to_matrix(NEW, mode)
    assert x.dtype == np.float64
    assert_allclose(x, theirs.texts_to_matrix(NEW, mode), rtol=1e-14)


def test_a_matrix_of_words_worked_out_by_hand():
    tokenizer = Tokenizer(num_words=3)
    tokenizer.fit_on_texts(["a a b", "a c"])                # a: 1, in 2 texts; b: 2, in 1; c: 3, too rare
    assert_array_equal(tokenizer.texts_to_matrix(["b b a c", "c"], "count"), [[0, 1, 2], [0, 0, 0]])
    assert_allclose(tokenizer.texts_to_matrix(["b b a c"], "freq"), [[0, 1 / 3, 2 / 3]])      # of the words that are left
    assert_allclose(tokenizer.texts_to_matrix(["b b a c"], "tfidf"), [[0, np.log(1 + 2 / 3), (1 + np.log(2)) * np.log(2)]])


@pytest.mark.parametrize("mode", ["binary", "count", "freq", "tfidf"])
def test_sequences_alone_are_counted_and_weighed_as_keras_does(mode):
    sequences = [[1, 2, 2, 9], [3], [], [1, 1, 40]]
    ours, theirs = Tokenizer(num_words=10), legacy.Tokenizer(num_words=10)
    for each in ours, theirs:
        each.fit_on_sequences(sequences)
    assert ours.index_docs == theirs.index_docs and ours.document_count == 4
    assert_allclose(ours.sequences_to_matrix(sequences, mode), theirs.sequences_to_matrix(sequences, mode), rtol=1e-14)


def test_lists_of_words_are_taken_as_they_are():
    words = [["New York", "a-b"], ["a-b"]]
    ours, theirs = both({}, words)
    assert ours.word_index == theirs.word_index == {"a-b": 1, "new york": 2}
    assert ours.texts_to_sequences([("A-B", "x")]) == [[1]]


def plain(content):
    """What the JSON says, with the counts that are JSON in it."""
    config = json.loads(content)["config"]
    return {name: json.loads(value) if name.startswith(("word_", "index_")) else value for name, value in config.items()}


@named
def test_json_goes_between_here_and_keras(how):
    if "analyzer" in how:
        return
    ours, theirs = both(how)
    assert plain(ours.to_json()) == plain(theirs.to_json(indent=2))
    back, there = tokenizer_from_json(theirs.to_json()), legacy.tokenizer_from_json(ours.to_json())
    assert plain(back.to_json()) == plain(ours.to_json())
    assert_array_equal(back.texts_to_matrix(NEW, "tfidf"), theirs.texts_to_matrix(NEW, "tfidf"))
    assert_array_equal(there.texts_to_matrix(NEW, "tfidf"), theirs.texts_to_matrix(NEW, "tfidf"))
    back.fit_on_texts(NEW)
    ours.fit_on_texts(NEW)
    assert plain(back.to_json()) == plain(ours.to_json())


@pytest.mark.parametrize("content", ['[1]', '{"class_name": "Tokenizer"}', '{"config": {"num_words": 3}}'])
def test_json_of_something_else_is_refused(content, refuses):
    with refuses("This JSON describes no Tokenizer: write tokenizer_from_json(tokenizer.to_json())."):
        tokenizer_from_json(content)


def test_the_words_of_keras_2():
    assert Tokenizer(nb_words=7).num_words == 7
    with pytest.raises(TypeError, match="Tokenizer takes no argument 'num_word'. Did you mean 'num_words'"):
        Tokenizer(num_word=3)


@pytest.mark.parametrize(("call", "message", "error"), [
    (lambda t: t.fit_on_texts("one text"), "'one text' is one text: write a list of them, [text].", TypeError),
    (lambda t: t.texts_to_sequences("ab"), "'ab' is one text: write a list of them, [text].", TypeError),
    (lambda t: t.fit_on_texts(["a", float("nan")]), "texts[1] wants text, got nan. Write text, or put '' where there is none.",
     TypeError),
    (lambda t: t.fit_on_texts([b"a"]), "texts[0] wants text, got b'a'. Decode it: each.decode('utf-8').", TypeError),
    (lambda t: t.fit_on_texts([["a", 3]]), "texts[0] wants text, got 3. Write text, or put '' where there is none.", TypeError),
    (lambda t: t.sequences_to_matrix([[1]]), "How wide should the matrix be? Write Tokenizer(num_words=...), or call "
     "fit_on_texts(texts) first.", ValueError),
    (lambda t: t.sequences_to_matrix([[1]], "tf-idf"), "mode='tf-idf': write one of 'binary', 'count', 'freq', 'tfidf'.",
     ValueError),
    (lambda t: Tokenizer(5).sequences_to_matrix([[1]], "tfidf"), "mode='tfidf' needs texts to count words in: call "
     "fit_on_texts(texts) first.", ValueError),
    (lambda t: Tokenizer(5).sequences_to_matrix([[1], [2.5]]), "These sequences hold float64: write whole numbers, as "
     "texts_to_sequences(texts) gives them.", ValueError),
    (lambda t: Tokenizer(5).sequences_to_matrix([[1], [-3]]), "There is no word -3: they are counted from 0.", ValueError),
    (lambda t: text_to_word_sequence(3), "text_to_word_sequence wants text, got 3. Write text, or put '' where there is none.",
     TypeError),
    (lambda t: text_to_word_sequence("a", split=""), "split='': write the text that stands between words, as ' '.", ValueError),
    (lambda t: one_hot("a", 1), "n=1: write a whole number of at least 2; 0 is no word.", ValueError),
    (lambda t: hashing_trick("a", 9, "sha"), "hash_function='sha': write None, 'md5' or a function from a word to a whole "
     "number.", ValueError)])
def test_what_is_no_text_says_so(call, message, error, refuses):
    with refuses(message, error):
        call(Tokenizer())


def test_no_texts_are_no_rows():
    tokenizer = Tokenizer(num_words=4)
    tokenizer.fit_on_texts([])
    assert tokenizer.texts_to_sequences([]) == [] and tokenizer.texts_to_matrix([]).shape == (0, 4)
    assert_array_equal(tokenizer.texts_to_matrix(["", "a"], "freq"), np.zeros((2, 4)))


@pytest.mark.parametrize("how", [{}, {"lower": False}, {"filters": "aT"}, {"split": ","}, {"split": "--", "filters": " "}])
@pytest.mark.parametrize("text", [*TEXTS, "a--b -- c,,d, e"])
def test_words_are_those_of_keras(text, how):
    assert text_to_word_sequence(text, **how) == legacy.text_to_word_sequence(text, **how)


def test_hashes_are_those_of_keras_but_for_its_salted_one():
    text = "The cat sat on the mat, and the dog."
    assert hashing_trick(text, 20, "md5") == legacy.hashing_trick(text, 20, "md5")
    assert hashing_trick(text, 20, len, analyzer=str.split) == legacy.hashing_trick(text, 20, len, analyzer=str.split)
    assert hashing_trick(text, 20, hash, lower=False) == legacy.one_hot(text, 20, lower=False)
    assert one_hot(text, 20) == hashing_trick(text, 20) == hashing_trick(text, 20, "md5")
    assert one_hot("", 5) == []


@pytest.mark.every(3)
@pytest.mark.parametrize(("module", "several"), [("keras.src.legacy", True), ("jaxseq", False)])
def test_one_hot_in_other_processes(module, several):
    line = f"from {module}.preprocessing.text import one_hot; print(one_hot('a b c d e f', 10**6))"
    found = {subprocess.run([sys.executable, "-W", "ignore", "-c", line], capture_output=True, text=True, check=True,
                            env={**os.environ, "PYTHONHASHSEED": seed}).stdout for seed in "12"}
    assert (len(found) == 2) == several


def test_a_large_matrix_takes_no_loop():
    """8,000 texts of 100 words, 10,000 columns: a loop over what is in them takes six times as long."""
    sequences = np.random.default_rng(0).zipf(1.3, (8000, 100)) % 10000
    tokenizer = Tokenizer(10000)
    begun = time.process_time()
    x = tokenizer.sequences_to_matrix(sequences.tolist(), "count")
    assert time.process_time() - begun < 10
    assert x.shape == (8000, 10000) and x.sum() == 800000
    assert_array_equal(x[17], np.bincount(sequences[17], minlength=10000))


def test_tables_give_their_values_and_not_their_names():
    table, words = pd.DataFrame({"text": ["a b", "b c", "c"]}), Tokenizer()
    words.fit_on_texts(table[["text"]])
    assert words.word_index == {"b": 1, "c": 2, "a": 3} and words.texts_to_sequences(table["text"]) == [[3, 1], [1, 2], [2]]
    vectorize = TextVectorization()
    vectorize.adapt(table[["text"]])
    assert sorted(vectorize.get_vocabulary()[2:]) == ["a", "b", "c"] and vectorize(table[["text"]]).shape == (3, 2)
    lookup = StringLookup()
    lookup.adapt(table[["text"]])
    assert sorted(lookup.get_vocabulary()[1:]) == ["a b", "b c", "c"]
