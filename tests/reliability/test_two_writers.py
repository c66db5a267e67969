"""Processes that save the same file at the same time: every read finds one model, and the last save is whole."""

import json
import subprocess
import sys

import pytest

from . import crowd


def crowded(folder, writers, saves, kills=0):
    command = [sys.executable, crowd.__file__, str(folder), str(writers), str(saves), str(kills)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0 and ended.stderr == "", ended.stderr[-2000:]
    told = json.loads(ended.stdout)
    assert told["found"] and told["after"] == [crowd.NAME]
    for numbers in told["found"]:
        assert len(numbers) == 1, numbers
        writer, save = divmod(numbers[0], crowd.MOST)
        assert 0 <= writer <= writers and 0 <= save < (crowd.MOST if writer < kills else saves)
    return told


def test_three_writers_and_a_reader(tmp_path):
    told = crowded(tmp_path, 3, 5)
    assert told["statuses"] == [0, 0, 0] and told["before"] == [crowd.NAME]


@pytest.mark.full
def test_eight_writers_and_a_reader(tmp_path):
    told = crowded(tmp_path, 8, 20)
    assert told["statuses"] == [0] * 8 and told["before"] == [crowd.NAME]
    assert len({number for numbers in told["found"] for number in numbers}) > 8


@pytest.mark.full
def test_writers_that_are_killed_disturb_no_other(tmp_path):
    told = crowded(tmp_path, 8, 30, kills=4)
    assert told["statuses"] == [-9] * 4 + [0] * 4
