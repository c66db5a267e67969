"""BackupAndRestore: a run that is broken off and started again ends with the same bits as one that never was."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from jaxseq.api import hosts
from jaxseq.api.callbacks import Callback, Logs
from jaxseq.api.environment import environment
from jaxseq.api.files.refusal import FileRejected, Source
from jaxseq.api.resuming import folder, sharded, written
from jaxseq.api.underway import Rest, Underway
from jaxseq.core.require import positive_int, require


class Whole(NamedTuple):
    """A checkpoint that was read: where it lies, what it tells, its arrays, or where these lie."""

    place: Path
    told: dict[str, Any]
    arrays: dict[str, Any]

    @classmethod
    def at(cls, place: Path) -> Whole:
        """The checkpoint there. FileRejected."""
        told, arrays = written.checked(Source(place), *folder.read(place))
        return cls(place, told, arrays | sharded.lying(place, told))


class BackupAndRestore(Callback):
    """Keeps a run in a folder while it goes on; the same script, started again after a crash, goes on where it was.

    What is kept is all of training: weights, layer states, the optimizer's state, step and seed; the epoch, the step within
    it, and what was measured of it so far; and what the other callbacks and the History hold. The order of rows and every
    draw follow from seed and step. So the end is the same to the bit, wherever the run was broken off, on the same machine
    and with the same versions; a warning says so where they are others.

    backup_dir: a folder for this run alone. save_freq: "epoch", or after so many steps, over the ends of epochs.
    keep: checkpoints that are kept, so that an older one is there if the newest is damaged.
    delete_checkpoint: whether they go when the training has come to its end.
    double_checkpoint: Keras's; accepted, for a checkpoint is whole before the one before it goes.
    Writing goes on beside the training. Ctrl-C and SIGTERM save at the next step boundary; of several processes it is enough
        that one gets the signal, and all end.
    Several processes that train one model share the folder; the first writes, and where weights are cut over them, each
        writes its parts, by Orbax (pip install 'jaxseq[sharded]'), while the training waits. Any number of processes and
        devices can read them.
    Data: arrays and a jaxseq.utils.Sequence go on with the batch that follows. A generator is read again from its beginning,
        so its batches have to be the same; and what a Sequence changes in its on_epoch_end is its own affair.

    Raises: FileRejected for a checkpoint of another model, of other data or of other callbacks, and when all that are there
        are damaged; RuntimeError when another run uses the folder; ImportError where Orbax is needed and not there; OSError,
        at the next step boundary, when it cannot be written. The checkpoints before it stay.
    Source: as keras.callbacks.BackupAndRestore, which begins the epoch anew, with weights from the middle of it.
    """

    def __init__(self, backup_dir: Any, save_freq: str | int = "epoch", double_checkpoint: bool = False,
                 delete_checkpoint: bool = True, *, keep: int = 2):
        super().__init__()
        self.backup_dir, self.save_freq, self.delete_checkpoint = Path(backup_dir), save_freq, delete_checkpoint
        self.keep = positive_int("BackupAndRestore(keep)", keep)
        if save_freq != "epoch":
            positive_int("BackupAndRestore(save_freq)", save_freq)
        self._held = ExitStack()        # what is let go of at the end: the folder, the thread that writes
        self._writing: Future | None = None
        self._fit: Underway | None = None
        self._saved = ""

    @property
    def writes_to(self) -> Any:
        """The folder."""
        return self.backup_dir

    def state_dict(self) -> dict[str, Any]:
        return {}                       # it is not part of what it keeps

    def on_run_begin(self, fit: Underway) -> None:
        self._fit, self._saved = fit, ""
        self._held = ExitStack()
        if not hosts.is_whole(fit.model.train_state):
            sharded.orbax()
        if hosts.is_first():
            self._held.enter_context(folder.owned(self.backup_dir))
            folder.sweep(self.backup_dir)
        fit.watch()
        self._restore(fit)
        fit.every = None if self.save_freq == "epoch" else int(self.save_freq)
        fit.on_interrupt(self._save_now, (signal.SIGTERM,))
        self._held.callback(fit.interrupt.let_go)
        self._thread = self._held.enter_context(ThreadPoolExecutor(1, "jaxseq-backup"))

    def on_whole_step(self, fit: Underway) -> None:
        if fit.done == 0 if self.save_freq == "epoch" else fit.made % self.save_freq == 0:
            self._save(fit.rest())

    def on_train_end(self, logs: Logs | None = None) -> None:
        try:
            self._finish_writing()
        finally:
            self._held.close()
        fit, self._fit = self._fit, None
        if fit is not None and fit.finished and self.delete_checkpoint and hosts.is_first():
            folder.prune(self.backup_dir, fit.first_step, keep=0)

    def _restore(self, fit: Underway) -> None:
        """Moves the fit to the newest checkpoint that is whole; of several processes the first says which that is."""
        whole = self._newest(fit.first_step) if hosts.is_first() else None
        name = hosts.agreed_name(whole.place.name if whole else "")
        if not hosts.is_whole(fit.model.train_state):
            self._require_shared(folder.LOCK)
        if name:
            place, told, arrays = whole or self._shared(name)
            self._check(Source(place), fit, told)
            rest = written.read(Source(place), fit, told, arrays)
            fit.model.go_on_with(told["seed"], arrays["key"])
            fit.move_to(rest)
            self._saved = place.name
            self._say(place, told)
            if self.params.get("verbose") and hosts.is_first():
                print(f"Going on at epoch {fit.epoch + 1}, after {fit.done} steps of it, from {place}.")

    def _newest(self, first_step: int) -> Whole | None:
        """The newest checkpoint that is whole. FileRejected where there are some, and none is."""
        told_of = None
        places = folder.found(self.backup_dir, first_step)
        for place in places:
            try:
                whole = Whole.at(place)
                sharded.check(place, whole.told)
                return whole
            except FileRejected as error:
                warnings.warn(f"A checkpoint is damaged, and an older one takes its place: {error}", stacklevel=2)
                told_of = error
        require(not places, f"{self.backup_dir}: every checkpoint in it is damaged. Remove the folder to begin anew. The last "
                f"one: {told_of}", FileRejected)
        return None

    def _shared(self, name: str) -> Whole:
        """The checkpoint that the first process has found."""
        return Whole.at(self._require_shared(name))

    def _require_shared(self, name: str) -> Path:
        """What the first process has put into the folder. FileNotFoundError where this process has it not."""
        place = self.backup_dir / name
        require(place.exists(), f"{place} is not there, and the first process has it: all processes need one backup_dir. "
                "Name a folder on a disk that they share.", FileNotFoundError)
        return place

    def _check(self, source: Source, fit: Underway, told: dict[str, Any]) -> None:
        """FileRejected unless the run goes through the same data in the same way."""
        now = fit.plan.train.told() | {"steps_per_epoch": fit.plan.steps}
        then = told["data"] | {"steps_per_epoch": told["steps_per_epoch"]}
        differing = [f"{name}={then.get(name)!r} and not {now.get(name)!r}" for name in sorted(now.keys() | then.keys())
                     if now.get(name) != then.get(name)]
        source.require(not differing, f"was made with {', '.join(differing)}. Pass the same data in the same way, or name "
                       "another folder to begin anew.")

    def _say(self, place: Path, told: dict[str, Any]) -> None:
        here, there = environment(), told["environment"]
        changed = [f"{name} was {there[name]!r}, now {here[name]!r}" for name in here
                   if there.get(name, here[name]) != here[name]]
        if changed:
            warnings.warn(f"{place}: the run goes on in another environment, so that it ends equal within rounding and not to "
                          f"the bit: {'; '.join(changed)}.", stacklevel=2)

    def _save_now(self) -> None:
        """Before a signal ends the run: all of it as it stands at this step boundary."""
        fit = self._fit
        assert fit is not None
        self._save(fit.before_validation or fit.rest())
        self._finish_writing()

    def _save(self, rest: Rest) -> None:
        """Begins to write a checkpoint, once the one before is written."""
        fit, name = self._fit, folder.name_of(rest.first_step, rest.epoch, rest.done)
        assert fit is not None
        self._finish_writing()
        if name != self._saved:
            self._saved, told, cut = name, written.manifest(fit, rest), written.cut(rest)
            if cut:
                draft = self._drafted(name, cut)
                write = lambda: _finish(draft, self.backup_dir, name, told, cut, rest, self.keep)
            else:
                write = lambda: _write(self.backup_dir, name, told, rest, self.keep)
            if hosts.is_first():
                self._writing = self._thread.submit(write)

    def _drafted(self, name: str, cut: dict[str, Any]) -> Path:
        """The draft of a checkpoint, with the cut arrays in it: the first process makes it, and each writes its parts."""
        made = folder.begun(self.backup_dir / name).name if hosts.is_first() else ""
        draft = self._require_shared(hosts.agreed_name(made))
        with self._advised():
            sharded.write(draft, cut)
        return draft

    def _finish_writing(self) -> None:
        """Waits for the checkpoint that is being written. Raises what went wrong with it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            with self._advised():
                writing.result()

    @contextmanager
    def _advised(self) -> Iterator[None]:
        """An error of the disk leaves no draft, and carries a note on what to do."""
        try:
            yield
        except OSError as error:
            if hosts.is_first():
                folder.sweep(self.backup_dir)
            error.add_note(f"The checkpoint in {self.backup_dir} could not be written; those before it are whole. Make room, "
                           "or name another folder.")
            raise


def _write(where: Path, name: str, told: dict[str, Any], rest: Rest, keep: int) -> None:
    folder.write(where / name, told, written.arrays(rest))
    folder.prune(where, rest.first_step, keep)


def _finish(draft: Path, where: Path, name: str, told: dict[str, Any], cut: dict[str, Any], rest: Rest, keep: int) -> None:
    folder.finish(draft, where / name, told | sharded.told(draft, cut), written.arrays(rest))
    folder.prune(where, rest.first_step, keep)
