"""Every file that means harm is refused in time, without much memory, and without touching anything; its twin loads."""

import socket
from dataclasses import replace

import pytest

from . import harness, sins
from .attack import FILES
from .lab import opened
from .traps import World
from .zoo import ATTACKS

NAMES = {attack.name for attack in ATTACKS}


def test_there_are_attacks_of_every_row_and_on_every_kind_of_file():
    rows = {name.split()[0] for name in NAMES}
    assert rows == {*(f"Z{number}" for number in range(1, 16)), *(f"H{number}" for number in range(1, 10)), "N1", "S1", "B1"}
    assert {attack.kind for attack in ATTACKS} == set(FILES) and len(NAMES) >= 150
    assert len({attack.title for attack in ATTACKS}) == len(ATTACKS)
    chosen = harness.sample()
    assert [*sorted(attack.name for attack in chosen)] == sorted(NAMES) and {attack.kind for attack in chosen} == set(FILES)


@pytest.fixture(scope="module")
def lab():
    with opened() as here:
        yield here


def test_no_file_does_harm(lab, monkeypatch):
    some = harness.sample()[::3]
    monkeypatch.setattr(harness, "sample", lambda: some)
    report = harness.hostile(lab=lab)
    assert report.failures == [] and report.cases > len(some) >= 50


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_no_file_of_any_kind_does_harm_to_any_loader(lab):
    report = harness.hostile(full=True, lab=lab)
    assert report.failures == [] and report.cases > 2 * len(ATTACKS)


SEEN = {
    "run_code": "exec", "compile_code": "compile", "read_code": "marshal.loads", "import_a_module": "import",
    "call_the_shell": "os.system", "unpickle_a_function": "pickle.find_class", "load_a_library": "ctypes.dlopen",
    "call_somebody": "socket.", "write_a_file": "to write", "write_by_hdf5": "home/x.h5 is new",
    "read_a_file": "open /etc/passwd", "read_by_hdf5": "opened secret.h5", "take_memory": "MiB", "take_time": "takes 2.",
    "change_the_model": "the model is another", "hang": "took too long", "die": "died with status -11", "fail": "KeyError",
    "refuse_without_a_name": "without its name", "refuse_with_escapes": "act on a terminal", "refuse_at_length": "letters",
    "load_another": "gives other weights", "refuse_with_other_words": "and not with 'is wrong in another way'"}


@pytest.mark.full
def test_the_watch_sees_what_no_reader_may_do(lab):
    empty, = (each for each in ATTACKS if each.title == "N1 empty [tensors]")
    attacks = [replace(empty, name=name, told="is wrong in another way") for name in sins.ALL]

    def sin(cell, attack, world):
        trap = {"home": str(world.root / "home"), "secret": str(world.trap.secret), "url": world.trap.url}
        cell.ask("sins.commit", name=attack.name, trap=trap)

    report = harness.hostile(attacks=attacks, before=sin, lab=lab)
    assert sins.ALL.keys() == SEEN.keys()
    for name, told in SEEN.items():
        found = [failure for failure in report.failures if failure.startswith(f"{name} [")]
        assert any(told in failure for failure in found), f"{name} is not seen: {found}"


def test_what_is_seen_from_outside(tmp_path):
    with World(tmp_path / "world") as world:
        assert world.disturbed() == []
        for disturb, told in (
                (lambda: world.trap.secret.read_bytes(), "opened secret.h5"), (world.trap.made.touch, "made made"),
                (world.trap.made.unlink, "removed made"), ((world.work / "x").touch, "here/there/work/x is new"),
                (lambda: (world.work / "x").write_text("x"), "here/there/work/x is another"),
                ((world.work / "x").unlink, "here/there/work/x is gone"), ((world.root / "tmp" / "x").mkdir, "tmp/x is new"),
                (lambda: socket.create_connection(world.address).close(), "a connection")):
            disturb()
            assert told in world.disturbed()
        assert world.disturbed() == []
