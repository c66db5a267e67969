"""The benchmark's own arithmetic, and that its contestants train: an oracle for each number that the report shows."""

import argparse
import contextlib
import itertools
import math
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import bare
import calls
import collectives
import ensembles
import kernels
import peers
import products
import questions
import report
import scaling
import startup
import turns
from answers import answer_tables
from child import Child, Fallen, last_line
from contestants import jaxseq as jaxseq_contestant, optax as optax_contestant
from parts import LSTM, Average, Conv, Dense, Dropout, Embedding, Flatten, Pool
from peers import PEERS
from plot import LOOKS, draw
from ratios import compile_seconds, floor_rates, floor_seconds, ratio, step_seconds
from summaries import number, time_ratio
from workloads import PRODUCT, WORKLOADS, Workload, data

from jaxseq import layers, optimizers
from jaxseq.core.types import Batch
from jaxseq.models import Sequential

TINY = replace(WORKLOADS["guide-mlp"], rows=300)


def counted(jaxpr, times=1):
    """Floating-point operations of every matrix product in a program, loops included."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            x = equation.invars[0].aval.shape
            total += times * 2 * equation.outvars[0].aval.size * math.prod(x[axis] for axis in contracted)
        trips = equation.params["length"] if equation.primitive.name == "scan" else 1
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            total += counted(inner, times * trips) if hasattr(inner, "eqns") else 0
    return total


@pytest.mark.parametrize("name", ["guide-mlp", "mlp", "lstm", "stacked-lstm", "stateful-lstm"])
def test_the_operations_of_a_step_are_the_products_in_the_program_of_its_gradient(name, key):
    workload = WORKLOADS[name]
    params, states = jax.eval_shape(lambda key: optax_contestant.init(workload, key), key), optax_contestant.carry(workload)
    batch = data(replace(workload, rows=workload.batch))
    gradient = jax.make_jaxpr(lambda params: jax.grad(optax_contestant.objective, has_aux=True)(
        params, workload, states, batch, key))(params)
    assert counted(gradient.jaxpr) == workload.flops


@pytest.mark.parametrize("rank", [1, 2])
def test_a_convolution_is_counted_as_when_every_window_is_visited(rank):
    conv, shape = Conv(rank, 5, 3), (6, 7)[:rank] + (4,)
    places = list(itertools.product(*(range(length - 2) for length in shape[:-1])))
    assert conv.after(shape) == (*(length - 2 for length in shape[:-1]), 5)
    assert conv.products(shape) == sum(5 * 4 * 3**rank for _ in places)


def test_convolutions_with_a_learned_layer_before_them_are_made_three_times():
    workload = Workload("conv", (6, 4), (Conv(1, 5, 3), Conv(1, 2, 3), Average(), Dense(1, "sigmoid")), "sgd", 8, 8, 1)
    assert workload.flops == 2 * 8 * (2 * (4 * 5 * 12) + 3 * (2 * 2 * 15) + 3 * 2)


@pytest.mark.every(3)
@pytest.mark.parametrize("part, shape", [
    (Dense(3, "relu"), (5,)), (Conv(1, 3, 2), (7, 2)), (Conv(2, 3, 2), (7, 6, 2)), (LSTM(3), (4, 2)),
    (LSTM(3, sequences=True), (4, 2)), (Embedding(9, 3), (4,)), (Pool(1, 3), (7, 2)), (Pool(2, 2), (7, 6, 2)),
    (Average(), (4, 2)), (Flatten(), (4, 2)), (Dropout(0.5), (4, 2)),
], ids=str)
def test_the_shapes_that_are_counted_are_those_that_are_computed(part, shape, key):
    whole = Workload("part", shape, (part,), "sgd", 2, 2, 1)
    x = jnp.zeros((2, *shape), jnp.int32 if isinstance(part, Embedding) else jnp.float32)
    y, _ = optax_contestant.apply(optax_contestant.init(whole, key), whole, [], x, key)
    assert y.shape == (2, *part.after(shape))


@pytest.mark.parametrize("name", WORKLOADS)
def test_data_are_the_same_at_every_call(name):
    workload = replace(WORKLOADS[name], rows=12)
    (x, y), (x_again, y_again) = data(workload), data(workload)
    np.testing.assert_array_equal(x, x_again)
    np.testing.assert_array_equal(y, y_again)
    assert x.shape == (12, *workload.shape) and x.dtype == (np.float32 if workload.words is None else np.int32)
    assert y.shape == (12, workload.last.units) and y.dtype == np.float32


def test_rounds_cover_each_workload_with_whole_batches_where_state_is_carried():
    assert WORKLOADS["mlp"].steps == 469
    for workload in WORKLOADS.values():
        assert not workload.stateful or workload.rows % workload.batch == 0


@pytest.mark.every(3)
@pytest.mark.parametrize("contestant", [jaxseq_contestant, optax_contestant])
def test_a_contestant_trains_and_knows_its_versions(contestant):
    train = contestant.make(TINY)
    train(1)
    train(2)
    assert contestant.versions()["jax"] == jax.__version__


def test_the_hand_written_loop_learns(key):
    workload = replace(TINY, parts=(Dense(32, "relu"), Dropout(0.1), Dense(10, "softmax")), rows=100)
    optimizer, params = optax_contestant.transform("sgd"), optax_contestant.init(workload, key)
    step, training = optax_contestant.make_step(workload, optimizer), (params, optimizer.init(params), [], key)
    x, y = map(jnp.asarray, data(workload))
    for _ in range(300):
        training, (loss, hits) = step(training, jnp.zeros(2), x, y, np.arange(100))
    assert hits > 80 and loss / 100 < 1


def test_the_command_runs_to_its_end_where_no_contestant_is_installed(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--no-write"])
    runpy.run_path(str(peers.HERE), run_name="__main__")
    told = capsys.readouterr().out
    assert all(f"* {name}: `jaxseq`: " in told for name in (*WORKLOADS, "whole script"))
    assert all(f"* question: `{question}`: " in told for question in questions.QUESTIONS)


FULL = pytest.mark.full
TWO = {"guide-mlp": TINY, "conv1d": replace(WORKLOADS["conv1d"], rows=32, shape=(40, 4))}
SMALL = {scaling: {"ROWS": (200, 400), "LENGTHS": (4, 8), "SLABS": {"guide-mlp": 300}, "MEBIBYTES": (1, 2), "TIME_STEPS": 16},
         products: {"WORKLOADS": TWO, "SECONDS": 1e-4}, kernels: {"WORKLOADS": TWO},
         calls: {"CALLS": 2, "MODELS": (1, 2)}}
SIZES = {"rows": [200, 400], "lengths": [4, 8], "slabs": ["guide-mlp"], "streaming": [1, 2], "products": list(TWO),
         "kernels": list(TWO), "one_row": ["guide-mlp", "40 characters"], "models": [1, 2],
         "start": ["Python starts", "import jax", "import jaxseq", *startup.STAGES, "train, evaluate and all else",
                   "Python ends", "the whole script"]}


@pytest.mark.every(7)
@pytest.mark.parametrize("question", [
    "rows", "lengths", "slabs", pytest.param("streaming", marks=FULL), "products", "kernels", "one_row", "models",
    pytest.param("start", marks=FULL),
])
def test_every_question_is_answered_for_every_size(question, monkeypatch):
    assert set(SIZES) == set(questions.QUESTIONS)
    for module, settings in SMALL.items():
        for name, smaller in settings.items():
            monkeypatch.setattr(module, name, smaller)
    found = questions.answer(question, 1)
    assert [case["size"] for case in found] == SIZES[question]
    table, = answer_tables({question: found})
    least = {"products": -np.inf, "start": 0}.get(question, 1e-9)       # a product is timed once, on cores that have other work
    assert all(float(row[1].replace(",", "")) >= least for row in table.rows)


def test_the_bare_step_is_plain_gradient_descent():
    dense = layers.Dense(8, activation="relu", input_shape=(20,)), layers.Dense(10, activation="softmax")
    model = Sequential([dense[0], layers.Dropout(0.5), dense[1]], seed=0)
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    x, y = data(TINY)
    twin = Sequential(dense, seed=1)
    twin.compile(optimizers.SGD(bare.RATE), "categorical_crossentropy")
    twin.set_weights(model.get_weights())
    params, _ = bare.descent(bare.dry(model.programs.task))(model.train_state, Batch(x, y), 3)
    for _ in range(3):
        twin.train_on_batch(x, y)
    for got, wanted in zip(jax.tree.leaves(params), jax.tree.leaves(twin.train_state.params), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7)


def test_the_bare_step_is_timed_beside_fit():
    found = bare.shares(replace(TINY, epochs=1), 1)
    assert set(found) == {"with dropout", "without"} and all(share.low > 0 for share in found.values())


def test_kernels_are_what_holds_no_other_kernel():
    """A loop from 0 to 100 ns with two kernels, a branch with one, and a loop whose body another thread ran."""
    events = [("while.1", 0, 100, 7), ("dot.1", 10, 20, 7), ("cond.2", 40, 50, 7), ("fusion", 45, 10, 7), ("copy.3", 95, 5, 7),
              ("while.4", 100, 7, 8), ("fusion", 200, 1, 8)]
    found = [(*each[:2], round(1e9 * each.start), round(1e9 * each.end), run) for each, run in kernels.innermost(events)]
    assert found == [("dot.1", "products", 10, 30, 7), ("fusion", "draws", 45, 55, 7), ("copy.3", "copies", 95, 100, 7),
                     ("fusion", "others", 200, 201, 8)]


def test_every_moment_counts_once():
    """Two overlap by 2 us; 1 us lies between; then no kernel of this thread is at work for 9 us."""
    dispatch = [kernels.Kernel(kind, kind, 1e-6 * start, 1e-6 * end) for kind, start, end in [
        ("products", 0, 10), ("draws", 8, 14), ("others", 15, 16), ("others", 25, 26)]]
    found = [(kernel.kind, round(1e6 * own)) for kernel, own in kernels.shares(dispatch)]
    assert found == [("products", 10), ("draws", 4), ("between", 1), ("others", 1), ("shared", 9), ("others", 1)]


def test_a_moment_in_two_stages_counts_for_the_later_one():
    """Traced from 0 to 4, lowered from 3 to 6 (within which something is traced again), compiled from 6 to 8."""
    trace, lower, load = startup.STAGES.values()
    parts = startup.staged({trace: [(0, 4), (1, 2), (5, 5.5)], lower: [(3, 6)], load: [(6, 8)]}, 10.0)
    assert parts == {"trace": 3, "lower": 3, "compile or load": 2, "train, evaluate and all else": 2}


@pytest.mark.full
def test_an_ensemble_is_timed_beside_models_of_the_same_bits():
    how = argparse.Namespace(members=2, epochs=2, rounds=1, forms=False, quiet=None)
    (ratios, shares, same), = ensembles.compared(replace(ensembles.CASES["lstm"], rows=70), how).values()
    assert len(ratios) == len(shares) == 1 and same == 2


@pytest.mark.full
@pytest.mark.parametrize("kind", ["DataParallel", "FullySharded"])
def test_what_two_devices_send_is_read_from_the_program(kind):
    """The gradients once, and a little besides; of the weights in parts what is cut."""
    told = collectives.in_a_process("mlp", kind, 2)
    weights = 4 * (785 * 512 + 513 * 512 + 513 * 10)
    assert told["sent"]["all-reduce"] == pytest.approx(weights, rel=1e-3)
    assert ("all-gather" in told["sent"]) == (kind == "FullySharded")


def rounds(*milliseconds, steps=10):
    return [{"seconds": each * steps / 1000, "steps": steps} for each in milliseconds]


def test_ratios_are_taken_within_a_round():
    both = step_seconds(rounds(4, 40, 6)), step_seconds(rounds(2, 10, 6))
    assert ratio(*both) == pytest.approx((2, 1, 4))
    with pytest.raises(ValueError):
        ratio([1.0], [1.0, 2.0])


def test_compile_time_is_what_the_first_epoch_takes_beyond_a_warm_one():
    assert compile_seconds(3.0, [{"seconds": 4.0, "steps": 8}] * 3, epochs=2) == pytest.approx(1.0)


def test_the_floor_is_the_operations_at_the_rate_of_the_product():
    product = [{"seconds": 2.0, "steps": 5}]
    assert floor_rates(product) == [pytest.approx(2 * PRODUCT**3 / 0.4)]
    assert floor_seconds(PRODUCT**3, product) == [pytest.approx(0.2)]


@pytest.mark.parametrize("value, words", [
    (0, "0"), (0.000123456, "0.000123"), (0.0971, "0.0971"), (1, "1.00"), (3.051, "3.05"), (12.34, "12.3"),
    (351.2, "351"), (1325123, "1,325,123"),
])
def test_numbers_have_three_digits_that_count(value, words):
    assert number(value) == words


def made_up():
    """Results with jaxseq at 2 ms a step, and each peer slower than the one before; torch is missing."""
    contestants = {name: {"first": 3.001, "rounds": rounds(2 + place, 4 + 2 * place), "peak_mib": 300.0 + place}
                   for place, name in enumerate(PEERS) if name != "torch"}
    record = {"flops": 10**7, "batch": 10, "rows": 100, "steps": 10, "epochs": 1, "contestants": contestants,
              "floor": rounds(50, 50)}
    return {
        "date": "2026-01-02", "machine": {"processor": "Abacus", "cores": 2, "memory_gib": 8, "system": "An OS"}, "rounds": 2,
        "versions": {"jaxseq": {"python": "3.11", "jax": "0.10.1"}}, "workloads": {"guide-mlp": record},
        "scripts": {"jaxseq": [[2.0, 1.0], [2.0, 1.0]], "optax": [[3.0, 3.0], [5.0, 3.0]]},
        "answers": {"rows": [{"size": 1000, "us": 2.0}, {"size": 10_000, "us": 1.0}], "lengths": [{"size": 32, "ns": 5.0}],
                    "slabs": [{"size": "mlp", "device": 2.0, "slabs": 2.5, "ratios": [1.25, 1.0, 1.5]}],
                    "streaming": [{"size": 256, "before_mib": 200.0, "peak_mib": 230.0, "seconds": 1.0}]},
        "skipped": [["guide-mlp", "torch", "no module named torch"]],
    }


def test_the_report_shows_every_number_and_names_who_is_missing():
    text = report.markdown(made_up())
    assert "2026-01-02; Abacus, 2 cores, 8 GiB; An OS; 2 rounds." in text
    assert "* guide-mlp: `torch`: no module named torch" in text
    assert "* `jaxseq`: this library. python 3.11, jax 0.10.1." in text
    assert "| keras-jax | 4.50 | 2,222 | 1.50 | 1.50 to 1.50 | 2.96 | 301 | 1.00 |" in text
    assert "| optax | 4.00 | 2.00 | 1.50 to 2.50 | 3.00 | 3.00 | 3.00 to 3.00 |" in text
    assert "| mlp | 2.00 | 2.50 | 1.25 | 1.00 to 1.50 |" in text
    assert "| 10,000 | 1.00 | 0.500 |" in text and "| 256 | 200 | 230 | 30.0 |" in text
    for table in report.all_tables(made_up()):
        assert all(len(row) == len(table.columns) for row in table.rows)
        report.show(table)


def test_a_report_without_jaxseq_has_no_ratios_but_is_still_one():
    results = made_up()
    del results["workloads"]["guide-mlp"]["contestants"]["jaxseq"], results["scripts"]["jaxseq"]
    assert time_ratio(results["workloads"]["guide-mlp"], "optax") is None
    assert "| optax | 4.00 | - | - | 3.00 | - | - |" in report.markdown(results)


def test_the_plot_is_drawn_and_the_same_for_the_same_numbers(tmp_path):
    assert set(LOOKS) == set(PEERS) - {"jaxseq"}
    draw(made_up(), tmp_path / "one.svg")
    draw(made_up(), tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_text() == (tmp_path / "two.svg").read_text()


def child(code):
    return contextlib.closing(Child([sys.executable, "-c", code], {}))


def test_a_child_answers_line_by_line():
    with child("import sys\nfor line in sys.stdin: print(line, end='', flush=True)") as one:
        assert one.ask({"epochs": 2}, 10) == {"epochs": 2}


def test_a_child_that_dies_is_reported_with_its_last_words():
    with child("raise SystemExit('no compiler at /usr/bin/c++')") as one, pytest.raises(Fallen, match=r"compiler at c\+\+$"):
        one.answer(10)
    assert last_line("") == "no message"


def test_a_child_that_hangs_is_not_waited_for():
    with child("import time; time.sleep(60)") as one, pytest.raises(Fallen, match="no answer within 0 s"):
        one.answer(0.2)


def test_a_missing_environment_leaves_a_contestant_out_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr("peers.ENVIRONMENTS", tmp_path)
    said = []
    found, fallen = turns.race(TINY, ["jaxseq", "torch"], 1, said.append)
    assert found == {} and set(fallen) == {"jaxseq", "torch", "floor"}
    assert "the environment 'torch' is missing; make it with: python benchmarks/environments.py" in fallen["torch"]


def test_turns_move_on_by_one():
    assert [turns.rotated(["a", "b", "c"], number) for number in (0, 1, 5)] == [list("abc"), list("bca"), list("cab")]
    assert turns.rotated([], 3) == []
