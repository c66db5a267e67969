"""Keras's words for a dtype policy of the whole program. There is none: a model has its own."""

from __future__ import annotations

from typing import Any

from jaxseq.core.policy import DTypePolicy, named
from jaxseq.core.require import require


def dtype_policy() -> DTypePolicy:
    """What models and layers have for whom nothing is written: float32."""
    return DTypePolicy("float32")


def set_dtype_policy(policy: Any) -> None:
    """Accepts "float32", the default, alone.

    Raises: ValueError otherwise: another file would change what yours computes.
    """
    _require_the_default("set_dtype_policy", named(policy))


def set_global_policy(policy: Any) -> None:
    """The same as set_dtype_policy(policy), in Keras's older words."""
    _require_the_default("set_global_policy", named(policy))


global_policy = dtype_policy


def _require_the_default(call: str, name: str | None) -> None:
    require(name == "float32", f"{call}({name!r}): jaxseq has no dtype for the whole program. Write "
            f"Sequential([...], dtype={name!r}), or dtype={name!r} in a layer.")
