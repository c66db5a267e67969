"""EinsumDense against Keras: shapes of the weights, values and gradients."""

import re

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from twins import assert_twins, numbers

from jaxseq import initializers, models
from jaxseq.core.layers import EinsumDense

CASES = [
    (("ab,bc->ac", 4), {"bias_axes": "c"}, (3, 5)),
    (("abc,cd->abd", (None, 6)), {"bias_axes": "d", "activation": "tanh"}, (2, 4, 3)),
    (("abc,cde->abde", (None, 2, 3)), {"bias_axes": "de"}, (2, 4, 3)),
    (("abc,cde->abde", (None, 2, 3)), {"bias_axes": "e"}, (2, 4, 3)),
    (("abde,dec->abc", (None, 3)), {}, (2, 4, 2, 5)),
    (("...x,xy->...y", 4), {"bias_axes": "y"}, (2, 3, 5)),
    (("ab...,bc->ac...", (6,)), {"bias_axes": "c"}, (2, 4, 3)),
    (("abc,bd->adc", (5, None)), {"bias_axes": "d"}, (2, 4, 3)),
]


@pytest.mark.every(3)
@pytest.mark.parametrize(("values", "words", "shape"), CASES)
def test_as_in_keras(values, words, shape):
    assert_twins(EinsumDense(*values, **words), keras.layers.EinsumDense(*values, **words), numbers(*shape))


def test_the_kernel_is_drawn_as_the_matrix_it_is():
    kernel = models.Sequential([EinsumDense("abc,dec->abde", (None, 20, 30), input_shape=(2, 50))], seed=0).get_weights()[0]
    limit = np.sqrt(6 / (50 + 600))
    assert kernel.shape == (20, 30, 50)
    assert 0.99 * limit < np.abs(kernel).max() <= limit


@pytest.mark.parametrize("initializer", [
    keras.initializers.GlorotUniform(7), keras.initializers.Orthogonal(seed=7), keras.initializers.Constant(numbers(3, 4, 2)),
    keras.initializers.HeNormal(7)], ids=lambda initializer: type(initializer).__name__)
def test_the_kernel_is_drawn_as_in_keras(initializer):
    twin = getattr(initializers, type(initializer).__name__).from_config(initializer.get_config())
    values = "abc,dec->abde", (None, 3, 4)
    theirs = keras.layers.EinsumDense(*values, kernel_initializer=initializer)
    theirs.build((None, 5, 2))
    ours = models.Sequential([EinsumDense(*values, kernel_initializer=twin, input_shape=(5, 2))])
    assert_allclose(ours.get_weights()[0], theirs.get_weights()[0], rtol=1e-6)


@pytest.mark.parametrize(("make", "kind", "message"), [
    (lambda: EinsumDense("ab,bc", 3), ValueError, "EinsumDense(equation='ab,bc'): write x,kernel->y, as 'ab,bc->ac', "
     "'...x,xy->...y' or 'ab...,bc->ac...'."),
    (lambda: EinsumDense("ab,bc->ac"), TypeError, "EinsumDense('ab,bc->ac') needs output_shape=, the lengths of y without the "
     "batch axis."),
    (lambda: EinsumDense("ab,bc->ac", 3, bias_axes="d"), ValueError, "EinsumDense(bias_axes='d'): 'd' is no label of y in "
     "'ab,bc->ac'."),
])
def test_declarations_that_are_none(make, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(("layer", "message"), [
    (EinsumDense("ab,bc->ac", 3), "EinsumDense('ab,bc->ac') does not fit x (None, 4, 5)."),
    (EinsumDense("abc,cd->abd", (3, 6)), "EinsumDense(output_shape=(3, 6)) says 3 for 'b', x (None, 4, 5) has 4."),
    (EinsumDense("abc,cd->abd", (4, None)), "EinsumDense('abc,cd->abd') needs the length of 'd': write it in output_shape=."),
])
def test_inputs_that_do_not_fit(layer, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        models.Sequential([layer]).build((None, 4, 5))
