"""What happens to a file that is not as it should be: one kind of error, raised before anything has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST = 2000      # letters of what is said


class FileRejected(ValueError):
    """A file that is not loaded. It says which file, where in it, what is wrong and what to do; the model is as it was."""


class Source:
    """A file by its name, for what is said about it."""

    def __init__(self, path: Any):
        self.path = str(path)

    def require(self, ok: Any, what: str, where: str = "") -> None:
        """Raises FileRejected unless `ok`."""
        if not ok:
            raise FileRejected(f"{self.path}: {told(f'{where}: {what}' if where else what)}")

    @contextmanager
    def readable(self, what: str, *errors: type[Exception]) -> Iterator[None]:
        """Turns the `errors` that a parser raises over a damaged file into FileRejected."""
        try:
            yield
        except FileRejected:
            raise
        except errors as error:
            raise FileRejected(f"{self.path}: {told(f'{what}: {error or type(error).__name__}')}") from error


def told(text: str, most: int = LONGEST) -> str:
    """Text with a file's words in it that may be shown: of no more letters, and none that a terminal would act on."""
    if len(text) > most:
        text = f"{text[:most // 2]} ... {text[-(most // 2):]}"
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
