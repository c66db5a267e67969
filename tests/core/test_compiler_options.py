"""Which of the compiler's options every program gets, on each kind of device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import run


@pytest.fixture
def asked_anew():
    run._compiler_options.cache_clear()
    yield
    run._compiler_options.cache_clear()


def test_on_the_cpu_products_are_kept_away_from_ynnpack(asked_anew):
    assert run._compiler_options() == (run.CPU_OPTIONS if jax.default_backend() == "cpu" else None)
    assert run.CPU_OPTIONS["xla_cpu_experimental_ynn_fusion_type"] == ""


def test_an_option_that_jaxlib_does_not_know_breaks_nothing(asked_anew, monkeypatch):
    monkeypatch.setattr(run, "CPU_OPTIONS", {"no_such_option_of_xla": ""})
    assert run._compiler_options() is None
    assert run.compiled(lambda x: x + 1)(jnp.float32(1)) == 2


def test_on_a_gpu_bits_are_the_same_from_run_to_run(asked_anew, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert run._compiler_options() == run.GPU_OPTIONS == {"xla_gpu_deterministic_ops": True}


def test_other_backends_are_left_alone(asked_anew, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert run._compiler_options() is None


def test_a_product_that_jax_0_10_2_gets_wrong_is_right():
    """jax#39103: off by 1e35 with the default options of that release."""
    x = jnp.ones((128, 20, 32))
    y = run.compiled(lambda x: x.mean(1) @ jnp.ones((32, 64)))(x)
    assert_allclose(y, np.full((128, 64), 32.0), rtol=1e-5)
