"""The compiler's options and the user's own flags."""

import os
import subprocess
import sys

import pytest

from jaxseq.api.environment import environment, leave_to_the_user

GPU = {"xla_gpu_deterministic_ops": True}


@pytest.mark.parametrize(("flags", "left"), [("", GPU), ("--xla_gpu_autotune_level=1", GPU),
                                             ("--xla_gpu_deterministic_ops=false", {}),
                                             ("--xla_gpu_deterministic_ops_of_another_kind=false", GPU),
                                             ("--xla_dump_to=here --xla_gpu_deterministic_ops=true", {})])
def test_an_option_that_the_user_has_set_is_not_set_again(flags, left):
    options = dict(GPU)
    leave_to_the_user(options, flags)
    assert options == left


def test_the_options_are_told_as_flags():
    assert "--xla_cpu_experimental_ynn_fusion_type= " in environment()["compiler_options"] + " "


def test_flags_are_read_when_the_library_is_imported():
    code = "import jaxseq; from jaxseq.core import run; print(*run.GPU_OPTIONS, *run.ONE_GPU, *run.CPU_OPTIONS)"
    flags = {"XLA_FLAGS": "--xla_gpu_deterministic_ops=false --xla_gpu_enable_command_buffer= --xla_cpu_prefer_vector_width=1"}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=os.environ | flags).stdout
    assert told.split() == ["xla_cpu_experimental_ynn_fusion_type"]
