"""A crash at any moment, of the process or of the machine, leaves the old state or the new one, and the next save works."""

import os
from pathlib import Path

import pytest

from jaxseq.api.files.atomic import replacing

from .crash_images import CASES, SOME, fault_of, looked_at, made_by
from .volume import Request, Volume, images
from .writers import WRITERS, Writer, before

each_case = pytest.mark.parametrize(("writer", "prior"), CASES)


@each_case
def test_some_crashes_leave_the_old_state_or_the_new_one(writer, prior):
    found = looked_at(WRITERS[writer], prior, full=False)
    assert found.count == SOME and found.failures == ()


@pytest.mark.full
@each_case
def test_all_crashes_leave_the_old_state_or_the_new_one(writer, prior):
    assert looked_at(WRITERS[writer], prior, full=True).failures == ()


def test_there_are_enough_of_them():
    counts = {(writer, prior): len(made_by(WRITERS[writer], before(WRITERS[writer])[prior](WRITERS[writer])))
              for writer, prior in CASES}
    assert sum(counts.values()) >= 1500, counts


# ---- what the images are worth


def test_the_images_of_a_rename_are_these():
    """b is there; a is created, written in two parts and forced, takes the place of b, and the folder is forced."""
    before = Volume({0: {"b": 1}}, {1: b"old"})
    requests = [Request("create", 2, 0, "a"), Request("write", 2, data=b"12"), Request("write", 2, offset=2, data=b"34"),
                Request("sync", 2), Request("rename", 2, 0, "a", "b"), Request("sync", 0)]
    found = {(tuple(sorted(image.tree.items())), image.returned) for image in images(before, requests)}
    drafts = b"", b"1", b"12", b"123", b"1234", b"\0\0", b"\0\0\0\0"
    only_old, new = (("b", b"old"),), (("b", b"1234"),)
    assert found == {(only_old, False), *(((("a", draft), *only_old), False) for draft in drafts), (new, False), (new, True)}


SIZE = 5000


def in_place(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def unforced(path: Path, content: bytes) -> None:
    draft = path.with_name("draft")
    with open(draft, "wb") as file:
        file.write(content)
    os.replace(draft, path)


def unsettled(path: Path, content: bytes) -> None:
    draft = path.with_name("draft")
    with open(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def removed_first(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with replacing(path) as file:
        file.write(content)


def as_here(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def writer_of(way) -> Writer:
    def read(root):
        content = (root / "f").read_bytes() if (root / "f").exists() else None
        if content is not None and (not content or content != content[:1] * SIZE):
            raise ValueError("half of it")
        return content[0] if content else None

    return Writer("f", "f", lambda root, state: way(root / "f", bytes([state]) * SIZE), read,
                  lambda root: sorted(set(os.listdir(root)) - {"f"}))


@pytest.mark.parametrize(("way", "noticed"), [
    (in_place, {"killed", "torn", "data lost"}), (unforced, {"data lost", "names lost"}), (unsettled, {"names lost"}),
    (removed_first, {"killed", "torn", "data lost"}), (as_here, set())])
def test_images_show_what_careless_writers_lose(way, noticed):
    writer = writer_of(way)
    made = made_by(writer, {"f": bytes([1]) * SIZE})
    assert {image.crash.split(" (")[0].split(" after")[0] for image in made if fault_of(writer, 1, image)} == noticed
