"""Mutants and flipped bits: a file is loaded, or refused, and is never another."""

import time

import pytest

from . import flips, fuzzing, mutants, readers
from .lab import opened


@pytest.fixture(scope="module")
def lab():
    with opened() as here:
        yield here


def test_mutants_are_loaded_or_refused(lab):
    report = fuzzing.fuzz(300, lab=lab)
    assert report.failures == [] and report.figures["loaded"] > 30 and report.figures["refused"] > 100


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", fuzzing.SHARES)
def test_very_many_mutants_are_loaded_or_refused(lab, kind):
    """Behind those that `python -m reliability` counts, four times as many."""
    report = fuzzing.fuzz(round(2500 * fuzzing.SHARES[kind]), first=10_000, kinds=[kind], lab=lab)
    assert report.failures == []


@pytest.mark.parametrize(("sin", "told"), [("die", "died with status -11"), ("fail", "KeyError")])
def test_a_mutant_that_does_harm_is_named(lab, sin, told):
    report = fuzzing.fuzz(2, first=7, kinds=["tensors"], lab=lab,
                          before=lambda cell: cell.ask("sins.commit", name=sin, trap={}))
    assert [failure.split()[1].strip(":") for failure in report.failures if told in failure] == ["7", "8"]


def test_no_flipped_bit_makes_another_file(lab):
    report = flips.flips(40, lab=lab)
    assert report.failures == [] and report.cases == 240
    assert all(report.figures[f"{kind} refused"] > 8 for kind in flips.READ)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", flips.READ)
def test_no_bit_of_very_many_makes_another_file(lab, kind):
    report = flips.flips(250, first=1, kinds=[kind], lab=lab)
    assert report.failures == [] and report.figures[f"{kind} refused"] > 50


def test_a_number_always_gives_the_same_mutant(lab, monkeypatch):
    """At any time, too."""
    for kind in fuzzing.SHARES:
        found = [mutants.mutant(kind, lab.good, number) for number in range(40)]
        monkeypatch.setattr(time, "time", lambda earlier=time.time: earlier() + 3600)
        assert found == [mutants.mutant(kind, lab.good, number) for number in range(40)]
        assert {how for how, _ in found} == {how.__name__ for how in mutants.AWARE[kind]}
        assert len({str(content) for _, content in found}) > 30


def test_flips_that_are_loaded_as_another_file_are_seen(lab, tmp_path, monkeypatch):
    """With a reader that reads whatever stands there."""
    monkeypatch.setattr(readers, "opened", lambda kind, loader, path: {"outcome": "loaded", "same": False, "said": ""})
    told = flips.opened("tensors", 0, 20, lab.good, tmp_path / "w.safetensors")
    assert len(told["failures"]) == 20 and told["outcomes"]["another"] == 20
