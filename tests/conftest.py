"""Settings for every test: Keras as an oracle on JAX, no silent change of dtype, and programs that are compiled once."""

import atexit
import gc
import os
import random
import re
import secrets
import shutil
import signal
import tempfile

os.environ["KERAS_BACKEND"] = "jax"     # read once, when keras is imported
os.environ.setdefault("JAXSEQ_CACHE", "0")  # what tests compile, they compile; test_cache.py has caches of its own

import jax
import pytest
from jax._src import compiler
from jaxlib.utils import absl_set_min_log_level

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Much is compiled again and again in one process: the same small model, by a fresh jit in every test. XLA tells of every
# program that it finds again, in kilobytes: it is told to be silent.
PROGRAMS = tempfile.mkdtemp(prefix="jaxseq-tests-")
atexit.register(shutil.rmtree, PROGRAMS, ignore_errors=True)
jax.config.update("jax_compilation_cache_dir", PROGRAMS)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
absl_set_min_log_level(3)
gc.set_threshold(50_000, 20, 20)        # traces leave cycles by the thousand; `forgotten` collects them after each file


@pytest.hookimpl(tryfirst=True)         # before cases are chosen by their marks
def pytest_collection_modifyitems(items):
    """Marks what `every` leaves out of a family as full.

    Where several decorators span a family, a case is quick whose numbers in them add up to a multiple of n: a diagonal.
    """
    for item in items:
        every = item.get_closest_marker("every")
        if every is not None:
            names = [re.split(r",\s*", mark.args[0])[0] if isinstance(mark.args[0], str) else mark.args[0][0]
                     for mark in item.iter_markers("parametrize")]
            if sum(item.callspec.indices[name] for name in names) % every.args[0]:
                item.add_marker(pytest.mark.full)


@pytest.fixture(autouse=True)
def drawn_seeds(request, monkeypatch):
    """Seeds that nobody wrote are drawn anew in every test, but are the same whenever it runs: what fails once fails again.

    Ours come from `secrets`, and Keras's from Python's global generator.
    """
    monkeypatch.setattr(secrets, "randbits", random.Random(request.node.nodeid).getrandbits)
    random.seed(request.node.nodeid)


@pytest.fixture(autouse=True, scope="module")
def forgotten():
    """What one file has traced and compiled no other needs, and gigabytes of it make every collection of garbage slow."""
    yield
    jax.clear_caches()
    gc.collect()
    gc.freeze()             # what is left now stays, and is not looked through again


@pytest.fixture
def quickly_compiled(monkeypatch):
    """XLA leaves most of its optimizations out, for programs whose compilation is what costs.

    Its kernels of fused operations among them: they are most of what LLVM gets to read. No public setting turns them off for
    all programs but XLA_FLAGS, which is read once. It is not for tests of equal bits, of memory, or of how a program rounds;
    core/test_optimized.py compares both ways of compiling.
    """
    usual = compiler.get_compile_options

    def quick(*args, env_options_overrides=None, **settings):
        return usual(*args, env_options_overrides={**(env_options_overrides or {}), "xla_cpu_use_fusion_emitters": False},
                     **settings)

    monkeypatch.setattr(compiler, "get_compile_options", quick)
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def ctrl_c():
    """Ctrl-C as Python begins with it, whatever the shell has begun with."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def key():
    return jax.random.key(0)
