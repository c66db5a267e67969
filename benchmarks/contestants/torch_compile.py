"""The PyTorch loop with torch.compile around the model."""

from __future__ import annotations

import os
import shutil

from workloads import Workload

from contestants.torch import make as make_plain, versions

__all__ = ["make", "versions"]


def make(workload: Workload):
    if not shutil.which(os.environ.get("CXX", "c++")):
        raise SystemExit("torch.compile needs a C++ compiler, and there is none.")
    return make_plain(workload, compiled=True)
