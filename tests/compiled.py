"""Which programs have been compiled in this process: their names, one entry for each compilation."""

import jax

COMPILED: list[str] = []


def _note(event: str, seconds: float, *, fun_name: str = "", **about: str) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        COMPILED.append(fun_name)


jax.monitoring.register_event_duration_secs_listener(_note)


def compiled_since(before: int, name: str) -> int:
    """How often the function `name` has been compiled since COMPILED had `before` entries. AssertionError if it never was."""
    assert f"jit({name})" in COMPILED, f"{name} was never compiled: {sorted(set(COMPILED))}"
    return COMPILED[before:].count(f"jit({name})")
