"""How the tests read pages: their Python blocks, and the files that they link to."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def blocks(text: str) -> list[str]:
    """The Python blocks of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)


def run(page: Path, names: dict[str, Any], number: int | None = None) -> None:
    """Runs the blocks of a page in order in one namespace, or the one of this number; what fails is named by its number."""
    for count, block in enumerate(blocks(page.read_text()), 1):
        if number in (None, count):
            exec(compile(block, f"{page.name}, block {count}", "exec"), names)


def links(text: str) -> list[str]:
    """The files that a page links to, without their anchors. What stands in code is no link."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.S | re.M)
    return re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", prose)
