"""What `mkdocs build` is told beside mkdocs.yml: pages that lie outside of docs/, and lists of names in the reference.

A page may link to any file of the repository, as it does where the repository is read: what lies outside of docs/ comes along
as a page of its own. And a line of a page,

    {{ jaxseq.losses: regression, crossentropy }}

stands for an entry for every name in the door jaxseq.losses that comes from these files; without files, for every name. Behind
`but` stand names that the page tells of itself.
"""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
NAMES = re.compile(r"^\{\{ ([\w.]+)(?:: ([\w, ]+?))?(?: but ([\w, ]+))? \}\}$", re.M)
FETCHED = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]+)"')
LANGUAGES = {".py": "python", ".toml": "toml", ".ipynb": "json", ".yml": "yaml"}
PICTURES = {".svg", ".png"}
FROM_THE_ROOT = ("CHANGELOG.md", "CONTRIBUTING.md")


class Entry(NamedTuple):
    """A thing of a door, under the name that it was written with, and its other names there."""

    path: str
    value: Any
    others: list[str]


# ---- names in the reference


def listed(text: str | None) -> list[str]:
    """The words of "dense, embedding"."""
    return (text or "").replace(",", " ").split()


def entries(door: str, files: str | None = None, but: str | None = None) -> list[Entry]:
    """The things of a door, each once, in the order of the files that they come from, and of the door."""
    wanted, apart = listed(files), listed(but)
    space = {name: value for name, value in vars(importlib.import_module(door)).items() if shown(door, name, value)}
    found: dict[int, list[str]] = {}
    for name, value in space.items():
        if name not in apart and (home(value) in wanted and not isinstance(value, ModuleType) if wanted else True):
            found.setdefault(id(value), []).append(name)
    made = [entry(door, names, space[names[0]]) for names in found.values()]
    return sorted(made, key=lambda each: wanted.index(home(each.value)) if wanted else 0)


def entry(door: str, names: list[str], value: Any) -> Entry:
    first = value.__name__ if getattr(value, "__name__", None) in names else names[0]
    return Entry(f"{door}.{first}", value, [each for each in names if each != first])


def module(value: Any) -> str:
    return value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""


def home(value: Any) -> str:
    """The end of the name of the module that a thing comes from."""
    return module(value).split(".")[-1]


def shown(door: str, name: str, value: Any) -> bool:
    """Whether a name of a door is the user's: ours, public, and no door of its own."""
    inner = isinstance(value, ModuleType) and value.__name__.startswith(f"{door}.")
    return not name.startswith("_") and module(value).startswith("jaxseq.") and not inner


def written(entry: Entry, level: int) -> str:
    """An entry in the words of mkdocstrings, with its heading at this level."""
    options = f"\n    options:\n      heading_level: {level}"
    if isinstance(entry.value, ModuleType):
        options += "\n      show_root_full_path: true\n      members: null"
    others = f"\n\nAlso named {', '.join(f'`{each}`' for each in entry.others)}.\n{{: .names }}" if entry.others else ""
    return f"::: {entry.path}{options}{others}"


def with_names(markdown: str) -> str:
    """A page with its lines {{ door }} written out, under the headings that it has."""
    level = 3 if re.search(r"^## ", markdown, re.M) else 2
    return NAMES.sub(lambda line: "\n\n".join(written(each, level) for each in entries(*line.groups())), markdown)


# ---- files from outside of docs/


def target(link: str, page: Path) -> Path | None:
    """The file of the repository that a link means, or None."""
    path = Path(os.path.normpath(page.parent / link))
    return path if path.is_file() and path.is_relative_to(ROOT) else None


def uri(path: Path) -> str:
    """Where a file of the repository stands in the site."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    inside = path.relative_to(ROOT).as_posix()
    return inside if path.suffix in PICTURES | {".md"} else f"{inside}.md"


def as_page(path: Path) -> str:
    """A file as Markdown. The search passes over what was not written to be read as a page."""
    if path.name in FROM_THE_ROOT:
        return path.read_text()
    text = path.read_text()
    page = text if path.suffix == ".md" else (
        f"# {path.relative_to(ROOT)}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n")
    return f"---\nsearch:\n  exclude: true\n---\n\n{page}"


def linked(path: Path) -> set[Path]:
    """The files outside of docs/ that a page links to."""
    if path.suffix != ".md":
        return set()
    found = {target(link, path) for link in LINK.findall(path.read_text())}
    return {each for each in found if each and not each.is_relative_to(DOCS)}


def along() -> set[Path]:
    """Every file outside of docs/ that comes along."""
    seen: set[Path] = set()
    ahead = {ROOT / name for name in FROM_THE_ROOT}.union(*map(linked, DOCS.rglob("*.md")))
    while ahead:
        seen |= ahead
        ahead = set().union(*map(linked, ahead)) - seen
    return seen


# ---- what mkdocs calls


def on_files(files: Files, config: Any) -> Files:
    for path in sorted(along()):
        if path.suffix in PICTURES:
            files.append(File.generated(config, uri(path), abs_src_path=str(path)))
        else:
            files.append(File.generated(config, uri(path), content=as_page(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **rest: Any) -> str:
    place = page.file.src_uri
    sources = {uri(path): path for path in along()}
    source = sources.get(place, DOCS / place)

    def moved(link: re.Match[str]) -> str:
        path = target(link[1], source)
        return os.path.relpath(uri(path), os.path.dirname(place) or ".") if path else link[1]

    return with_names(LINK.sub(moved, markdown) if source.suffix == ".md" else markdown)


def on_post_page(output: str, page: Any, config: Any) -> None:
    fetches_nothing(output, page.file.url)


def on_post_template(output_content: str, template_name: str, config: Any) -> None:
    fetches_nothing(output_content, template_name)


def fetches_nothing(output: str, url: str) -> None:
    """PluginError where a finished page would fetch a script, a style or a picture."""
    fetched = FETCHED.search(output)
    if fetched:
        raise PluginError(f"{url} would fetch {fetched[1]} where it is read. Put it into docs/ and link to it there.")
