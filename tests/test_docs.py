"""What the pages of docs/ show is true: their Python blocks run, page by page, and what they link to is there."""

import importlib
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import jax
import pages
import pytest
from pages import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
WITH_CODE = [page for page in PAGES if pages.blocks(page.read_text())]
# What every newcomer runs; what the others show is held by many tests besides.
QUICK = {"index.md", "datasets.md", "guide/getting-started.md", "how-to/from-keras.md", "files.md"}
AS_FOR_A_READER = {"how-to/ensembles.md", "how-to/files.md", "how-to/reproducibility.md", "how-to/resources.md",
                   "files.md"}                                  # they compare bits, or memory
SETTINGS = (ROOT / "mkdocs.yml").read_text()


def case(page: Path):
    name = page.relative_to(DOCS).as_posix()
    return pytest.param(page, id=name, marks=() if name in QUICK else pytest.mark.full)


@pytest.mark.parametrize("page", [case(page) for page in WITH_CODE])
def test_every_block_runs(page, request, tmp_path, monkeypatch, capsys):
    if page.relative_to(DOCS).as_posix() not in AS_FOR_A_READER:
        request.getfixturevalue("quickly_compiled")
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")      # a module, so that its classes have one and can be pickled
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with jax.numpy_dtype_promotion("standard"):                     # a reader's session
        pages.run(page, vars(module))


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_no_line_of_code_scrolls_on_a_common_screen(page):
    assert not [line for block in pages.blocks(page.read_text()) for line in block.splitlines() if len(line) > 92]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_the_files_it_links_to_are_there(page):
    for link in pages.links(page.read_text()):
        assert (page.parent / link).is_file(), link


def test_every_page_stands_in_the_navigation():
    named = set(re.findall(r"([\w/.-]+\.md)$", SETTINGS, re.M))
    here = {page.relative_to(DOCS).as_posix() for page in PAGES}
    assert here <= named and {each for each in named - here if not (ROOT / each).is_file()} == set()


def test_nothing_is_fetched():
    assert "font: false" in SETTINGS and "- offline" in SETTINGS
    assert not re.findall(r"https?://", SETTINGS + (DOCS / "extra.css").read_text())


# ---- the reference

DIRECTIVE = re.compile(r"^\{\{ ([\w.]+)(?:: ([\w, ]+?))?(?: but ([\w, ]+))? \}\}$|^::: ([\w.]+)$", re.M)
# What is reached by another door, or has no names of its own.
NO_PAGE = {"jaxseq.config", "jaxseq.engine", "jaxseq.saving", "jaxseq.__main__"}


def doors() -> list[str]:
    files = [path for inner in ("*.py", "*/__init__.py", "preprocessing/*.py", "datasets/*.py")
             for path in (ROOT / "jaxseq").glob(inner)]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files}
    return sorted(names - NO_PAGE - {"jaxseq", "jaxseq.api", "jaxseq.core"})


def told() -> set[int]:
    """The identity of everything that the reference has an entry for."""
    found = set()
    for page in (DOCS / "api").glob("*.md"):
        for door, files, but, single in DIRECTIVE.findall(page.read_text()):
            if single:
                module, name = single.rsplit(".", 1)
                found.add(id(getattr(importlib.import_module(module), name)))
            else:
                found |= {id(value) for name, value in things(door).items() if name not in but.replace(",", " ").split()
                          and (not files or value.__module__.split(".")[-1] in files.replace(",", " ").split())}
    return found


def things(door: str) -> dict[str, object]:
    return {name: value for name, value in vars(importlib.import_module(door)).items()
            if not name.startswith("_") and getattr(value, "__module__", "").startswith("jaxseq.")}


@pytest.mark.parametrize("door", doors())
def test_everything_behind_a_door_has_an_entry(door):
    outer = ".".join(door.split(".")[:2])
    assert outer in (DOCS / "api" / "index.md").read_text(), f"docs/api/index.md does not name {outer}"
    entries = told()
    missing = [name for name, value in things(door).items() if id(value) not in entries]
    assert not missing, f"docs/api/ has no entry for {missing} of {door}: name their files in a line {{{{ {door}: ... }}}}"


# ---- docstrings as Markdown


@pytest.fixture(scope="module")
def docstrings():
    sys.path.insert(0, os.fspath(ROOT / "tools" / "docs"))
    yield importlib.import_module("docstrings")
    sys.path.pop(0)


def test_what_has_a_name_becomes_a_list(docstrings):
    text = "Scales.\n\nunits: how many. rate: a share\n    of one.\nShapes: x (a, b) -> y. State: none.\nReturns x_0."
    assert docstrings.markdown(text, ["units", "rate"]) == (
        "Scales.\n\n- **units**: how many.\n- **rate**: a share of one.\n- **Shapes**: x (a, b) -&gt; y.\n- **State**: none.\n"
        "- **Returns**: x\\_0.")


def test_what_is_set_in_is_code_and_nothing_is_markdown(docstrings):
    text = "As here:\n\n    y = a * b * c\n\nand [0, 1] of `x_1`, not: a title."
    assert docstrings.markdown(text) == (
        "As here:\n\n```text\ny = a * b * c\n```\n\nand \\[0, 1\\] of `x_1`, not: a title.")
