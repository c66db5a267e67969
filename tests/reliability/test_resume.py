"""A run that is killed at any moment and started again ends with the bits of the run that never was."""

import functools
import random
import signal

import pytest
from shares import always

from . import survivors
from .kills import killed
from .zygote import ended, zygote

OPERATIONS = 24             # calls that change the disk while the first checkpoints are written, and more


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    with zygote(tmp_path_factory.mktemp("programs")) as child:
        yield child


@pytest.fixture(scope="module")
def unbroken(child, tmp_path_factory):
    """{run: how it ends when nothing happens}, each trained once, without any backup."""
    return functools.cache(lambda run: ended(child, run, tmp_path_factory.mktemp(run), without=True))


@pytest.mark.parametrize("run", always({"stateful"}, survivors.RUNS))
def test_keeping_checkpoints_changes_nothing(run, child, unbroken, tmp_path):
    assert ended(child, run, tmp_path) == unbroken(run)


@pytest.mark.parametrize("moment", range(2))
@pytest.mark.parametrize("run", always({"stateful"}, survivors.RUNS))
def test_a_killed_run_ends_as_one_that_was_not(run, moment, child, unbroken, tmp_path):
    after = random.Random(f"{run} {moment}").uniform(0, 0.25)
    child(run, tmp_path, after=after)
    assert ended(child, run, tmp_path) == unbroken(run)


@pytest.mark.every(3)
@pytest.mark.parametrize("operation", range(1, OPERATIONS, 4))
def test_a_run_killed_while_it_saves_ends_as_one_that_was_not(operation, child, unbroken, tmp_path):
    assert child("perceptron", tmp_path, operation=operation) == -signal.SIGKILL
    assert ended(child, "perceptron", tmp_path) == unbroken("perceptron")
    assert not list((tmp_path / "backup").glob(".*.part"))


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", survivors.RUNS)
def test_endings_of_each_run_killed_once_twice_or_three_times(run, child, tmp_path):
    """`python -m reliability` counts twenty of each."""
    found = killed(child, tmp_path, run, 8)
    assert not found.failures and found.count >= 8          # most kills came before the end


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("operation", range(1, 3 * OPERATIONS, 3))
def test_an_operation_of_the_first_checkpoints_may_be_the_last(operation, child, unbroken, tmp_path):
    child("convnet", tmp_path, operation=operation)
    assert ended(child, "convnet", tmp_path) == unbroken("convnet")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_signals_save_at_the_next_step(sent, child, unbroken, tmp_path):
    status = child("perceptron", tmp_path, after=0.2, signal=int(sent), every=10**6, slow=0.15)
    assert status == {signal.SIGTERM: 143, signal.SIGINT: 1}[sent]
    assert len(list((tmp_path / "backup").glob("0*"))) == 1
    assert ended(child, "perceptron", tmp_path) == unbroken("perceptron")
