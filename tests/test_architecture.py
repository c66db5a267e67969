"""The house's plan, read from the source with `ast`: imports point one way, the core is pure, doors are small."""

from __future__ import annotations

import ast
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "jaxseq"
FILES = sorted(PACKAGE.rglob("*.py"))
CORE = [path for path in FILES if "core" in path.relative_to(PACKAGE).parts]
DOORS = [path for path in FILES if path.parent == PACKAGE]
LAYERS = sorted(path.stem for path in (PACKAGE / "core" / "layers").glob("*.py") if path.stem != "__init__")

# The core from the ground up: a module imports from lower floors alone. `layers` and `kernels` are whole folders.
FLOORS = [
    {"overriding", "require", "types", "settings"},
    {"rng", "precision", "policy", "declared", "given", "variable", "axes", "words", "layout", "keras1"},
    {"activations", "initializers", "regularizers", "constraints", "handle", "kernels", "pairs", "schedules", "totals",
     "transforms", "loss_scale", "muon"},
    {"live"},
    {"layer", "regression", "crossentropy", "unpaired", "optimizer", "optimizer_state", "confusion", "scores", "normalizing"},
    {"nested", "measures", "loss_classes", "last_activation", "optimizer_classes", "keras_told"},
    {"spatial"},
    {"augmenting"},
    {"layers", "chain", "losses", "mean_metrics", "keras_metric", "loss_scale_optimizer"},
    {"metrics", "row", "keras_call", "optimizers", "remat"},
    {"run", "keras_copies", "flops"},
    {"probe", "keras_style", "members"},
]
# What stands under several layers: the only files in core/layers that other files there may import.
BASES = {"identity", "cells", "recurrent"}
# The only modules under the doors that come in through them, as a user does.
GUESTS = {"jaxseq.api.demo"}

OUTSIDE_THE_CORE = {"datetime", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "subprocess",
                    "sys", "tempfile", "threading", "time"}
OWN_GENERATORS = {"BitGenerator", "Generator", "Philox", "RandomState", "SeedSequence", "default_rng"}


def module_name(path: Path) -> str:
    """jaxseq/core/rng.py -> jaxseq.core.rng, jaxseq/core/__init__.py -> jaxseq.core."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file, without what only a type checker reads."""
    class Reader(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    return tuple(ast.walk(Reader().visit(ast.parse(path.read_text()))))


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in the file it does so."""
    names = {alias.name for node in nodes(path) if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name, from jaxseq..."
            source = str(node.module)
            inner = {f"{source}.{alias.name}" for alias in node.names}
            names |= {each if each in MODULES else source for each in inner}
    return names


def own(path: Path) -> set[str]:
    """The modules of this package that a file imports."""
    return {name for name in imported(path) if name.split(".")[0] == "jaxseq"}


def core_part(module: str) -> str | None:
    """jaxseq.core.layers.dense -> layers; None outside of the core."""
    parts = module.split(".")
    return parts[2] if parts[:2] == ["jaxseq", "core"] and len(parts) > 2 else None


def relative(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


each_file = pytest.mark.parametrize("path", FILES, ids=relative)
each_core_file = pytest.mark.parametrize("path", CORE, ids=relative)


# ---- arrows


def test_every_module_of_the_core_has_a_floor():
    parts = {core_part(module) for module in MODULES if core_part(module)}
    assert parts == set().union(*FLOORS)


@each_core_file
def test_the_core_imports_from_lower_floors(path):
    floor = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    here = core_part(module_name(path))
    for module in own(path):
        part = core_part(module)
        beside = part == here and here in ("layers", "kernels")         # files of one folder: see the next tests
        lower = part in floor and here in floor and floor[part] < floor[here]
        assert lower or beside, f"{relative(path)} imports {module}, which stands no lower"


@pytest.mark.parametrize("name", LAYERS)
def test_layer_files_do_not_import_each_other(name):
    others = {module.rsplit(".", 1)[1] for module in own(PACKAGE / "core" / "layers" / f"{name}.py")
              if module.startswith("jaxseq.core.layers.")}
    assert others <= BASES


def test_every_layer_file_has_its_line():
    lines = own(PACKAGE / "core" / "layers" / "__init__.py")
    assert lines == {f"jaxseq.core.layers.{name}" for name in LAYERS}


@each_file
def test_nothing_under_the_doors_comes_in_through_them(path):
    module = module_name(path)
    if path in DOORS or module in GUESTS:
        return
    doors = {module_name(door) for door in DOORS}
    assert not own(path) & doors, f"{relative(path)} imports a door; import what stands behind it"


def test_the_loop_stands_below_the_model():
    below = own(MODULES["jaxseq.api.loop"])
    assert "jaxseq.core.run" in below and "jaxseq.api.sequential" not in below and "jaxseq.api.body" not in below
    assert "jaxseq.api.loop" in own(MODULES["jaxseq.api.sequential"])


def test_there_is_no_circle():
    graph = {module: own(path) & MODULES.keys() - {"jaxseq"} for module, path in MODULES.items()}
    TopologicalSorter(graph).prepare()      # CycleError shows the circle


# ---- the pure core


@each_core_file
def test_the_core_needs_jax_optax_and_numpy_alone(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert roots <= {"jaxseq", "jax", "optax", "numpy"} | set(sys.stdlib_module_names)


@each_core_file
def test_the_core_does_no_io_and_reads_no_clock(path):
    assert not {name.split(".")[0] for name in imported(path)} & OUTSIDE_THE_CORE
    called = {node.func.id for node in nodes(path) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "print", "input", "exec", "eval"}


@each_core_file
def test_the_core_has_no_global_variable(path):
    assert not [node for node in nodes(path) if isinstance(node, ast.Global)]


@each_file
def test_programs_are_compiled_in_run_alone(path):
    mentions = {node.attr for node in nodes(path) if isinstance(node, ast.Attribute)}
    mentions |= {alias.name for node in nodes(path) if isinstance(node, ast.ImportFrom) for alias in node.names}
    if relative(path) == "core/run.py":
        assert "jit" in mentions
    elif relative(path) == "core/rng.py":
        marked = [node.name for node in nodes(path) if isinstance(node, ast.FunctionDef) and node.decorator_list]
        assert marked == ["_threefry"] and not mentions & {"pjit", "pmap"}      # a function within programs, none of its own
    else:
        assert not mentions & {"jit", "pjit", "pmap"}


@each_file
def test_the_global_generator_is_left_alone(path):
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random"):
            assert node.attr in OWN_GENERATORS, f"{relative(path)}:{node.lineno}: np.random.{node.attr}"


# ---- doors


@pytest.mark.parametrize("path", DOORS, ids=relative)
def test_doors_are_small(path):
    assert len(path.read_text().splitlines()) <= 45
