"""Several processes on one machine that train one model, and what becomes of them when one is lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.api import hosts
from jaxseq.api.resuming import folder as checkpoints
from jaxseq.api.resuming.backup import Whole
from jaxseq.models import load_model

PROGRAM = Path(__file__).with_name("on_hosts.py")


class Ended:
    """What processes have printed, and how they have ended."""

    def __init__(self, processes):
        self.told = [each.communicate(timeout=240) for each in processes]
        self.status = [each.returncode for each in processes]

    def lines(self, word):
        """What stands behind the word, in every process."""
        found = [[line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith(word)] for out, _ in self.told]
        return [line for lines in found for line in lines]


def start(count, folder, kind, *last):
    """Starts the processes; `last`: when the last one sends itself a signal, and which."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    surroundings = {**os.environ, "JAXSEQ_CACHE": "0", "PYTHONPATH": str(Path(hosts.__file__).parents[2])}
    told = lambda number: [*map(str, (number, count, port, folder, kind, *last))]
    return [subprocess.Popen([sys.executable, PROGRAM, *told(number)], env=surroundings, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) for number in range(count)]


def run(count, folder, kind):
    ended = Ended(start(count, folder, kind))
    assert ended.status == [0] * count, ended.told
    return ended


def arrays(folder):
    return [dict(np.load(each)) for each in sorted(folder.glob("*.npz"))]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    run(1, folder, "alone")
    return folder


@pytest.mark.full
@pytest.mark.parametrize("kind", ["parallel", "sharded"])
def test_two_processes_train_as_one(kind, alone, tmp_path):
    ended = run(2, tmp_path, kind)
    first, second = ended.lines("fingerprint")
    assert first == second
    for found in arrays(tmp_path):
        for name, value in arrays(alone)[0].items():
            assert_allclose(found[name], value, rtol=1e-4, atol=1e-5)
    (said, _), (silent, _) = ended.told
    assert said.count("Epoch ") == 6 and "Epoch " not in silent
    assert (tmp_path / "log.csv").read_text().count("\n") == 7
    for here, there in zip(load_model(tmp_path / "model.keras").get_weights(), load_model(alone / "model.keras").get_weights(),
                           strict=True):
        assert_allclose(here, there, rtol=1e-4, atol=1e-5)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("kind", "signum", "status"), [("sharded", signal.SIGTERM, 143),
                                                        ("parallel", signal.SIGINT, -signal.SIGINT)])
def test_a_signal_to_one_process_ends_all_at_one_step_and_the_run_goes_on_to_the_same_bits(kind, signum, status, tmp_path):
    whole = run(2, tmp_path / "whole", kind)
    ended = Ended(start(2, tmp_path / "ended", kind, 2, int(signum)))
    assert ended.status == [status] * 2, ended.told
    (saved,) = checkpoints.all_of(tmp_path / "ended" / "backup")
    place = Whole.at(saved).told["place"]
    assert place["epoch"] == 3 and place["done"] > 0
    again = run(2, tmp_path / "ended", kind)
    for word in "fingerprint", "losses":
        assert again.lines(word) == whole.lines(word)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_lost_process_ends_the_others_and_the_run_goes_on_to_the_same_bits(tmp_path):
    whole = run(3, tmp_path / "whole", "parallel")
    processes = start(3, tmp_path / "broken", "parallel", "2")
    processes[-1].wait(240)
    lost = time.monotonic()
    ended = Ended(processes)
    assert time.monotonic() - lost < 60 and processes[-1].returncode == -9
    assert all(ended.status)
    told = [told for _, told in ended.told[:2]]         # of an exchange that failed, or where it waits for one, of a silence
    assert any("Start all of them again: with BackupAndRestore" in each for each in told), told
    assert all("Start all of them again" in each or "another task died" in each for each in told), told
    for count, same in (2, False), (3, True):
        folder = tmp_path / str(count)
        subprocess.run(["cp", "-r", tmp_path / "broken", folder], check=True)
        again = run(count, folder, "parallel")
        assert (again.lines("fingerprint") == whole.lines("fingerprint")) == same
        told = [[float(number) for number in each.lines("losses")[0].split()] for each in (again, whole)]
        assert_allclose(*told, rtol=1e-5)
    assert (tmp_path / "3" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()


@pytest.mark.parametrize(("arguments", "surroundings", "said"), [
    ({"job_addresses": "10.0.0.1"}, {}, "job_addresses='10.0.0.1': write host and port of the first process"),
    ({}, {"JAXSEQ_NUM_PROCESSES": "two"}, "JAXSEQ_NUM_PROCESSES='two': write a number."),
    ({"process_id": -1}, {}, "process_id=-1: write a number."),
])
def test_what_is_wrong_is_said(arguments, surroundings, said, monkeypatch):
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises((ValueError, TypeError)) as caught:
        hosts.initialize(**arguments)
    assert said in str(caught.value)


def test_how_processes_are_joined(monkeypatch):
    asked = []
    monkeypatch.setattr("jax.distributed.initialize", lambda *given, **words: asked.append((*given, words)))
    hosts.initialize()
    hosts.initialize("a:1, b:2,c:3", process_id=2)
    monkeypatch.setenv("JAXSEQ_JOB_ADDRESSES", "a:1")
    monkeypatch.setenv("JAXSEQ_NUM_PROCESSES", "4")
    monkeypatch.setenv("JAXSEQ_PROCESS_ID", "1")
    hosts.initialize()
    assert [each[:3] for each in asked] == [(None, None, None), ("a:1", 3, 2), ("a:1", 4, 1)]
