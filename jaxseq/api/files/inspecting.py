"""What a file of a model says of itself, without building anything: `python -m jaxseq inspect FILE`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jaxseq.api.files import hdf5, keras_zip, plain_json, tensors, whole_h5
from jaxseq.api.files.methods import KERAS, LEGACY, TENSORS
from jaxseq.api.files.refusal import FileRejected, Source, told
from jaxseq.api.resuming import folder, sharded, written

WIDE = 200                      # columns
ROWS, LETTERS = 2000, 400       # of a table, of a cell


class Inspected(NamedTuple):
    """origin: who wrote it and when, by name. layers: (class, name, settings). compiled: how it is trained. arrays: (path,
    shape, dtype) of every array in it."""

    origin: dict[str, Any]
    layers: list[tuple[str, str, dict[str, Any]]]
    compiled: dict[str, Any]
    arrays: list[tuple[str, tuple[int, ...], str]]


def inspected(path: Any) -> Inspected:
    """What is in the file, or the checkpoint's folder. FileRejected for what is damaged or could do harm."""
    place, source = Path(path), Source(path)
    if place.is_dir():
        return _checkpoint(place)
    with open(place, "rb") as file:
        if place.name.endswith(KERAS):
            with keras_zip.opened(source, file) as archive:
                config, about = keras_zip.config_of(source, archive), keras_zip.metadata_of(source, archive)
                held = keras_zip.weights_of(archive)
            with hdf5.opened(source, held) as root:
                found = hdf5.survey(source, root)
                return Inspected(about, list(_layers(config)), _compiled(config), list(_arrays(found)))
        if place.name.endswith(LEGACY):
            return _hdf5(source, file)
        source.require(place.name.endswith(TENSORS), "is a file of another kind: .keras, .h5, .hdf5, .safetensors and "
                       "folders of checkpoints are read.")
        header = tensors.header_of(source, file)
        tensors.checked(source, file, header)
    return Inspected({}, [], {}, list(_arrays(header.places)))


def _hdf5(source: Source, file: Any) -> Inspected:
    with hdf5.opened(source, file) as root:
        found = hdf5.survey(source, root)
        about = whole_h5.attributes(source, root)
        parsed = {name: plain_json.parsed(source, name, about.pop(name).encode())
                  for name in (whole_h5.MODEL, whole_h5.TRAINING) if name in about}
        return Inspected(about, list(_layers(parsed.get(whole_h5.MODEL, {}))), parsed.get(whole_h5.TRAINING, {}),
                         list(_arrays(found)))


def _checkpoint(place: Path) -> Inspected:
    """The newest checkpoint in a folder, or the one that the folder is."""
    newest = place if (place / folder.MANIFEST).exists() else next(iter(folder.all_of(place)), None)
    if newest is None:
        raise FileRejected(f"{place}: there is no checkpoint in it.")
    held, arrays = written.checked(Source(newest), *folder.read(newest))
    sharded.check(newest, held)
    arrays |= sharded.lying(newest, held)
    about = {"checkpoint": newest.name, **held["place"], "seed": held["seed"], **held["environment"]}
    return Inspected(about, [], {"callbacks": [each["class"] for each in held["callbacks"]]}, list(_arrays(arrays)))


def _layers(config: Any, above: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every layer of a model's config, those of models within behind their name."""
    config = config.get("config") if isinstance(config, dict) else None
    rows = config.get("layers") if isinstance(config, dict) else config
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("config"), dict):
            name = told(f"{above}{row['config'].get('name', '')}", LETTERS)
            within = "layers" in row["config"]
            yield str(row.get("class_name")), name, {} if within else row["config"]
            yield from _layers(row, f"{name}/") if within else ()


def _compiled(config: dict[str, Any]) -> dict[str, Any]:
    found = config.get("compile_config")
    return found if isinstance(found, dict) else {}


def _arrays(found: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...], str]]:
    for path in sorted(found, key=_by_numbers):
        yield path, tuple(found[path].shape), str(found[path].dtype)


def _by_numbers(path: str) -> list[Any]:
    """A path to be sorted by: 2 comes before 10."""
    return [(len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else part for part in re.split(r"(\d+)", path)]


def show(path: Any) -> int:
    """Prints what `inspected` finds; returns the exit status: 1 for a file that is refused."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=WIDE)      # a file or a pipe has any width
    try:
        found = inspected(path)
    except (FileRejected, OSError) as error:
        console.print(f"Refused: {told(str(error))}", markup=False, soft_wrap=True)
        return 1
    training = [*found.origin.items(), *((name, _short(value)) for name, value in found.compiled.items())]
    layers = [(kind, name, _settings(settings)) for kind, name, settings in found.layers]
    arrays = [(name, str(shape), dtype) for name, shape, dtype in found.arrays]
    for title, names, rows in (("origin and training", ("", ""), training), ("layers", ("class", "name", "settings"), layers),
                               ("arrays", ("path", "shape", "dtype"), arrays)):
        if rows:
            table = Table(*names, title=title, title_justify="left", show_header=any(names))
            for row in rows[:ROWS]:
                table.add_row(*(_plain(each) for each in row))
            console.print(table)
            if len(rows) > ROWS:
                console.print(f"... and {len(rows) - ROWS:,} {title} more")
    return 0


def _settings(settings: dict[str, Any]) -> str:
    """What tells a layer from others of its class."""
    return ", ".join(f"{key}={_short(value)}" for key, value in settings.items()
                     if key not in ("name", "dtype", "trainable") and value is not None and "initializer" not in key)


def _short(value: Any) -> str:
    """A setting in a few words: of an object its class."""
    if isinstance(value, dict) and value.get("class_name") == "function":
        return str(value.get("config"))
    if isinstance(value, dict):
        return str(value.get("class_name", ", ".join(f"{key}={_short(each)}" for key, each in value.items())))
    return f"[{', '.join(map(_short, value))}]" if isinstance(value, list) else str(value)


def _plain(text: Any) -> str:
    """Text of a file with nothing in it that a terminal or rich would act on."""
    from rich.markup import escape

    return escape(told(str(text), LETTERS).replace("\n", "?"))
