"""The loaders that a user has, run in a cell: what came of a file, at what cost, and what happened on the way."""

import codecs
import contextlib
import gc
import hashlib
import io
import json
import warnings

import numpy as np

from .attack import FILES, LOADERS
from .watch import Cost, Watch

X = np.random.Generator(np.random.Philox(11)).normal(size=(12, 4)).astype(np.float32)
Y = np.arange(12) % 3
EPOCHS = 2


def built():
    """A classifier of X with moving statistics, compiled, on its first day."""
    from jaxseq.layers import BatchNormalization, Dense
    from jaxseq.models import Sequential

    model = Sequential([Dense(6, "relu", input_shape=(4,)), BatchNormalization(), Dense(3, "softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fitted(model, folder):
    """The model after its run, which is kept in a folder, and goes on where it was kept there."""
    from jaxseq.callbacks import BackupAndRestore, EarlyStopping

    keep = BackupAndRestore(folder, delete_checkpoint=False, keep=1)
    return model.fit(X, Y, batch_size=4, epochs=EPOCHS, verbose=0, callbacks=[EarlyStopping("loss", patience=9), keep])


def make(folder):
    """Writes a good file of every kind."""
    from pathlib import Path

    places = {kind: Path(folder) / name for kind, name in FILES.items()}
    model = built()
    fitted(model, places["checkpoint"]).save(places["history"])
    for kind in "keras", "whole":
        model.save(places[kind])
    for kind in "weights", "legacy", "tensors":
        model.save_weights(places[kind])


class Readers:
    """Everything that a cell needs to open files of any kind.

    folder: of the good files. target: the model into which weights are read, which begins as `start` every time.
    """

    def __init__(self, folder):
        from pathlib import Path

        from jaxseq.models import load_model

        warnings.simplefilter("ignore")             # of NaN, of a damaged checkpoint; what is warned of, is loaded
        self.good = {kind: Path(folder) / name for kind, name in FILES.items()}
        self.target = load_model(self.good["keras"])
        state = self.target.train_state
        self.target.set_weights([each * 0 + 1 for each in self.target.get_weights()])
        self.start = self.target.train_state._replace(opt_state=state.opt_state, step=state.step)

    def begin(self, loader):
        """Puts the target back; a run begins at step 0."""
        self.target.train_state = self.start._replace(step=self.start.step * 0) if loader == "resume" else self.start
        self._first = self._state()

    def wanted(self, kind, loader):
        """What the good file gives."""
        self.begin(loader)
        return self.read(kind, loader, self.good[kind])

    def read(self, kind, loader, path):
        """What a loader makes of a file, as text that is the same for files that say the same. `begin` comes before."""
        return getattr(self, "_" + loader)(path)

    def _load_model(self, path):
        from jaxseq.models import load_model

        model = load_model(path)
        compiled = None if model.optimizer is None or model.loss is None else model.compile_arguments
        return digest(model.get_config(), compiled, model.get_weights(), remembered(model))

    def _load_weights(self, path, **how):
        self.target.load_weights(path, **how)
        return digest(self.target.get_weights(), remembered(self.target))

    def _load_by_name(self, path):
        return self._load_weights(path, by_name=True)

    def _resume(self, path):
        history = fitted(self.target, path)
        return digest(history.history, self.target.get_weights(), remembered(self.target))

    def _load_history(self, path):
        from jaxseq.callbacks import History

        history = History.load(path)
        return digest(history.history, history.epoch, history.run)

    def _inspect(self, path):
        from jaxseq.__main__ import main

        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            status = main(["inspect", str(path)])
        text = printed.getvalue()
        assert status == 0 or text.startswith("Refused: "), text
        assert all(letter.isprintable() or letter == "\n" for letter in text), ascii(text)
        assert len(text) < 2**22, f"{len(text):,} letters are printed"
        return text if status == 0 else "refused"

    def unchanged(self):
        """Whether the target is what it was before it was read into."""
        return self._state() == self._first

    def _state(self):
        return self.target.fingerprint(), self.target.seed, self.target.frozen_paths


def remembered(model):
    """The optimizer's state and the step, in an order of its own."""
    from jaxseq.api import weights

    ts = model.train_state
    return [(path, np.asarray(leaf)) for path, leaf in weights.leaves({"opt": ts.opt_state, "step": ts.step})]


def digest(*values):
    """A hash of settings and arrays."""
    found = hashlib.blake2b(digest_size=16)
    for value in values:
        found.update(json.dumps(value, default=_plain, sort_keys=True).encode())
    return found.hexdigest()


def _plain(value):
    if isinstance(value, np.ndarray):
        return [value.dtype.name, value.shape, value.tobytes().hex()]
    return repr(value)


_READERS, _WATCH, _WANTED = [], [], {}


def warm(folder, kinds=tuple(LOADERS)):
    """Makes the cell ready: all is imported and compiled that reading good and bad files needs. Then the watch begins."""
    readers = Readers(folder)
    for kind in kinds:
        for loader in LOADERS[kind]:
            _WANTED[kind, loader] = readers.wanted(kind, loader)
    _READERS.append(readers)
    _refuse_some(readers)
    gc.collect()
    gc.freeze()                                 # so that counting what is held costs little from here on
    _WATCH.append(Watch())


def enter(folder):
    """Makes a folder the working one."""
    import os

    os.chdir(folder)


def _refuse_some(readers):
    """Errors import what shows them, and rich imports what it knows of letters when it cuts a line."""
    from rich.cells import cell_len

    from jaxseq.models import FileRejected

    cell_len("\N{HORIZONTAL ELLIPSIS}")
    codecs.lookup("ascii")

    path = readers.good["keras"].with_name("none.keras")
    path.write_bytes(b"PK")
    with contextlib.suppress(FileRejected):
        readers.read("keras", "load_model", path)


def opened(kind, loader, path):
    """Opens a file under watch. {"outcome", "said", "same", "unchanged", "seconds", "megabytes", "seen"}"""
    from jaxseq.models import FileRejected

    readers, = _READERS
    watch, = _WATCH
    outcome, said, same = "loaded", "", False
    readers.begin(loader)
    with Cost() as cost, watch.over(path) as seen:
        try:
            given = readers.read(kind, loader, path)
            outcome = "refused" if given == "refused" else "loaded"
            same = given == _WANTED.get((kind, loader))
        except FileRejected as error:
            outcome, said = "refused", str(error)
        except BaseException as error:
            outcome, said = type(error).__name__, str(error)[:2000]
    return {"outcome": outcome, "said": said, "same": same, "unchanged": readers.unchanged(), "seconds": cost.seconds,
            "megabytes": cost.megabytes, "seen": list(seen)}
