"""Who takes part: in which environment, by which module, on which Keras backend, and with which script."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".environments"
OURS = "jaxseq"


class Peer(NamedTuple):
    """environment: its folder's name. module: in contestants/. backend: Keras's. script: in scripts/."""

    environment: str
    module: str
    backend: str = "jax"
    script: str | None = None


PEERS = {
    OURS: Peer("jax", "jaxseq", script="guide_jaxseq"),
    "keras-jax": Peer("jax", "keras", script="guide_keras"),
    "keras-jax-plain": Peer("keras-jax", "keras", script="guide_keras"),
    "keras-tensorflow": Peer("keras-tensorflow", "keras", "tensorflow", "guide_keras"),
    "keras-torch": Peer("torch", "keras", "torch", "guide_keras"),
    "torch": Peer("torch", "torch", script="guide_torch"),
    "torch-compile": Peer("torch", "torch_compile"),
    "optax": Peer("jax", "optax", script="guide_optax"),
    "flax": Peer("jax", "flax", script="guide_flax"),
}
FLOOR = Peer("jax", "floor")

WHAT_THEY_ARE = {
    OURS: "this library",
    "keras-jax": "Keras on the JAX release that jaxseq uses",
    "keras-jax-plain": "Keras and JAX as `pip install keras jax` gives them",
    "keras-tensorflow": "Keras on TensorFlow",
    "keras-torch": "Keras on PyTorch",
    "torch": "a PyTorch loop written by hand",
    "torch-compile": "the same with `torch.compile`",
    "optax": "a JAX and Optax loop written by hand",
    "flax": "Flax NNX",
}


def python_of(environment: str) -> Path:
    return ENVIRONMENTS / environment / "bin" / "python"


def variables(peer: Peer, cache: str = "0") -> dict[str, str]:
    """The environment variables of a child. cache: jaxseq's folder of compiled programs; "0" is none, as
    torch.compile has none, so that everyone compiles.

    OpenMP threads that wait must sleep: else idle contestants, and any other program, take turns from the one at work.
    """
    kept = {name: value for name, value in os.environ.items()
            if name not in ("PYTHONDONTWRITEBYTECODE", "JAX_COMPILATION_CACHE_DIR")}
    return {**kept, "PYTHONPATH": str(HERE.parent), "KERAS_BACKEND": peer.backend, "OMP_WAIT_POLICY": "PASSIVE",
            "TF_CPP_MIN_LOG_LEVEL": "2", "JAXSEQ_CACHE": cache, "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
