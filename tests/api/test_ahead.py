"""Compiling beside the first steps: what is needed is compiled once, and nothing of it is ever in the way."""

import threading
import time

import numpy as np
import pytest
from compiled import COMPILED

from jaxseq.api import ahead
from jaxseq.api.ahead import Ahead
from jaxseq.core import run
from jaxseq.layers import BatchNormalization, Dense
from jaxseq.models import Sequential


def compiling() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "jaxseq-compile"]


def all_over() -> bool:
    for thread in compiling():
        thread.join(60)
    return not compiling()


class Program:
    """Stands for a compiled program: `lower` and a call do what the test says."""

    def __init__(self, lower=lambda: None):
        self.lowered, self._lower = 0, lower

    def lower(self, *arguments):
        self._lower()
        self.lowered += 1
        return self

    def compile(self):
        return self

    def __call__(self, *arguments):
        raise ValueError("the call itself")


def broken() -> None:
    raise ValueError("in the background")


def arguments(rows: int = 4) -> tuple:
    return "state", np.zeros((rows, 3)), np.zeros((1, rows), np.int32), 0, 1


@pytest.fixture
def fit():
    """A fit with a ragged batch, which the moments of a batch forbid to fill up, and a validation, of a model of its own."""
    model = Sequential([Dense(4, activation="tanh", input_shape=(3,)), BatchNormalization(), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((50, 3))
    y = x.sum(axis=1)

    def fit(**words):
        return model.fit(x, y, **{"batch_size": 16, "epochs": 2, "verbose": 0, "validation_data": (x[:20], y[:20])} | words)

    fit.model = model
    return fit


def test_a_ragged_batch_and_a_validation_compile_training_twice_and_evaluation_once(fit):
    before = len(COMPILED)
    fit()
    assert all_over()
    names = COMPILED[before:]
    assert names.count("jit(train)") == 2
    assert names.count("jit(evaluate)") == 1
    assert fit.model.programs.train._cache_size() == 2
    assert fit.model.programs.evaluate._cache_size() == 1


def test_a_fit_of_full_batches_alone_starts_no_thread(fit, monkeypatch):
    worked = []
    monkeypatch.setattr(ahead, "_work", worked.append)
    fit(batch_size=25, validation_data=None)
    assert all_over() and worked == []


def test_a_second_fit_starts_no_thread(fit, monkeypatch):
    fit()
    assert all_over()
    worked = []
    monkeypatch.setattr(ahead, "_work", worked.append)
    before = len(COMPILED)
    fit(initial_epoch=2, epochs=4)
    assert all_over() and worked == []
    assert COMPILED[before:] == []


def test_compiling_ahead_changes_no_bit(fit, monkeypatch):
    first = fit.model.train_state
    history, found = fit().history, fit.model.fingerprint()
    fit.model.train_state = first
    fit.model.compile("sgd", "mse")                         # programs that are not compiled yet
    monkeypatch.setattr(Ahead, "start", lambda self, jobs: None)
    assert fit().history == history
    assert fit.model.fingerprint() == found


def test_where_all_that_is_compiled_ahead_fails_a_fit_is_the_same(fit, monkeypatch):
    first = fit.model.train_state
    history, found = fit().history, fit.model.fingerprint()
    fit.model.train_state = first
    fit.model.compile("sgd", "mse")
    monkeypatch.setattr(run, "prepare", lambda *job: broken())
    assert fit().history == history
    assert fit.model.fingerprint() == found


def test_an_error_in_the_background_is_raised_by_the_call_that_needs_the_program(fit, monkeypatch):
    monkeypatch.setattr(run, "make_evaluate", lambda task: Program(broken))
    with pytest.raises(ValueError, match="the call itself"):
        fit()
    assert all_over()
    assert int(fit.model.train_state.step) == 4             # the first epoch, whole


def test_after_an_error_the_other_jobs_are_done_and_nobody_waits_for_ever():
    jobs = Ahead()
    bad, good = Program(broken), Program()
    jobs.start([(bad, arguments()), (good, arguments())])
    jobs.wait(bad, arguments())
    jobs.wait(good, arguments())
    assert good.lowered == 1
    assert all_over()


def test_a_job_is_done_once_for_data_of_one_shape():
    jobs, program = Ahead(), Program()
    for rows in 4, 4, 5, 4:
        jobs.start([(program, arguments(rows)), (program, arguments(rows))])
    assert all_over()
    assert program.lowered == 2


def test_waiting_ends_when_the_program_is_compiled_and_not_before():
    go, jobs = threading.Event(), Ahead()
    slow = Program(lambda: go.wait(60))
    jobs.start([(slow, arguments())])
    threading.Timer(0.2, go.set).start()
    jobs.wait(slow, arguments())
    assert go.is_set() and slow.lowered == 1
    assert all_over()


def test_nobody_waits_for_what_is_nobodys_job():
    go, jobs = threading.Event(), Ahead()
    slow = Program(lambda: go.wait(60))
    began = time.monotonic()
    jobs.wait(Program(), arguments())
    jobs.start([(slow, arguments())])
    try:
        jobs.wait(Program(), arguments())
        jobs.wait(slow, arguments(rows=5))
        assert time.monotonic() - began < 10 and slow.lowered == 0
    finally:
        go.set()
    assert all_over()


def test_what_has_not_begun_is_given_up_and_may_be_asked_for_again():
    go, jobs = threading.Event(), Ahead()
    slow, other = Program(lambda: go.wait(60)), Program()
    jobs.start([(slow, arguments()), (other, arguments(5))])
    while not slow.lowered and not jobs._futures[ahead._key(slow, arguments())].running():
        time.sleep(0.01)
    jobs.stop()
    jobs.wait(other, arguments(5))
    go.set()
    assert all_over() and (slow.lowered, other.lowered) == (1, 0)
    jobs.start([(other, arguments(5))])
    assert all_over() and other.lowered == 1
