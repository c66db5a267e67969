"""Sparse x: the numbers are those of the dense matrix, and no more of it is ever made dense than a slab."""

import re

import numpy as np
import pytest
import scipy.sparse as sparse
from numpy.testing import assert_array_equal
from shares import always

from jaxseq.api import data as feeds
from jaxseq.api.sparse import SparseRows
from jaxseq.layers import Dense, Embedding
from jaxseq.models import Sequential

DRAW = np.random.default_rng(0)
MATRIX = sparse.random(60, 40, 0.1, "csr", random_state=0)
DENSE = MATRIX.toarray()
Y = DRAW.normal(size=(60, 1))
FORMS = {"csr": MATRIX, "csc": MATRIX.tocsc(), "coo": MATRIX.tocoo(), "csr_array": sparse.csr_array(MATRIX),
         "coo with doubles": sparse.coo_matrix((np.tile(MATRIX.data, 2), np.tile(MATRIX.tocoo().coords, 2)), (60, 40)),
         "counts": MATRIX.astype(bool).astype("int64"), "flags": MATRIX.astype(bool)}


def regressor():
    model = Sequential([Dense(3, activation="relu"), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    return model


@pytest.fixture
def made_dense(monkeypatch):
    """The rows that each call made dense."""
    rows, take, dense = [], SparseRows.take, SparseRows.dense
    monkeypatch.setattr(SparseRows, "take", lambda self, wanted, out: (rows.append(len(wanted)), take(self, wanted, out))[1])
    monkeypatch.setattr(SparseRows, "dense", lambda self: (rows.append(len(self)), dense(self))[1])
    return rows


def everything(x, y=Y):
    model = regressor()
    words = {"batch_size": 8, "verbose": 0}
    model.fit(x, y, epochs=2, validation_split=0.2, sample_weight=np.linspace(0, 1, len(y)), **words)
    model.train_on_batch(x[:7] if hasattr(x, "__getitem__") else x.tocsr()[:7], y[:7])
    return model.fingerprint(), model.history.history, model.evaluate(x, y, **words), model.predict(x, batch_size=8).tolist()


@pytest.mark.parametrize("form", always({"csr", "counts"}, FORMS))
def test_the_numbers_are_those_of_the_dense_matrix(form):
    given = FORMS[form]
    before = given.copy()
    x = given.tocsr() if "coo" in form or form == "csc" else given
    assert everything(x) == everything(given.toarray())
    model = regressor()
    model.fit(given, Y, batch_size=8, verbose=0)
    twin = regressor()
    twin.fit(given.toarray(), Y, batch_size=8, verbose=0)
    assert model.fingerprint() == twin.fingerprint()
    assert_array_equal(given.data, before.data)
    assert given.dtype == before.dtype


def test_never_more_rows_are_dense_than_a_slab(made_dense, monkeypatch):
    monkeypatch.setattr(feeds, "STREAMED_SLAB_BYTES", 16 * (40 + 1) * 4)
    monkeypatch.setattr(feeds, "BLOCK_BYTES", 16 * (40 + 1) * 4)
    model = regressor()
    model.fit(MATRIX, Y, batch_size=8, epochs=2, verbose=0)
    assert sum(made_dense) == 2 * 64 and max(made_dense) == 16        # 60 rows, filled up to whole batches
    made_dense.clear()
    model.evaluate(MATRIX, Y, batch_size=8, verbose=0)
    model.predict(MATRIX, batch_size=8)
    assert sum(made_dense) == 64 + 60 and max(made_dense) == 16


def test_a_wide_matrix_of_few_numbers_fits():
    """Dense it would be 80 GB."""
    wide = sparse.csr_matrix((np.ones(4), ([0, 1, 99_999, 5], [0, 1, 199_999, 7])), shape=(100_000, 200_000))
    model = Sequential([Dense(1, use_bias=False, kernel_initializer="ones")])
    assert_array_equal(model.predict(wide[-3:]), [[0], [0], [1]])
    model.compile("sgd", "mse")
    model.fit(wide, np.zeros(100_000), batch_size=4, steps_per_epoch=2, shuffle=False, verbose=0)


def test_batches_of_a_generator_may_be_sparse(made_dense):
    batches = lambda matrix: ((matrix[start:start + 20], Y[start:start + 20]) for start in range(0, 60, 20))
    one, other = regressor(), regressor()
    one.fit(batches(MATRIX), verbose=0)
    other.fit(batches(DENSE), verbose=0)
    assert one.fingerprint() == other.fingerprint()
    assert max(made_dense) == 20
    assert_array_equal(one.predict(each for each, _ in batches(MATRIX)), one.predict(DENSE, batch_size=20))


def broken():
    matrix = MATRIX.copy()
    matrix.data[[3, 7]] = np.nan
    return matrix


FIRST = tuple(int(each[3]) for each in MATRIX.nonzero())
WRONG = {
    "a hole": (regressor, broken, Y, ValueError, "x has 2 values that are NaN or infinite, the first at "
               f"{list(FIRST)}: nan. Clean the data, for example with np.nan_to_num."),
    "another width": (lambda: Sequential([Dense(1, input_shape=(9,))]), lambda: MATRIX, Y, ValueError,
                      "x has shape (60, 40), but the model wants (None, 9)."),
    "rows": (regressor, lambda: MATRIX, Y[:9], ValueError, "x has 60 rows and y has 9: each row of x needs its row of y."),
    "one axis": (regressor, lambda: sparse.coo_array(DENSE[0]), Y, ValueError,
                 "x is a sparse coo_array of shape (40,): pass a matrix with one row per example."),
    "ids": (lambda: Sequential([Embedding(5, 2), Dense(1)]), lambda: MATRIX.astype("int32"), np.zeros((60, 40, 1)), TypeError,
            "A sparse matrix (60, 40) is made dense batch by batch, and here it is needed as a whole: pass x.toarray()."),
    "y": (regressor, lambda: DENSE, sparse.csr_matrix(Y), TypeError, "y is a sparse csr_matrix: pass y.toarray()."),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_is_refused(what):
    make, x, y, error, message = WRONG[what]
    model = make()
    if not getattr(model, "optimizer", None):
        model.compile("sgd", "mse")
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        model.fit(x(), y, verbose=0)
