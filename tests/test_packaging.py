"""What an installation promises: its requirements, its files, its commands."""

import re
import tomllib
from pathlib import Path

import jax
import pages
import pytest

import jaxseq

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line and line[0] != "#")


def names(requirements: list[str]) -> set[str]:
    """jax[cuda13]>=0.10.1 -> jax, each in lower case with dashes."""
    return {re.split(r"[\[<>=!~ ;]", each)[0].lower().replace("_", "-") for each in requirements}


def test_the_jax_that_computes_wrong_numbers_is_refused_everywhere():
    everything = PROJECT["dependencies"] + [each for extra in PROJECT["optional-dependencies"].values() for each in extra]
    jaxes = [each for each in everything if names([each]) & {"jax", "jaxlib"}]
    assert len(jaxes) >= 5
    for each in jaxes:
        assert each.endswith(">=0.10.1,!=0.10.2")


def test_the_extras_are_there():
    assert set(PROJECT["optional-dependencies"]) >= {"cuda", "cuda12", "tpu", "notebook", "sklearn", "test", "docs"}
    assert not names(PROJECT["dependencies"]) & {"keras", "tensorflow", "torch", "scikit-learn"}


def test_every_requirement_is_pinned():
    pinned = {name.lower().replace("_", "-") for name in PINS}
    extras = PROJECT["optional-dependencies"]
    assert names(PROJECT["dependencies"] + extras["test"] + extras["notebook"] + extras["docs"]) <= pinned
    assert PINS["jax"] == PINS["jaxlib"] == "0.10.1"
    assert not [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "://" in line]


def test_the_version_agrees():
    assert jaxseq.__version__ == PROJECT["version"]
    assert f"## [{jaxseq.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_package_ships_its_data():
    package = Path(jaxseq.__file__).parent
    patterns = SETTINGS["tool"]["setuptools"]["package-data"]["jaxseq"]
    shipped = {path.relative_to(package) for pattern in patterns for path in package.glob(pattern)}
    others = {path.relative_to(package) for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert {Path("py.typed"), Path("api/datasets/digits.npz"), Path("api/datasets/DIGITS_LICENSE.txt")} <= shipped
    assert others <= shipped


def test_every_folder_of_the_package_is_a_package():
    folders = {path.parent for path in Path(jaxseq.__file__).parent.rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text


def test_the_makefile_has_the_commands_that_are_written_about():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"demo", "help", "lint", "test", "test-full"} <= targets
    for page in "README.md", "CONTRIBUTING.md":
        if (ROOT / page).is_file():
            written = set(re.findall(r"\bmake ([a-z-]+)\b", code((ROOT / page).read_text())))
            assert written <= targets, page


def test_what_must_pass_runs_all_tests():
    """`make test` leaves out what is marked full; what a clean checkout must pass leaves out nothing."""
    recipes = dict(re.findall(r"^(pytest\S*):.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.M))
    assert '-m "not full"' in recipes["pytest"] and "-m pytest" in recipes["pytest-full"]
    assert "not full" not in recipes["pytest-full"]
    assert "make test-full" in (ROOT / ".ci" / "run").read_text().splitlines()
    assert [each.split(":")[0] for each in SETTINGS["tool"]["pytest"]["ini_options"]["markers"]] == ["full", "every(n)"]


def test_the_contributors_example_layer_works(tmp_path, monkeypatch):
    layer, tests = pages.blocks((ROOT / "CONTRIBUTING.md").read_text())
    exec(compile(layer, "scale.py", "exec"), names := {})
    monkeypatch.setattr(jaxseq.core.layers, "Scale", names["Scale"], raising=False)
    exec(compile(tests, "test_scale.py", "exec"), names)
    for name, test in names.items():
        if name.startswith("test_"):
            test(jax.random.key(0))


def code(text: str) -> str:
    """The code in a page: blocks between backticks, lines set in by four, and words between backticks."""
    blocks = re.findall(r"^```.*?^```", text, re.S | re.M)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    return "\n".join(blocks + re.findall(r"^    .*$|`[^`\n]+`", rest, re.M))


@pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="there is no README yet")
def test_the_readmes_first_commands_exist():
    commands = code((ROOT / "README.md").read_text())
    assert "make demo" in commands and "make test" in commands
    for module in re.findall(r"python -m (jaxseq[\w.]*)", commands):
        assert module == "jaxseq"
    for script in re.findall(r"python ((?:tools|benchmarks)/[\w/]+\.py)", commands):
        assert (ROOT / script).is_file()
