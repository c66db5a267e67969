"""How the trees of a unit's members become the arguments of its programs, and how what comes out is taken apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxseq.api.data import Feed, Resident, Streamed
from jaxseq.api.memory import advised
from jaxseq.api.sparse import SparseRows
from jaxseq.core import members
from jaxseq.core.require import require
from jaxseq.core.types import Spec


class Form(ABC):
    """See the head of this file."""

    @abstractmethod
    def join(self, trees: Sequence[Any]) -> Any:
        """One tree for all members, of arrays or of specs."""

    @abstractmethod
    def split(self, tree: Any) -> list[Any]:
        """A tree for each member."""

    @abstractmethod
    def apart(self, y: Any) -> Sequence[np.ndarray]:
        """The predictions of each member, on the host."""

    def readable(self, feed: Feed) -> Feed:
        """The data to train on, as such members can read them, each in an order of its own."""
        return feed

    @abstractmethod
    def shared(self, slab: Any) -> Any:
        """What all members read, where they read it."""


class Alone(Form):
    """One member, whose trees are taken as they are."""

    def join(self, trees):
        tree, = trees
        return tree

    def split(self, tree):
        return [tree]

    def apart(self, y):
        return [np.asarray(y)]

    def shared(self, slab):
        return slab


class SideBySide(Form):
    """Several members on one device, with an axis of their own in front."""

    def __init__(self, count: int):
        self.count = count
        self._join, self._split = members.joiner(), members.splitter(count)

    def readable(self, feed):
        """On the device as a whole, for all members read the same slab."""
        if not isinstance(feed, Streamed):
            return feed
        require(not isinstance(feed.columns.x, SparseRows), "Members side by side on this device need dense rows: pass "
                "x.toarray().")
        with advised("Members side by side read data that lie on the device as a whole, and these are too large: pass fewer."):
            return Resident(jax.device_put(feed.columns), feed.rows, feed.batch_size, feed.shuffle, feed.padded)

    def join(self, trees):
        if any(isinstance(leaf, Spec) for leaf in jax.tree.leaves(trees)):
            return jax.eval_shape(self._join, list(trees))
        return self._join(list(trees))

    def split(self, tree):
        return self._split(tree)

    def apart(self, y):
        return np.asarray(y)[:self.count]

    def shared(self, slab):
        return slab


class Spread(SideBySide):
    """Several members, spread over devices: each device has as many; where they do not come out even, the last one fills up."""

    def __init__(self, count: int, devices: Sequence[Any]):
        super().__init__(count)
        self._home, self._missing = devices[0], -count % len(devices)
        mesh = Mesh(np.array(devices), ("members",))
        self._each, self._all = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (["members"], []))
        self._read: tuple[Any, Any] = (None, None)

    def join(self, trees):
        joined = super().join([*trees, *[trees[-1]] * self._missing])
        if any(isinstance(leaf, Spec) for leaf in jax.tree.leaves(joined)):
            return jax.tree.map(lambda leaf: Spec(leaf.shape, leaf.dtype, sharding=self._each), joined)
        return jax.device_put(joined, self._each)

    def split(self, tree):
        return self._split(jax.device_put(tree, self._home))

    def shared(self, slab):
        """On every device; the last slab that was asked for stays there."""
        if self._read[0] is not slab:
            whole = lambda leaf: Spec(leaf.shape, leaf.dtype, sharding=self._all)
            specs = any(isinstance(leaf, Spec) for leaf in jax.tree.leaves(slab))
            self._read = slab, jax.tree.map(whole, slab) if specs else jax.device_put(slab, self._all)
        return self._read[1]
