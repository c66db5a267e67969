"""The notebooks run from top to bottom in a fresh kernel of this very interpreter, without an error or a warning.

    python tests/test_notebooks.py      runs them and stores their outputs anew
    python tests/test_notebooks.py 03   runs one

Those that train for long say QUICK and do it for a moment where JAXSEQ_QUICK is set.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import jax
import matplotlib.font_manager  # builds the font cache here, or the kernel would speak of it
import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.:/<])/[\w.-]+/[\w.-]|\b[A-Z]:\\", re.ASCII)     # a folder from the root on, or a drive
SECONDS = 240       # for one cell
ALWAYS = [path for path in NOTEBOOKS if path.stem[:2] == "01"]
LONG = [path for path in NOTEBOOKS if path not in ALWAYS]


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


class ThisInterpreter(AsyncKernelManager):
    """Starts ipykernel under sys.executable, whatever kernels are installed elsewhere."""

    @property
    def kernel_spec(self) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def executed(path: Path, scratch: Path, **told: str) -> nbformat.NotebookNode:
    """The notebook with the outputs of a run from top to bottom. Raises CellExecutionError where a cell does."""
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(book, kernel_manager_class=ThisInterpreter, timeout=SECONDS, record_timing=False,
                            resources={"metadata": {"path": str(scratch)}})
    client.execute(env=os.environ | environment(scratch) | told)
    return book


def environment(scratch: Path) -> dict[str, str]:
    """What the kernel is told: this package, this process's caches and device, and nothing of the user's own settings."""
    told = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "IPYTHONDIR": str(scratch / "ipython"), "MPLCONFIGDIR": matplotlib.get_cachedir(),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return told | ({"JAX_PLATFORMS": "cpu"} if jax.default_backend() == "cpu" else {})


def outputs(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """All outputs of all cells."""
    return [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]


def texts(book: nbformat.NotebookNode) -> list[str]:
    """Everything that can be read in a notebook: sources, printed text, and the text forms of results."""
    printed = [output.get("text", "") for output in outputs(book)]
    shown = [str(value) for output in outputs(book) for kind, value in output.get("data", {}).items()
             if not kind.startswith("image/png")]
    return [cell.source for cell in book.cells] + printed + shown


def pictures(book: nbformat.NotebookNode) -> list[bool]:
    """Which code cells draw."""
    return ["image/png" in str(cell.outputs) for cell in book.cells if cell.cell_type == "code"]


def holds(book: nbformat.NotebookNode, path: Path) -> None:
    """It ran without a word on stderr, and draws where the stored one does."""
    assert [output.text for output in outputs(book) if output.get("name") == "stderr"] == []
    assert pictures(book) == pictures(nbformat.read(path, as_version=4)), "store the outputs anew: see above"


@each(ALWAYS)
def test_it_runs_from_top_to_bottom(path, tmp_path):
    holds(executed(path, tmp_path, JAXSEQ_QUICK="1"), path)


@pytest.mark.full
@each(LONG)
def test_it_runs_in_full(path, tmp_path, monkeypatch):
    monkeypatch.delenv("JAXSEQ_QUICK", raising=False)
    # Without fused kernels all compiles sooner, and numbers differ by rounding from those that a reader gets.
    quick = {} if "reproducibility" in path.stem else {"XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false"}
    holds(executed(path, tmp_path, **quick), path)


@each(NOTEBOOKS)
def test_its_stored_outputs_are_clean(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert book.metadata == {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                             "language_info": {"name": "python"}}
    assert not any(cell.metadata for cell in book.cells)
    assert not [output for output in outputs(book) if output.output_type == "error" or output.get("name") == "stderr"]
    assert not [text for text in texts(book) if ABSOLUTE.search(text)]
    assert path.stat().st_size < 600_000


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_quickstart", "02_stateful_lstm", "03_images_with_augmentation", "04_text_classification", "05_text_generation",
        "06_reproducibility_and_exact_resume", "07_the_functional_side",
    ]


@pytest.mark.parametrize("text", ["/home/me/x.py", "in /tmp/ipykernel_7/3.py", "'/usr/lib'", r"C:\Users"])
def test_an_absolute_path_is_found(text):
    assert ABSOLUTE.search(text)


@pytest.mark.parametrize("text", ["x_train / 16", "and/or", "a/b/tmp/c", "https://example.org/home/x", "</tmp/>"])
def test_what_is_no_absolute_path_is_let_through(text):
    assert not ABSOLUTE.search(text)


if __name__ == "__main__":
    for each in [path for path in NOTEBOOKS if not sys.argv[1:] or path.name.startswith(tuple(sys.argv[1:]))]:
        with tempfile.TemporaryDirectory() as folder:
            book = executed(each, Path(folder))
        book.metadata["language_info"] = {"name": "python"}     # without the version of this machine
        for cell in book.cells:
            cell.metadata.clear()
        nbformat.write(book, each)
        print(each.name, f"{each.stat().st_size:,} bytes")
