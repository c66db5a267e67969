"""How the tests read pages: their Python blocks and their links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def blocks(text: str) -> list[str]:
    """The Python blocks of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)


def links(text: str) -> list[str]:
    """The files that a page links to, without anchors; what stands between backticks is no link."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.S | re.M)
    return re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", prose)


def run(page: str, name: str, names: dict | None = None) -> dict:
    """Runs the blocks of a page in order, in one namespace, and returns it. An error names the page's block."""
    found = {"__name__": name} if names is None else names
    for number, block in enumerate(blocks(page), 1):
        exec(compile(block, f"{name}, block {number}", "exec"), found)
    return found
