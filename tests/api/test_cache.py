"""The cache of compiled programs: where it lies, whom it trusts, what it saves, and that damage never reaches a result.

Every case runs in processes of its own, because what it sets in JAX holds for a whole process.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jaxseq.api import cache

CHILD = """
import collections, json, sys, warnings
import jax, jax.numpy as jnp, numpy as np
from jaxseq.api import cache

events, caught = collections.Counter(), []
jax.monitoring.register_event_listener(lambda name, **_: events.update([name.rsplit("/", 1)[1]]))
warnings.simplefilter("always")
warnings.showwarning = lambda message, *_: caught.append(str(message))
{before}
cache.switch_on()
cache.switch_on()
x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
programs = [lambda x: jnp.tanh(x) @ x, lambda x: jnp.sort(x, axis=0), lambda x: jax.lax.fori_loop(0, 9, lambda i, y: y @ x, x)]
values = [np.asarray(jax.jit(program)(x)).tobytes().hex() for program in programs]
print(json.dumps(dict(values=values, hits=events["cache_hits"], kept=events["cache_misses"], warnings=caught,
                      folder=jax.config.jax_compilation_cache_dir)))
"""
NOT_INHERITED = {"JAXSEQ_CACHE", "JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE", "JAX_LOGGING_LEVEL",
                 "TF_CPP_MIN_LOG_LEVEL", "XDG_CACHE_HOME"}


def child(before="", **environment) -> dict:
    """What a process tells that switches the cache on and compiles three programs. XLA's own log must stay empty."""
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    root = str(Path(cache.__file__).parents[2])
    environment = {**inherited, "JAX_PLATFORMS": "cpu", "PYTHONPATH": root, **{k: str(v) for k, v in environment.items()}}
    script = [sys.executable, "-c", CHILD.replace("{before}", before)]
    done = subprocess.run(script, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("programs-*/*.xla"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> tuple[Path, dict]:
    """A user's cache folder after the first process, and what that process told."""
    home = tmp_path_factory.mktemp("home")
    return home, child(XDG_CACHE_HOME=home / "new", LOCALAPPDATA=home / "new", HOME=home)


def copy(filled: tuple[Path, dict], to: Path) -> Path:
    """A folder for JAXSEQ_CACHE that holds the same programs."""
    return Path(shutil.copytree(Path(filled[1]["folder"]).parent, to / "copy"))


def test_a_second_process_compiles_nothing_anew(filled, tmp_path):
    _, first = filled
    second = child(JAXSEQ_CACHE=copy(filled, tmp_path))
    assert first["kept"] >= 3 and first["hits"] == 0 and not first["warnings"]
    assert second["hits"] == first["kept"] and second["kept"] == 0 and not second["warnings"]
    assert second["values"] == first["values"]


def test_the_folder_is_the_users_alone(filled):
    home, first = filled
    folder = Path(first["folder"])
    assert folder.parent.name == "jaxseq" and folder.is_relative_to(home.resolve())
    assert len(entries(folder.parent)) == first["kept"] and not list(folder.glob("*.part"))
    if os.name == "posix":
        assert {stat.S_IMODE(path.stat().st_mode) for path in (folder.parent.parent, folder.parent, folder)} == {0o700}
        assert {stat.S_IMODE(path.stat().st_mode) for path in entries(folder.parent)} == {0o600}


def flip(entry: bytes) -> bytes:
    middle = len(entry) // 2
    return entry[:middle] + bytes([entry[middle] ^ 4]) + entry[middle + 1:]


@pytest.mark.every(4)
@pytest.mark.parametrize("damage", [
    flip,
    lambda entry: b"",
    lambda entry: entry[:len(entry) // 2],
    lambda entry: b"\x93garbage" * 200,
], ids=["one bit flipped", "emptied", "truncated", "overwritten"])
def test_damaged_programs_are_compiled_anew_and_kept_again(damage, filled, tmp_path):
    folder, (_, first) = copy(filled, tmp_path), filled
    for path in entries(folder):
        path.write_bytes(damage(path.read_bytes()))
    hurt, healed = child(JAXSEQ_CACHE=folder), child(JAXSEQ_CACHE=folder)
    assert hurt["values"] == healed["values"] == first["values"]
    assert hurt["hits"] == 0 and hurt["kept"] == healed["hits"] == first["kept"]
    assert len(hurt["warnings"]) == 1 and "does not fit its checksum" in hurt["warnings"][0]
    assert not healed["warnings"]


def test_a_whole_entry_that_xla_cannot_load_is_compiled_anew(filled, tmp_path):
    folder, (_, first) = copy(filled, tmp_path), filled
    for path in entries(folder):
        cache.Store(path.parent).put(path.stem, b"not a program")
    hurt, healed = child(JAXSEQ_CACHE=folder), child(JAXSEQ_CACHE=folder)
    assert hurt["values"] == healed["values"] == first["values"]
    assert len(hurt["warnings"]) == 1 and "could not be loaded" in hurt["warnings"][0] and len(hurt["warnings"][0]) < 800
    assert healed["hits"] == first["kept"] and not healed["warnings"]


@pytest.mark.every(2)
@pytest.mark.parametrize("before, environment", [
    ("", {"JAXSEQ_CACHE": "0"}),
    ("jax.config.update('jax_enable_compilation_cache', False)", {}),
], ids=["by our variable", "in JAX"])
def test_it_can_be_switched_off(before, environment, tmp_path):
    told = child(before, XDG_CACHE_HOME=tmp_path, LOCALAPPDATA=tmp_path, HOME=tmp_path, **environment)
    assert told["folder"] is None and not told["warnings"] and not list(tmp_path.iterdir())


def test_a_cache_that_the_user_set_up_is_left_alone(tmp_path):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    told = child(JAX_COMPILATION_CACHE_DIR=theirs, JAXSEQ_CACHE=ours)
    assert told["folder"] == str(theirs) and not told["warnings"] and not ours.exists()


def refusals(tmp_path: Path):
    """(folder, what is said of it) for every way in which others could put programs into it."""
    yonder, ajar, linked, foreign = (tmp_path / name for name in ("yonder", "ajar", "linked", "foreign"))
    for path in (yonder, ajar, foreign):
        path.mkdir()
    yonder.chmod(0o777)
    ajar.chmod(0o770)
    linked.symlink_to(foreign, target_is_directory=True)
    yield yonder / "cache", "others may write to"
    yield ajar, "others may write to"
    yield linked, "is a symbolic link"
    if os.getuid() == 0:
        os.chown(foreign, 12345, 12345)
        yield foreign, "belongs to another user"
        yield foreign / "cache", "belongs to another user"


@pytest.mark.skipif(os.name != "posix", reason="only POSIX folders have an owner and a mode")
def test_a_folder_that_others_can_reach_into_is_refused(tmp_path):
    for root, words in refusals(tmp_path):
        folder = root / "programs-0"
        folder.mkdir(parents=True, exist_ok=True)
        assert words in cache._fault(folder)
    told = child(JAXSEQ_CACHE=tmp_path / "yonder" / "cache")
    assert told["folder"] is None and told["hits"] == told["kept"] == 0
    assert len(told["warnings"]) == 1
    assert all(words in told["warnings"][0] for words in (str(tmp_path / "yonder"), "others may write", "JAXSEQ_CACHE=0"))


@pytest.mark.skipif(os.name != "posix", reason="only POSIX folders have an owner and a mode")
def test_a_folder_where_nobody_can_remove_what_is_anothers_will_do(tmp_path):
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    folder = tmp_path / "sticky" / "mine" / "programs-0"
    folder.mkdir(mode=0o700, parents=True)
    assert cache._fault(folder) == ""


def test_a_folder_that_cannot_be_made_costs_one_warning(tmp_path):
    (tmp_path / "file").write_text("in the way")
    told = child(JAXSEQ_CACHE=tmp_path / "file" / "cache")
    assert len(told["values"]) == 3 and told["folder"] is None and len(told["warnings"]) == 1


def test_a_full_disk_costs_one_warning(filled, tmp_path):
    full = "def full(*_, **__): raise OSError(28, 'No space left on device')\ncache.tempfile.mkstemp = full"
    told = child(full, JAXSEQ_CACHE=tmp_path / "cache")
    assert told["values"] == filled[1]["values"]
    assert len(told["warnings"]) == 1 and "No space left" in told["warnings"][0]


def test_all_programs_together_stay_within_the_bound(monkeypatch, tmp_path):
    """The bound holds after every entry, what was used last stays, and old machines' programs count as well."""
    monkeypatch.setattr(cache, "BOUND", 1600)
    for number, name in enumerate(("programs-old", "programs-new")):
        (tmp_path / name).mkdir()
        store = cache.Store(tmp_path / name)
        for entry in range(20):
            key = f"jit_{number}_{entry}"
            store.put(key, b"x" * 28)
            assert sum(path.stat().st_size for path in entries(tmp_path)) <= cache.BOUND
            os.utime(store.path(key), (100 * number + entry,) * 2)
    assert store.get("jit_1_19") and not list(tmp_path.glob("programs-old/jit_0_0.xla"))
    assert len(entries(tmp_path)) >= 20
    store.put("jit_large", b"x" * 1600)
    assert store.get("jit_large") is None


def test_an_entry_cannot_stand_for_another(tmp_path):
    store = cache.Store(tmp_path)
    store.put("jit_f-1", b"program")
    shutil.copy(store.path("jit_f-1"), store.path("jit_g-2"))
    with pytest.warns(UserWarning, match="checksum"):
        assert store.get("jit_g-2") is None
    assert store.get("jit_f-1") == b"program" and not store.path("jit_g-2").exists()


def test_threads_may_keep_and_load_at_once(tmp_path):
    store, wrong = cache.Store(tmp_path), []

    def work(name: int) -> None:
        for _ in range(30):
            store.put("jit_shared", b"p" * 1000)
            store.put(f"jit_{name}", bytes([name]) * 1000)
            if store.get("jit_shared") != b"p" * 1000 or store.get(f"jit_{name}") != bytes([name]) * 1000:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and not store.silent and not list(tmp_path.glob("*.part"))


def test_other_facts_of_a_machine_give_another_folder(monkeypatch):
    names = {cache._machine()}
    for variable in ("XLA_FLAGS", "NPROC"):
        monkeypatch.setenv(variable, "7")
        names.add(cache._machine())
    monkeypatch.setattr(cache, "_processor", lambda: ["flags : none"])
    assert len(names | {cache._machine()}) == 4
