"""What the last bits of a number may depend on."""

from __future__ import annotations

import os
import platform
from typing import Any

import jax
import jaxlib
import numpy as np


def environment() -> dict[str, Any]:
    """Versions, device, processor and settings. Two runs in equal ones give equal bits."""
    device = jax.devices()[0]
    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__, "numpy": np.__version__, "python": platform.python_version(),
            "device": device.device_kind, "devices": jax.device_count(), "machine": platform.machine(), "cores": _cores(),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""), "x64": bool(jax.config.jax_enable_x64),
            "matmul_precision": jax.config.jax_default_matmul_precision}


def _cores() -> int | None:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
