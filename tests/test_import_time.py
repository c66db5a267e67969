"""`import jaxseq` imports nothing heavy. How long it takes is measured by benchmarks/import_time.py; no test times it."""

import subprocess
import sys

ON_DEMAND = {"h5py", "IPython", "keras", "matplotlib", "orbax", "pandas", "pooch", "requests", "rich",
             "scipy", "sklearn", "tensorflow", "tensorstore", "torch", "tqdm"}


def loaded_by(line: str) -> set[str]:
    """The packages that a fresh process has loaded after a line."""
    script = f"import sys; {line}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())


def test_nothing_is_loaded_that_nobody_asked_for():
    loaded = loaded_by("import jaxseq")
    assert "jax" in loaded and "numpy" in loaded
    assert not loaded & (ON_DEMAND - loaded_by("import jax, optax"))


def test_neither_scipy_nor_a_progress_bar_comes_with_jax_and_optax():
    """So the test above says something about each of these."""
    assert not loaded_by("import jax, optax") & ON_DEMAND
