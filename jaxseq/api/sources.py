"""Data that come batch by batch: generators, Sequence, and the loaders of PyTorch, TensorFlow and Grain, told by what they can.

None of those libraries is imported. A source gives its batches anew in every pass, but for a generator, which gives them once.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol

import numpy as np

from jaxseq.core import rng
from jaxseq.core.require import Spelled, positive_int, require


class Sequence(Spelled):
    """Data that are read batch by batch, made to be subclassed: `__len__` gives the number of batches of a pass.

    `__getitem__(i)` gives batch i, (x, y) or (x, y, sample_weight). It is called in other threads, ahead of its use and
    for several batches side by side, so it must not depend on the order of the calls. `on_epoch_begin` precedes every pass,
    `on_epoch_end` follows it. `pass_number` tells passes apart: in `fit` the step at which one begins. What is drawn as a
    function of it and the index is drawn again when a run is taken up.
    workers: threads that read. max_queue_size: batches that wait, at most. use_multiprocessing: accepted; threads read
        all the same, for a process that has used JAX cannot be forked safely.
    Source: as keras.utils.Sequence of Keras 2 and keras.utils.PyDataset of Keras 3.
    """

    pass_number: int = 0

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self.workers = positive_int("workers", workers)
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = positive_int("max_queue_size", max_queue_size)

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} needs __len__: the number of its batches.")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} needs __getitem__(index): one batch, (x, y).")

    def __iter__(self) -> Iterator[Any]:
        """Every batch, in order."""
        return (self[index] for index in range(len(self)))

    def on_epoch_begin(self) -> None:
        """Called before every pass."""

    def on_epoch_end(self) -> None:
        """Called after every pass."""


Numbered = tuple[int, Any]      # a batch behind its number, counted from 0; of a Sequence, its index


class Source(Protocol):
    """One pass after another over batches as the user's object gives them, each as (its number, batch).

    length: batches of a pass; None where only its end will tell. once: whether there is one pass and no other. `peek` gives
    the first batch; no pass misses it. `one_pass` leaves out the first `skip` batches. An error of the user's object comes
    as it is, with the batch's number in a note.
    """

    length: int | None
    once: bool

    def peek(self) -> Numbered: ...
    def one_pass(self, words: tuple[int, int], step: int, skip: int) -> Generator[Numbered]: ...


class Indexed:
    """A Sequence: its batches in an order of ours, read by its threads, given in that order."""

    length: int | None
    once = False

    def __init__(self, sequence: Any, shuffle: bool):
        self.length, self._sequence, self._shuffle = len(sequence), sequence, shuffle

    def peek(self) -> Numbered:
        """Batch 0."""
        if not self.length:
            raise StopIteration
        return self._read(0)

    def one_pass(self, words: tuple[int, int], step: int, skip: int) -> Generator[Numbered]:
        """Every batch once, between on_epoch_begin and on_epoch_end. Those left out are not read."""
        if isinstance(self._sequence, Sequence):
            self._sequence.pass_number = step
        getattr(self._sequence, "on_epoch_begin", lambda: None)()       # Keras 2's has none
        count = len(self._sequence)
        order = rng.row_order(words, step, count) if self._shuffle else np.arange(count)
        workers, waiting = getattr(self._sequence, "workers", 1), getattr(self._sequence, "max_queue_size", 10)
        yield from in_order(self._read, map(int, order[skip:]), max(1, workers), max(1, waiting))
        self._sequence.on_epoch_end()

    def _read(self, index: int) -> Numbered:
        with told(index):
            return index, self._sequence[index]


class Walked:
    """Something to walk through: again and again, or, where it is an iterator itself, once."""

    def __init__(self, begin: Callable[[], Iterator[Any]], length: int | None, once: bool = False):
        self.length, self.once, self._begin = length, once, begin
        self._begun: Iterator[Numbered] | None = None

    def peek(self) -> Numbered:
        """The first batch of the pass that is then begun."""
        walk = _numbered(self._begin())
        first = next(walk)
        self._begun = itertools.chain([first], walk)
        return first

    def one_pass(self, words: tuple[int, int], step: int, skip: int) -> Generator[Numbered]:
        """Every batch once, in an order of its own; of an iterator, those that are left. What is left out is read, too."""
        begun, self._begun = self._begun, None
        yield from islice(_numbered(self._begin()) if begun is None else begun, skip, None)


def source_of(data: Any, shuffle: bool = False) -> Source | None:
    """The source that `data` are, or None when they are columns, or nothing that could be read batch by batch."""
    if hasattr(data, "as_numpy_iterator"):                                              # tf.data
        return Walked(data.as_numpy_iterator, _length(data))
    if all(hasattr(data, each) for each in ("__getitem__", "__len__", "on_epoch_end")):
        return Indexed(data, shuffle)
    columns = any(hasattr(data, each) for each in ("__array__", "to_numpy", "toarray"))
    if columns or isinstance(data, list | tuple | dict | set | frozenset | str | bytes) or not hasattr(data, "__iter__"):
        return None
    return Walked(data.__iter__, _length(data), isinstance(data, Iterator))


@contextmanager
def told(number: int) -> Iterator[None]:
    """An error from within carries the batch's number as a note."""
    try:
        yield
    except Exception as error:
        error.add_note(f"In batch {number} of the data, counted from 0.")
        raise


def _numbered(batches: Iterator[Any]) -> Iterator[Numbered]:
    for number in itertools.count():
        with told(number):
            batch = next(batches, _END)
        if batch is _END:
            return
        yield number, batch


_END = object()         # what follows the last batch


def parts(batch: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of a batch as a source gives it; None for what is not there. TypeError for anything else."""
    if not isinstance(batch, tuple | list):
        return batch, None, None
    require(1 <= len(batch) <= 3, f"The data gave a {type(batch).__name__} of {len(batch)}: a batch is (x, y) or "
            "(x, y, sample_weight).", TypeError)
    x, y, weight = (*map(_host, batch), None, None)[:3]
    return x, y, weight


def in_order(function: Callable[[Any], Any], items: Iterable[Any], workers: int, waiting: int) -> Iterator[Any]:
    """function(item) for each, in the order of the items, made by threads at most `waiting` ahead of their use."""
    items = iter(items)
    pool = ThreadPoolExecutor(workers, "jaxseq-data")
    try:
        coming = deque(pool.submit(function, item) for item in islice(items, max(waiting, workers)))
        while coming:
            yield coming.popleft().result()
            coming.extend(pool.submit(function, item) for item in islice(items, 1))
    finally:                            # what nobody will ask for is not read, what is being read is waited for
        pool.shutdown(cancel_futures=True)


def _length(data: Any) -> int | None:
    try:
        return len(data)
    except TypeError:
        return None


def _host(part: Any) -> Any:
    """A PyTorch tensor as an array; it may lie on another device or carry a gradient."""
    return part.detach().cpu().numpy() if hasattr(part, "detach") and hasattr(part, "cpu") else part
