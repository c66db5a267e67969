"""All that writes files: how a state, called 0 to 3, is saved below a folder, and which one is read there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxseq.api import weights
from jaxseq.api.resuming import folder
from jaxseq.layers import BatchNormalization, Dense
from jaxseq.models import FileRejected, Sequential, load_model

from .disk import Disk
from .volume import Tree, Volume, put

KEEP = 2                                    # checkpoints
DRAW = np.random.Generator(np.random.Philox(5))
X, Y = DRAW.normal(size=(16, 4)).astype("float32"), DRAW.integers(0, 3, 16)


class Writer(NamedTuple):
    """save(root, state) writes a state. read(root) gives the state that is found, None for nothing; it raises ValueError for
    what is none of them. place: the path that errors name. leftovers(root) lists what should not be there."""

    name: str
    place: str
    save: Callable[[Path, int], None]
    read: Callable[[Path], int | None]
    leftovers: Callable[[Path], list[str]]


@contextmanager
def scratch():
    """A folder for a while, in memory where there is such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


# ---- single files


@cache
def models() -> tuple[Sequential, tuple[Any, ...]]:
    """(a model, its states after 0, 1, 2 and 3 epochs of training)."""
    model = Sequential([Dense(40, "relu", input_shape=(4,)), BatchNormalization(), Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    states = [model.train_state]
    for _ in range(3):
        model.fit(X, Y, epochs=1, verbose=0)
        states.append(model.train_state)
    return model, tuple(states)


def model_in(state: int) -> Sequential:
    """The model in one of its states."""
    model, states = models()
    model.train_state = states[state]
    return model


def is_whole(state: int) -> bool:
    """Whether the model is in that state, to the bit, and predicts as it did."""
    model, states = models()
    return model.train_state is states[state] and (model.fingerprint(), predicted(model)) == _first_seen(state)


@cache
def _first_seen(state: int) -> tuple[str, bytes]:
    model = model_in(state)
    return model.fingerprint(), predicted(model)


def predicted(model: Sequential) -> bytes:
    return model.predict(X, verbose=0).tobytes()


def everything(model: Sequential) -> str:
    """Weights, the optimizer's state, the step: all of training but its seed."""
    return str([(path, np.asarray(leaf).tobytes()) for path, leaf in weights.leaves(model.train_state._replace(key=None))])


def weights_alone(model: Sequential) -> str:
    return str([each.tobytes() for each in model.get_weights()])


def _file(name: str, save: Callable[[Sequential, Path], None], load: Callable[[Path], str],
          told: Callable[[Sequential], str]) -> Writer:
    @cache
    def state_of(content: bytes) -> int:
        """Each content is read once, for nothing else decides what is read."""
        with scratch() as root:
            (root / name).write_bytes(content)
            read = load(root / name)
        states = [told(model_in(state)) for state in range(4)]
        if read not in states:
            raise ValueError(f"{name}: a mixture")
        return states.index(read)

    def read(root: Path) -> int | None:
        return state_of((root / name).read_bytes()) if (root / name).exists() else None

    return Writer(name, name, lambda root, state: save(model_in(state), root / name), read,
                  lambda root: sorted(set(os.listdir(root)) - {name}))


def _loaded(path: Path) -> str:
    return everything(load_model(path))


def _weights_loaded(told: Callable[[Sequential], str]) -> Callable[[Path], str]:
    def load(path: Path) -> str:
        model = model_in(0)
        model.load_weights(path)
        return told(model)

    return load


# ---- checkpoints


def arrays(state: int) -> dict[str, np.ndarray]:
    """All of training but its seed, as a checkpoint has it."""
    rest = model_in(state).train_state._replace(key=None)
    return {path: np.asarray(leaf) for path, leaf in weights.leaves(rest)}


def save_checkpoint(root: Path, state: int) -> None:
    """As BackupAndRestore does it, when it begins and after so many steps."""
    run = root / "run"
    with folder.owned(run):
        folder.sweep(run)
        folder.write(run / folder.name_of(0, state, 0), {"state": state}, arrays(state))
        folder.prune(run, 0, KEEP)


def read_checkpoint(root: Path) -> int | None:
    """The newest one that is whole."""
    places = folder.found(root / "run", 0)
    for place in places:
        try:
            told, read = folder.read(place)
        except FileRejected:
            continue
        state, wanted = told["state"], arrays(told["state"])
        if place.name != folder.name_of(0, state, 0) or any(read[name].tobytes() != wanted[name].tobytes() for name in wanted):
            raise ValueError(f"{place}: a mixture")
        return state
    if places:
        raise ValueError(f"{root}: every checkpoint is damaged")
    return None


def around_checkpoints(root: Path) -> list[str]:
    kept = [place.name for place in folder.found(root / "run", 0)][:KEEP]
    return sorted(set(os.listdir(root / "run")) - {*kept, ".lock"}) + sorted(set(os.listdir(root)) - {"run"})


WRITERS = {writer.name: writer for writer in [
    Writer("checkpoints", "run", save_checkpoint, read_checkpoint, around_checkpoints),
    _file("m.keras", lambda model, path: model.save(path), _loaded, everything),
    _file("m.weights.h5", lambda model, path: model.save_weights(path), _weights_loaded(everything), everything),
    _file("m.h5", lambda model, path: model.save(path), _loaded, everything),
    _file("m.safetensors", lambda model, path: model.save_weights(path), _weights_loaded(weights_alone), weights_alone)]}


# ---- what may have been there before: state 1 is the old one, and 2 is about to be saved


def nothing(writer: Writer) -> Tree:
    return {}


def a_good_one(writer: Writer) -> Tree:
    with scratch() as root:
        writer.save(root, 0)
        writer.save(root, 1)
        return Volume.of(root).tree()


def leftovers(writer: Writer) -> Tree:
    """A good one, and what is left of a process that was killed in the middle of a save."""
    with scratch() as root:
        put(a_good_one(writer), root)
        with Disk(root) as disk:
            writer.save(root, 2)
        middle = max(number for number, request in enumerate(disk.requests) if request.what == "write")
        return disk.before.after(disk.requests[:middle]).tree()


def damaged(writer: Writer) -> Tree:
    """The same, and a checkpoint of the name that is about to be written, of which half is gone."""
    return leftovers(writer) | _damaged_checkpoint(2)


def damaged_later(writer: Writer) -> Tree:
    """The same, and one that an earlier run has made at a later step."""
    return leftovers(writer) | _damaged_checkpoint(3)


def _damaged_checkpoint(state: int) -> Tree:
    with scratch() as root:
        save_checkpoint(root, state)
        name = f"run/{folder.name_of(0, state, 0)}"
        whole = Volume.of(root).tree()
    half = {path: content[:len(content) // 2] for path, content in whole.items() if content and path.startswith(name)}
    return {name: None, **half}


BEFORE: dict[str, Callable[[Writer], Tree]] = {each.__name__: each for each in (nothing, a_good_one, leftovers)}
BEFORE_CHECKPOINTS = BEFORE | {each.__name__: each for each in (damaged, damaged_later)}


def before(writer: Writer) -> dict[str, Callable[[Writer], Tree]]:
    """What may be there before a save."""
    return BEFORE_CHECKPOINTS if writer.name == "checkpoints" else BEFORE
