"""How docstrings become Markdown, and where the signatures of classes come from: an extension of Griffe.

The docstrings of the package are plain text: a sentence, paragraphs, equations set in by four, and lines of the form
"Shapes: x (batch, features) -> y (batch, units)". Such lines become a list, equations become code, and what Markdown would read
as its own is escaped. Words between backticks stay code.
"""

from __future__ import annotations

import html
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import griffe

# "Shapes: ...", "Params, state: ..." or "self.model: ..." at the beginning of a line, and "State: none." behind a full stop.
HEADS = re.compile(r"^([\w.]+(?:, [\w.]+)*|[A-Z][a-z]+(?: [a-z]+)? Keras(?: [23])?): (?=\S)|(?<=\. )(State|Mask|Raises): (?=\S)"
                   r"|^(Returns) (?=\S)", re.M)
SPECIAL = re.compile(r"([\\*_\[\]#])")
PROGRAM = re.compile(r"^(?:class|def|from|import|model\b)", re.M)
CODE = re.compile(r"(``?[^`]+``?)")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, but for code between backticks."""
    shown = lambda part: SPECIAL.sub(r"\\\1", html.escape(part, quote=False))
    return "".join(part if part.startswith("`") else shown(part) for part in CODE.split(text))


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def heads(text: str, names: Iterable[str]) -> list[tuple[int, int, str]]:
    """Where "name: meaning" begins in a paragraph: start, end and name of each. names: those of the parameters."""
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True))) or r"(?!)"
    parameter = re.compile(rf"(?<=[.;] )((?:{known})(?:, (?:{known}))*): (?=\S)")
    found = [*HEADS.finditer(text), *parameter.finditer(text)]
    return sorted((match.start(), match.end(), match[match.lastindex or 0]) for match in found)


def paragraph(text: str, names: Iterable[str]) -> str:
    """One paragraph: its sentences, then a list of what has a name."""
    flat = lambda part: escaped(" ".join(part.split()))
    starts = heads(text, names)
    edges = [start for start, _, _ in starts] + [len(text)]
    before = flat(text[: edges[0]])
    items = [f"- **{escaped(name)}**: {flat(text[begin:end])}"
             for (_, begin, name), end in zip(starts, edges[1:], strict=True)]
    return "\n\n".join(filter(None, [before, "\n".join(items)]))


def split(text: str) -> Iterator[list[str]]:
    """The paragraphs of a docstring; what is set in after an empty line or a colon is one of its own."""
    block: list[str] = []
    for line in text.splitlines():
        deeper = bool(block) and indent(block[0]) == 0 and indent(line) >= 4 and block[-1].rstrip().endswith(":")
        back = bool(block) and indent(block[0]) >= 4 > indent(line) and line.strip() != ""
        if (not line.strip() and not (block and indent(block[0]) >= 4)) or deeper or back:
            if block:
                yield block
            block = []
        if line.strip() or block:
            block.append(line)
    if block:
        yield block


def markdown(text: str, names: Iterable[str] = ()) -> str:
    """A docstring as Markdown."""
    parts = []
    for block in split(text):
        inner = textwrap.dedent("\n".join(block)).rstrip()
        if indent(block[0]) < 4 or HEADS.match(inner):
            parts.append(paragraph(inner, names))
        else:
            parts.append(f"```{'python' if PROGRAM.search(inner) else 'text'}\n{inner}\n```")
    return "\n\n".join(parts)


def signature(thing: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(thing)
    except (TypeError, ValueError):
        return None


KINDS = {each: griffe.ParameterKind(each.description) for each in inspect._ParameterKind}


def parameters(found: inspect.Signature) -> griffe.Parameters:
    """A signature of Python as one of Griffe."""
    shown = lambda value: value.__name__ if callable(value) and hasattr(value, "__name__") else repr(value)
    default = lambda each: None if each.default is each.empty else shown(each.default)
    return griffe.Parameters(*(griffe.Parameter(each.name, kind=KINDS[each.kind], default=default(each))
                               for each in found.parameters.values()))


def runtime(obj: griffe.Object) -> Any:
    """The object itself, where it can be had by its path."""
    thing: Any = importlib.import_module(obj.module.path)
    for part in obj.path.removeprefix(obj.module.path).strip(".").split("."):
        thing = getattr(thing, part, None)
    return thing


def doors(package: griffe.Module) -> Iterator[griffe.Module]:
    """The modules that users import from: all but what lies in core/ and api/."""
    for name, module in package.modules.items():
        if name not in ("core", "api", "__main__") and not module.is_alias:
            yield module
            yield from doors(module)


def namespace(path: str) -> dict[str, Any]:
    """What a module holds; nothing where it is there to say what to import instead."""
    try:
        return vars(importlib.import_module(path))
    except ImportError:
        return {}


class Docstrings(griffe.Extension):
    """Signatures of classes are asked of the classes, for most of them write none; docstrings become Markdown."""

    def on_class(self, *, cls: griffe.Class, **rest: Any) -> None:
        found = signature(runtime(cls))
        names = tuple(found.parameters) if found else ()
        if found:
            own = griffe.Function("__init__", parameters=parameters(found), parent=cls)
            own.parameters = griffe.Parameters(griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword),
                                               *own.parameters)
            cls.set_member("__init__", own)
        self.rewrite(cls, names)

    def on_function(self, *, func: griffe.Function, **rest: Any) -> None:
        if func.name != "__init__":
            self.rewrite(func, [each.name for each in func.parameters])

    def on_module(self, *, mod: griffe.Module, **rest: Any) -> None:
        self.rewrite(mod, ())

    def on_attribute(self, *, attr: griffe.Attribute, **rest: Any) -> None:
        self.rewrite(attr, ())

    def on_package(self, *, pkg: griffe.Module, **rest: Any) -> None:
        """A door whose names are only known when it is imported, `from ... import *`, is given them."""
        for door in doors(pkg):
            for name, value in namespace(door.path).items():
                source = f"{getattr(value, '__module__', '')}.{getattr(value, '__name__', '')}"
                if name not in door.members and source.startswith("jaxseq.") and not name.startswith("_"):
                    door.set_member(name, griffe.Alias(name, source))

    def rewrite(self, obj: griffe.Object, names: Iterable[str]) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(inspect.cleandoc(obj.docstring.value), names)
