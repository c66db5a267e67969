"""The examples run from the command line, quickly, on small files of the form that they read."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shares import always

from jaxseq.api.datasets.fetch import SYSTEM

ROOT = Path(__file__).parents[1]
WORDS = ["ship", "gold", "stock", "share", "bank", "price", "oil", "grain", "trade", "money", "rate", "dollar", "year",
         "profit", "loss", "film", "plot", "actor"]


def texts(draw, count, favourite):
    return [" ".join([favourite, *draw.choice(WORDS, 12)]) for _ in range(count)]


def newswires(folder):
    draw = np.random.default_rng(0)
    for part, count in ("train", 60), ("test", 20):
        lines = [f"{subject}\t{text}" for subject in ("earn", "ship") for text in texts(draw, count, subject)]
        (folder / f"r8-{part}.txt").write_text("\n".join(lines) + "\n")
    return folder


def reviews(folder):
    draw = np.random.default_rng(1)
    for name, word in ("mr.pos", "d\xe9licieux"), ("mr.neg", "dull"):
        (folder / name).write_text("\n".join(texts(draw, 100, word)) + "\n", encoding="latin-1")
    return folder


def shakespeare(folder):
    (folder / "plays.txt").write_text("To be, or not to be: that is the question.\n" * 2400)
    return folder / "plays.txt"


def cifar10(folder):
    draw = np.random.default_rng(2)
    arrays = {f"{name}_{part}": draw.integers(256 if name == "x" else 10, size=(count, *shape), dtype=np.uint8)
              for part, count in (("train", 128), ("test", 40)) for name, shape in (("x", (32, 32, 3)), ("y", (1,)))}
    np.savez(folder / "pictures.npz", **arrays)
    return folder / "pictures.npz"


def clothes(folder):
    if not (SYSTEM / "fashion-mnist").is_dir():
        pytest.skip("Fashion-MNIST is not on this machine")


CASES = {"newswires": newswires, "reviews": reviews, "shakespeare": shakespeare, "cifar10": cifar10, "fashion_mlp": clothes,
         "fashion_cnn": clothes}
QUICK = ("fashion_mlp",)


def test_every_example_has_a_case():
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == {*CASES}


def run(name, *given, cwd):
    command = [sys.executable, ROOT / "examples" / f"{name}.py", *given, "--quick"]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize(("text", "told"), [
    (None, "Pass a file with a text of a megabyte or so: python examples/shakespeare.py FILE\n"),
    ("To be. " * 182, "short.txt has 1,274 letters, which is too short: pass a text of at least 1,281.\n")])
def test_shakespeare_needs_a_text(text, told, tmp_path):
    if text is not None:
        (tmp_path / "short.txt").write_text(text)
    ran = run("shakespeare", *([] if text is None else ["short.txt"]), cwd=tmp_path)
    assert ran.returncode == 1 and ran.stderr.endswith(told) and "Traceback" not in ran.stderr


@pytest.mark.parametrize("name", always(QUICK, CASES))
def test_it_runs(name, tmp_path):
    given = CASES[name](tmp_path)
    ran = run(name, *([given] if given else []), cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr[-3000:]
    score, = re.findall(r"accuracy (\d\.\d+)", ran.stdout.splitlines()[-1])[:1]
    assert 0 <= float(score) <= 1 and " s" in ran.stdout.splitlines()[-1]
    if name == "newswires":             # a word says it all
        assert float(score) > 0.4
