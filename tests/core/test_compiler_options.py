"""Which of the compiler's options every program gets, on each kind of device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import run


@pytest.fixture
def asked_anew():
    run.compiler_options.cache_clear()
    yield
    run.compiler_options.cache_clear()


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="of programs for a CPU")
def test_on_the_cpu_products_are_kept_away_from_ynnpack(asked_anew):
    assert run.compiler_options() == run.CPU_OPTIONS
    assert run.CPU_OPTIONS["xla_cpu_experimental_ynn_fusion_type"] == ""


def test_an_option_that_jaxlib_does_not_know_breaks_nothing(asked_anew, monkeypatch):
    monkeypatch.setattr(run, "CPU_OPTIONS", {"no_such_option_of_xla": ""})
    assert run.compiler_options() is None
    assert run.compiled(lambda x: x + 1)(jnp.float32(1)) == 2


def test_the_others_are_asked_for_beside_one_that_jaxlib_does_not_know(asked_anew, monkeypatch):
    monkeypatch.setattr(run, "CPU_OPTIONS", {"no_such_option_of_xla": "", **run.CPU_OPTIONS})
    assert run.compiler_options() == {name: value for name, value in run.CPU_OPTIONS.items() if name.startswith("xla")}


def test_another_error_is_not_taken_for_an_option_that_is_not_known(asked_anew, monkeypatch):
    def no_memory(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(jax, "jit", no_memory)
    with pytest.raises(jax.errors.JaxRuntimeError, match="EXHAUSTED"):
        run.compiler_options()


@pytest.mark.parametrize(("devices", "more"), [(1, {"xla_gpu_enable_command_buffer": "WHILE"}), (2, {})])
def test_on_a_gpu_deterministic_operations_are_asked_for(devices, more, asked_anew, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "device_count", lambda: devices)
    monkeypatch.setattr(run, "GPU_OPTIONS", {"xla_gpu_deterministic_ops": True})        # as without XLA_FLAGS
    monkeypatch.setattr(run, "ONE_GPU", {"xla_gpu_enable_command_buffer": "WHILE"})
    assert run.compiler_options() == {"xla_gpu_deterministic_ops": True} | more


@pytest.mark.skipif(not run.ONE_GPU, reason="XLA_FLAGS name it")
def test_jaxlib_knows_the_commands_of_a_graph():
    assert jax.jit(lambda x: x + 1, compiler_options=run.ONE_GPU)(1) == 2


@pytest.mark.parametrize("shapes", [((16, 6), (6, 8)), ((16, 8), (8, 3)), ((64, 32), (32, 128)), ((64, 128), (128, 32)),
                                    ((128, 64), (64, 64)), ((1, 32), (32, 128))])
def test_a_program_for_one_core_multiplies_as_every_other(shapes):
    """XLA:CPU has two forms of small products, which round alike on some processors only."""
    draw = np.random.default_rng(0)
    given = [draw.standard_normal(shape, np.float32) for shape in shapes]
    usual, one_core = (make(jnp.matmul)(*given) for make in (run.compiled, run.compiled_for_one_core))
    np.testing.assert_array_equal(usual, one_core)


def test_other_backends_are_left_alone(asked_anew, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert run.compiler_options() is None


def test_a_product_that_jax_0_10_2_gets_wrong_is_right():
    """jax#39103: off by 1e35 with the default options of that release."""
    x = jnp.ones((128, 20, 32))
    y = run.compiled(lambda x: x.mean(1) @ jnp.ones((32, 64)))(x)
    assert_allclose(y, np.full((128, 64), 32.0), rtol=1e-5)
