"""Makes the virtual environments of the contestants: one for each file in requirements/. Those that are ready stay.

    python benchmarks/environments.py [name ...]
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from peers import ENVIRONMENTS, HERE, python_of

REQUIREMENTS = {path.stem: path for path in sorted((HERE / "requirements").glob("*.txt"))}


def ready(name: str) -> bool:
    """Whether all that the file asks for is installed: pip would have nothing to do, even without an index."""
    python = python_of(name)
    command = [python, "-m", "pip", "--isolated", "install", "--no-index", "--quiet", "-r", REQUIREMENTS[name]]
    return python.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def make(name: str) -> None:
    """Makes an environment, or completes one that was left unfinished."""
    if not python_of(name).exists():
        venv.create(ENVIRONMENTS / name, with_pip=True, symlinks=True)
    subprocess.run([python_of(name), "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS[name]], check=True)


def main(names: list[str]) -> int:
    failed = []
    for name in names or REQUIREMENTS:
        if ready(name):
            print(f"{name}: ready", flush=True)
            continue
        print(f"{name}: installing {', '.join(wanted(REQUIREMENTS[name]))}", flush=True)
        try:
            make(name)
        except (subprocess.CalledProcessError, OSError) as error:
            failed.append(name)
            print(f"{name}: failed: {error}", flush=True)
    if failed:
        print(f"Not made: {', '.join(failed)}. The benchmark leaves out who needs them, and says so.")
    return int(bool(failed))


def wanted(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("-")]


if __name__ == "__main__":
    unknown = sorted(set(sys.argv[1:]) - set(REQUIREMENTS))
    sys.exit(f"There is no {', '.join(unknown)}. There are {', '.join(REQUIREMENTS)}." if unknown else main(sys.argv[1:]))
