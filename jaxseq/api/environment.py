"""What the last bits of a number may depend on."""

from __future__ import annotations

import os
import platform
from typing import Any

import jax
import jaxlib
import numpy as np

from jaxseq.core import run


def environment() -> dict[str, Any]:
    """Versions, device, processor and settings. Two runs in equal ones give equal bits; on a GPU if its options ask for it."""
    device = jax.devices()[0]
    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__, "numpy": np.__version__, "python": platform.python_version(),
            "device": device.device_kind, "devices": jax.device_count(), "machine": platform.machine(), "cores": cores(),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""), "compiler_options": _options(),
            "x64": bool(jax.config.jax_enable_x64), "matmul_precision": jax.config.jax_default_matmul_precision}


def leave_to_the_user(options: dict[str, Any], flags: str) -> None:
    """Takes out of the compiler's options what the user's own XLA_FLAGS name, for options would have the last word."""
    named = {flag.partition("=")[0].removeprefix("--") for flag in flags.split()}
    for name in named & options.keys():
        del options[name]


for each in run.CPU_OPTIONS, run.GPU_OPTIONS, run.ONE_GPU, run.ONE_CORE:         # now, as JAX reads its own
    leave_to_the_user(each, os.environ.get("XLA_FLAGS", ""))


def _options() -> str:
    """The compiler's options as XLA_FLAGS would have them."""
    return " ".join(f"--{name}={value}" for name, value in (run.compiler_options() or {}).items())


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
