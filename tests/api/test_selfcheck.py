"""self_check: right here, and loud where a program is not."""

import re

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
import pytest

import jaxseq
from jaxseq.api import golden, selfcheck
from jaxseq.api.golden import Golden
from jaxseq.core.layer import Layer
from jaxseq.core.layers import Dense


class Wrong(Layer):
    """y = x + 0.5 where there are 128 rows."""

    off: float = 0.5

    def apply(self, params, state, x, ctx):
        return x + (self.off if x.shape[0] == 128 else 0), state


def nothing(x, w):
    return x, lambda dy: ({}, dy)


def wrong(layer=None):
    return Golden("wrong", (3,), (("wrong", layer or Wrong(), nothing),), batches=(1, 128))


@pytest.fixture(scope="module")
def found():
    return jaxseq.self_check()


def test_this_installation_is_right(found):
    assert found.outputs >= 30
    assert 0 < found.error < 1e-5
    assert found.seconds > 0
    assert found.device == jax.default_backend()
    assert found.versions == f"jax {jax.__version__}, jaxlib {jaxlib.__version__}"


def test_it_says_what_it_found_in_one_line():
    found = selfcheck.SelfCheck(32, 4.4e-7, 1.83, "cpu", "jax 0.10.1, jaxlib 0.10.1")
    assert str(found) == "32 outputs agree with NumPy's to 4e-07 (jax 0.10.1, jaxlib 0.10.1 on cpu; 1.8 s)"


def test_it_covers_the_kinds_of_layer_that_compute():
    covered = {type(layer).__name__ for program in golden.PROGRAMS for _, layer, _ in program.rows}
    assert covered >= {"BatchNormalization", "Conv2D", "Dense", "Dropout", "Embedding", "LSTM", "MaxPooling2D"}


def test_it_says_a_line_for_each_program(capsys):
    selfcheck.check([Golden("exact", (3,), (("wrong", Wrong(0.0), nothing),), batches=(1, 128))], verbose=True)
    assert capsys.readouterr().out == "exact          4 outputs, off by 0.0e+00 at most\n"


def test_a_wrong_program_is_named_with_all_numbers():
    off = 0.5 / np.abs(wrong().case(128)[1]["y"]).max()
    message = (
        f"1 of 4 outputs are wrong with jax {jax.__version__}, jaxlib {jaxlib.__version__} on cpu. The worst: in the program "
        f"'wrong', on a batch of 128, y is off by {off:.1e} of its largest number, where 1e-04 is allowed. Do not trust what "
        "is trained here. Install another jax: pip install 'jax>=0.10.1,!=0.10.2'")
    with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
        selfcheck.check([wrong()])


def test_not_a_number_is_wrong():
    with pytest.raises(RuntimeError, match="y is off by inf of its largest number"):
        selfcheck.check([wrong(Wrong(float("nan")))])


def test_a_wrong_gradient_is_named():
    def half(x, w):
        y = x @ w["kernel"] + w["bias"]
        return y, lambda dy: ({"kernel": x.T @ dy / 2, "bias": dy.sum(0)}, dy @ w["kernel"].T)

    with pytest.raises(RuntimeError, match="the gradient of dense/kernel is off by "):
        selfcheck.check([Golden("half", (3,), (("dense", Dense(2), half),), batches=(7,))])


@pytest.mark.parametrize("program", golden.PROGRAMS, ids=lambda program: program.name)
def test_the_oracles_gradients_are_those_of_their_outputs(program):
    """By central differences in float64, along one direction of everything at once."""
    case, wanted = program._replace(differentiated=True).case(3)
    draw = np.random.default_rng(0)
    direction = jax.tree.map(lambda value: draw.normal(size=value.shape), case.params)
    along_x = 0 if program.vocabulary else draw.normal(size=case.x.shape)

    def loss(step):
        params = jax.tree.map(lambda value, change: value.astype(np.float64) + step * change, case.params, direction)
        y, _ = program.expected(case.x if program.vocabulary else case.x + step * along_x, params)
        return np.sum(y * case.dy)

    slope = sum(np.sum(wanted[f"{name}/{weight}"] * change) for name, changes in direction.items()
                for weight, change in changes.items()) + np.sum(wanted.get("x", 0) * along_x)
    step = 1e-6
    assert np.isclose((loss(step) - loss(-step)) / (2 * step), slope, rtol=1e-6)


def test_the_programs_are_those_numbers_each_time():
    first, again = (golden.PROGRAMS[0].case(7)[0] for _ in range(2))
    assert jnp.array_equal(first.x, again.x) and jnp.array_equal(first.dy, again.dy)
