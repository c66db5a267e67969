"""The demo reaches its goals, comes out the same each time, and does what its command line says."""

import re
import subprocess
import sys

import pytest

from jaxseq.__main__ import main
from jaxseq.api import demo

WORDS = [sys.executable, "-m", "jaxseq"]


@pytest.mark.every(3)
@pytest.mark.parametrize("name", demo.DEMOS)
def test_each_model_reaches_its_goal(name):
    outcome = demo.run(name)
    assert outcome.accuracy >= outcome.goal == {"mlp": 0.96, "convnet": 0.98, "lstm": 0.95}[name]
    assert outcome.epochs == demo.DEMOS[name].epochs


@pytest.mark.parametrize("name", ["mlp", "lstm"])
def test_the_same_seed_gives_the_same_model_to_the_bit(name):
    first, again = demo.run(name, 1, 3), demo.run(name, 1, 3)
    assert first.fingerprint == again.fingerprint and first.accuracy == again.accuracy


def test_another_seed_gives_another_model():
    assert demo.mlp(3).fingerprint() != demo.mlp(4).fingerprint()


def test_the_data_are_numbers_from_0_to_1_in_the_shape_asked_for():
    (x, y), (x_test, y_test) = demo.data((8, 8, 1))
    assert x.shape == (1437, 8, 8, 1) and x_test.shape == (360, 8, 8, 1)
    assert x.min() == 0 and x.max() == 1 and x.dtype == "float32"
    assert len(y) == 1437 and len(y_test) == 360


def test_the_table_has_a_line_for_each_model():
    outcome = demo.Outcome(0.98765, 0.96, 26122, 30, 2.34, "ab")
    assert demo.table({"mlp": outcome}) == (
        "Model        Weights  Epochs  Seconds  Accuracy   Goal\n"
        "mlp           26,122      30      2.3    0.9877   0.96")


def test_the_status_tells_of_a_missed_goal(monkeypatch, capsys):
    monkeypatch.setattr(demo, "self_check", lambda: "right")
    monkeypatch.setattr(demo, "run", lambda name, *_, **__: demo.Outcome(0.5, demo.DEMOS[name].goal, 1, 1, 1.0, "ab"))
    assert demo.show() == 1
    assert demo.show("mlp", epochs=1) == 0          # with fewer epochs no goal is set
    out = capsys.readouterr().out
    assert out.startswith("Self-check: right\n") and out.count("Held-out accuracy 0.5000") == 4


@pytest.mark.full
def test_the_command_line_trains_what_it_is_told():
    done = subprocess.run([*WORDS, "demo", "--model", "mlp", "--epochs", "2", "--seed", "5"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "A perceptron with dropout" in done.stdout and "A convnet" not in done.stdout
    assert "Epoch 2/2" in done.stdout and "Epoch 3" not in done.stdout
    assert 'Model "mlp"' in done.stdout
    assert re.search(r"^Fingerprint [0-9a-f]{64}$", done.stdout, re.M)
    assert re.search(r"^mlp +26,122 +2 +[\d.]+ +0\.\d{4} +0\.96$", done.stdout, re.M)


def test_no_command_prints_help(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out


def test_the_self_check_prints_what_it_found(monkeypatch, capsys):
    monkeypatch.setattr("jaxseq.self_check", lambda verbose: f"verbose={verbose}")
    assert main(["self-check", "--verbose"]) == 0
    assert capsys.readouterr().out == "verbose=True\n"


def test_a_failed_self_check_is_told_and_sets_the_status(monkeypatch, capsys):
    def wrong(verbose):
        raise RuntimeError("3 of 4 outputs are wrong")

    monkeypatch.setattr("jaxseq.self_check", wrong)
    assert main(["self-check"]) == 1
    assert capsys.readouterr().err == "3 of 4 outputs are wrong\n"


def test_an_unknown_model_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--model", "forest"])
    assert "invalid choice: 'forest'" in capsys.readouterr().err
