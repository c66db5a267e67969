"""Checks that every text file is tidy: no blanks at the ends of lines, one newline at the end of the file, and so on.

    python tools/check_files.py             every file of the project
    python tools/check_files.py FILE ...    these alone
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".ipynb", ""}
APART = {"build", "dist", "site", "__pycache__"}
LARGEST = 1_000_000     # bytes
PARSERS = {".toml": tomllib.loads, ".ipynb": json.loads}


def faults(path: Path) -> Iterator[str]:
    """What is wrong with one file, a line for each fault."""
    content = path.read_bytes()
    if len(content) > LARGEST:
        yield f"{path}: {len(content):,} bytes; keep files under {LARGEST:,}."
    if path.suffix not in TEXT:
        return
    text = content.decode()
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield f"{path}: end it with one newline."
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield f"{path}:{number}: blanks at the end of the line."
        if line.startswith(("<<<<<<< ", ">>>>>>> ")):
            yield f"{path}:{number}: a merge was left unfinished here."
    try:
        PARSERS.get(path.suffix, str)(text)
    except ValueError as error:
        yield f"{path}: {error}"


def everything(root: Path) -> list[Path]:
    """Every file of the project: all but hidden folders and what is built."""
    hidden = lambda part: part.startswith(".") and part != ".ci"
    files = (path for path in root.rglob("*") if path.is_file())
    inner = lambda path: path.relative_to(root).parts[:-1]
    return sorted(path for path in files if not any(
        hidden(part) or part in APART or part.endswith(".egg-info") for part in inner(path)))


def main(names: list[str]) -> int:
    paths = [Path(name) for name in names] or everything(Path(__file__).parents[1])
    found = [fault for path in paths for fault in faults(path)]
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
