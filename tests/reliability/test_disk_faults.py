"""A disk that fails at any request: the old state stays, the model is as it was, and the error says what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .disk_faults import SOME, asked, cases, fault_of, looked_at
from .test_crash_images import SIZE, as_here, in_place, removed_first, writer_of
from .writers import WRITERS, a_good_one


@pytest.mark.parametrize("writer", WRITERS)
def test_some_faults_leave_the_old_state(writer):
    found = looked_at(WRITERS[writer], full=False)
    assert found.count == SOME and found.failures == ()


@pytest.mark.full
@pytest.mark.parametrize("writer", WRITERS)
def test_all_faults_leave_the_old_state(writer):
    assert looked_at(WRITERS[writer], full=True).failures == ()


def test_there_are_enough_of_them():
    counts = {name: len(list(cases(asked(writer, a_good_one(writer))))) for name, writer in WRITERS.items()}
    assert sum(counts.values()) >= 300, counts


# ---- what the faults are worth


@pytest.mark.parametrize(("way", "lost"), [(in_place, True), (removed_first, True), (as_here, False)])
def test_faults_show_what_careless_writers_lose(way, lost):
    writer, there = writer_of(way), {"f": bytes([1]) * SIZE}
    found = [fault_of(writer, there, name, at) for name, at in cases(asked(writer, there))]
    assert any("unreadable" in fault or "reads as" in fault for fault in found) == lost
    assert any(found) == lost


# ---- faults of the system itself


@pytest.fixture(scope="module")
def outcomes():
    """What came of the faults in a process of their own: {fault: {file: ...}}."""
    command, tests = [sys.executable, "-m", "reliability.real_faults"], Path(__file__).parents[1]
    ended = subprocess.run(command, cwd=tests, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 0 and ended.stderr == "", (ended.returncode, ended.stderr[-2000:])
    return json.loads(ended.stdout)


def test_a_limit_on_the_size_of_files(outcomes):
    for name, (kind, text, notes, state, left) in outcomes["limit"].items():
        assert (kind, state, left) == ("OSError", 1, []), name
        assert "File too large: 'ROOT/" in text and "ulimit -f" in notes, (name, text, notes)


def test_a_folder_of_another_user(outcomes):
    if "rights" not in outcomes:
        pytest.skip("only root can become another user and come back")
    for name, (kind, text, notes, state, left) in outcomes["rights"].items():
        assert (kind, state, left) == ("PermissionError", 1, []), name
        assert "ROOT/" in text and "another folder" in text + notes, (name, text, notes)


def test_signals_do_not_disturb(outcomes):
    for name, (kind, _, _, state, left) in outcomes["signals"].items():
        assert (kind, state, left) == ("NoneType", 2, []), name
