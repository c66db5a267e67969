"""A run that is killed at any moment and started again ends with the bits of the run that never was."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import survivors

OPERATIONS = 24             # calls that change the disk while the first checkpoints are written, and more


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    """A function (run, folder, kill) -> the exit status of a child that trains there. All find what one has compiled."""
    command, pipe = [sys.executable, survivors.__file__], subprocess.PIPE
    programs = os.environ | {"JAXSEQ_CACHE": str(tmp_path_factory.mktemp("programs"))}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=programs) as process:
        def child(run, folder, **kill):
            folder.mkdir(exist_ok=True)
            process.stdin.write(json.dumps({"run": run, "folder": str(folder), "kill": kill}) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield child
    assert process.returncode == 0


@pytest.fixture(scope="module")
def unbroken(zygote, tmp_path_factory):
    """{run: how it ends when nothing happens}, each trained once, without any backup."""
    ends = {}

    def end(run):
        if run not in ends:
            folder = tmp_path_factory.mktemp(run)
            assert zygote(run, folder, without=True) == 0, told(folder)
            ends[run] = (folder / "end.json").read_text()
        return ends[run]

    return end


def told(folder: Path):
    error = folder / "error.txt"
    return error.read_text() if error.exists() else "no error"


def resumed(zygote, run, folder):
    """How a run ends that is started again where it was broken off."""
    (folder / "end.json").unlink(missing_ok=True)
    assert zygote(run, folder) == 0, told(folder)
    return (folder / "end.json").read_text()


@pytest.mark.parametrize("run", survivors.RUNS)
def test_keeping_checkpoints_changes_nothing(run, zygote, unbroken, tmp_path):
    assert resumed(zygote, run, tmp_path) == unbroken(run)


@pytest.mark.parametrize("moment", range(2))
@pytest.mark.parametrize("run", survivors.RUNS)
def test_a_killed_run_ends_as_one_that_was_not(run, moment, zygote, unbroken, tmp_path):
    after = random.Random(f"{run} {moment}").uniform(0, 0.25)
    zygote(run, tmp_path, after=after)
    assert resumed(zygote, run, tmp_path) == unbroken(run)


@pytest.mark.parametrize("operation", range(1, OPERATIONS, 4))
def test_a_run_killed_while_it_saves_ends_as_one_that_was_not(operation, zygote, unbroken, tmp_path):
    assert zygote("perceptron", tmp_path, operation=operation) == -signal.SIGKILL
    assert resumed(zygote, "perceptron", tmp_path) == unbroken("perceptron")
    assert not list((tmp_path / "backup").glob(".*.part"))


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", survivors.RUNS)
def test_twenty_kills_of_each_run_and_some_while_it_goes_on_again(run, zygote, unbroken, tmp_path):
    draw, ends = random.Random(run), []
    for number in range(20):
        folder = tmp_path / str(number)
        for _ in range(1 + number % 3):                     # killed once, twice, three times
            ends.append(zygote(run, folder, after=draw.uniform(0, 0.25), every=draw.choice([1, 2, 5, "epoch"]), slow=0.03))
        assert resumed(zygote, run, folder) == unbroken(run), f"{run}, kill {number}"
    assert ends.count(-signal.SIGKILL) >= 20                # most of them came before the end


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("operation", range(1, 3 * OPERATIONS))
def test_every_operation_of_the_first_checkpoints_may_be_the_last(operation, zygote, unbroken, tmp_path):
    zygote("convnet", tmp_path, operation=operation)
    assert resumed(zygote, "convnet", tmp_path) == unbroken("convnet")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_signals_save_at_the_next_step(sent, zygote, unbroken, tmp_path):
    status = zygote("perceptron", tmp_path, after=0.2, signal=int(sent), every=10**6, slow=0.15)
    assert status == {signal.SIGTERM: 143, signal.SIGINT: 1}[sent]
    assert len(list((tmp_path / "backup").glob("0*"))) == 1
    assert resumed(zygote, "perceptron", tmp_path) == unbroken("perceptron")
