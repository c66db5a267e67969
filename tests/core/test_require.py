"""The full text of every kind of message."""

import numpy as np
import pytest

from jaxseq.core.require import known_words, nearest, one_of, pick, positive_int, require

TABLE = {"relu": 1, "elu": 2, "tanh": 3}


def test_what_holds_passes():
    require(True, "never said")
    require([0], "never said", TypeError)
    assert pick("activation", "relu", TABLE) == 1
    assert one_of("shuffle", "batch", (True, False, "batch")) == "batch"
    known_words("Dense", ["units", "name"], ["name", "units", "activation"])


@pytest.mark.parametrize(("value", "whole"), [(1, 1), (np.int64(7), 7), (np.uint8(255), 255), (2**40, 2**40)])
def test_whole_numbers_become_pythons(value, whole):
    assert positive_int("units", value) == whole and type(positive_int("units", value)) is int


def test_the_nearest_names_are_told_or_all_where_none_is_near():
    assert nearest("rleu", TABLE) == " Did you mean 'relu'?"
    assert nearest("RELU", TABLE) == " Did you mean 'relu' or 'elu'?"
    assert nearest("xyz", TABLE) == " Known: elu, relu, tanh."
    assert nearest(3, TABLE) == " Known: elu, relu, tanh."


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: require(False, "Write this."), ValueError, "Write this."),
    (lambda: require([], "Write this.", TypeError), TypeError, "Write this."),
    (lambda: pick("activation", "tnah", TABLE), ValueError, "Unknown activation 'tnah'. Did you mean 'tanh'?"),
    (lambda: pick("activation", "xyz", TABLE), ValueError, "Unknown activation 'xyz'. Known: elu, relu, tanh."),
    (lambda: one_of("shuffle", "rows", (True, False, "batch")), ValueError,
     "shuffle='rows': write one of True, False, 'batch'."),
    (lambda: known_words("Dense", ["units", "activaton"], ["units", "activation"]), TypeError,
     "Dense takes no argument 'activaton'. Did you mean 'activation'?"),
    (lambda: known_words("Flatten", ["units"], ["data_format", "name"]), TypeError,
     "Flatten takes no argument 'units'. Known: data_format, name."),
    *[(lambda value=value: positive_int("Dense(units)", value), ValueError,
       f"Dense(units)={value!r}: write a whole number of at least 1.") for value in (0, -1, 2.0, True, "3", None)],
])
def test_errors_say_what_to_write(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error and str(raised.value) == message
