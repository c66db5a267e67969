"""Two processes that are asked for different things: all of them say so, and none waits for ever."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxseq.api import hosts

pytestmark = pytest.mark.full

PROGRAM = Path(__file__).with_name("on_hosts_apart.py")
SHORTER = ("RuntimeError: The data of process 1 ended after {0} batches of this pass, those of process 0 go on. All processes "
           "give as many: let a DistributedSampler(drop_last=True) deal the rows, or say steps_per_epoch={0}.")
ALL_TRAIN = "ValueError: The processes do not train the same. "
WHOLE = "Every process passes the same whole arrays; a loader alone gives each its part."
FROM_ONE = "Process 1 has raised OSError: the disk is gone"


@pytest.fixture(scope="module")
def came(tmp_path_factory):
    """{case: what came of it}, of both processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    surroundings = {**os.environ, "JAXSEQ_CACHE": "0", "PYTHONPATH": str(Path(hosts.__file__).parents[2])}
    told = port, str(tmp_path_factory.mktemp("files"))
    processes = [subprocess.Popen([sys.executable, PROGRAM, str(number), *told], env=surroundings, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) for number in range(2)]
    told = [each.communicate(timeout=240) for each in processes]
    assert [each.returncode for each in processes] == [0, 0], told
    return [dict(line.split(maxsplit=1) for line in out.splitlines() if " " in line) for out, _ in told]


@pytest.mark.parametrize("case", ["seedless", "first_drawn", "nested_seed"])
def test_a_seed_that_nobody_wrote_is_the_same_everywhere(came, case):
    first, second = (each[case] for each in came)
    assert first == second and "Error" not in first


def test_the_seed_that_was_agreed_on_gives_the_weights_again(came):
    assert [each["rebuilt"] for each in came] == ["True", "True"]


@pytest.mark.parametrize(("case", "said"), [
    ("drawn_apart", ALL_TRAIN + "weights: "),
    ("set_apart", ALL_TRAIN + "weights: "),
    ("other_seed", ALL_TRAIN + "seed: 0 in process 0; 1 in process 1. Write the seed, Sequential(..., seed=0), or compile"),
    ("other_units", ALL_TRAIN + 'layer dense: ["Dense", {"name": "dense", "units": 8, "activation": "relu"}] in process 0; '),
    ("other_loss_weight", ALL_TRAIN + "compile(loss_weights=): 1.0 in process 0; 2.0 in process 1. Run the same script in all"),
    ("fewer_rows", ALL_TRAIN + f"x: 48 rows in process 0; 32 rows in process 1. {WHOLE}"),
    ("own_part", ALL_TRAIN + "x, content: "),
    ("own_part_at_once", ALL_TRAIN + "x, content: "),
    ("epochs", ALL_TRAIN + "epochs: [0, 2] in process 0; [0, 3] in process 1."),
    ("hooks", ALL_TRAIN + "batch hooks: false in process 0; true in process 1. Pass the same callbacks everywhere;"),
    ("measured_rows", ALL_TRAIN + f"x: 48 rows in process 0; 32 rows in process 1. {WHOLE}"),
    ("predicted_rows", ALL_TRAIN + f"x: 48 rows in process 0; 32 rows in process 1. {WHOLE}"),
    ("shorter_length", ALL_TRAIN + "batches of the loader: 5 in process 0; 2 in process 1. All loaders give as many"),
    ("shorter", SHORTER.format(2)),
    ("validation", SHORTER.format(1)),
    ("rows_of_a_batch", "ValueError: Batch 0 of the data, counted from 0: 4 rows of x (20,) float32, y () int32, sample_weight "
     "nothing in process 0; 2 rows of x (20,) float32, y () int32, sample_weight nothing in process 1. All processes give"),
    ("predicted_parts", "ValueError: Batch 0 of the data, counted from 0: 4 rows of x (20,) float32, content "),
])
def test_what_differs_is_said_in_all_processes(came, case, said):
    first, second = (each[case] for each in came)
    assert first.startswith(said) and first == second


def test_nothing_was_trained_before_that(came):
    assert [each["steps_so_far"] for each in came] == ["0", "0"]
    assert [each["steps_of_shorter"] for each in came] == ["2", "2"]


@pytest.mark.parametrize(("case", "own", "told"), [
    ("wrong_in_one", "ValueError: x has shape (48, 7)", "Process 1 has raised ValueError: x has shape (48, 7)"),
    ("raises", "OSError: the disk is gone", f"{FROM_ONE} In batch 2 of the data, counted from 0."),
    ("raises_first", "OSError: the disk is gone", f"{FROM_ONE} In batch 0 of the data, counted from 0."),
    ("raises_at_length", "OSError: öö", "Process 1 has raised OSError: öö"),
])
def test_what_one_process_has_raised_ends_the_others(came, case, own, told):
    first, second = (each[case] for each in came)
    assert first.startswith(f"RuntimeError: {told}") and second.startswith(own)


@pytest.mark.parametrize(("case", "said"), [("ended_together", "2"), ("quiet_in_one", "2"), ("alone", "1")])
def test_what_may_differ_goes_on(came, case, said):
    assert [each[case] for each in came] == [said, said]


def test_a_smaller_last_batch_counts_no_row_twice(came):
    assert [each["smaller_last"] for each in came] == ["True", "True"]


def test_a_model_in_parts_is_saved_once_all_go_on(came):
    assert [each["saved"] for each in came] == ["4", "4"]
    assert [each["exported"] for each in came] == ["True", "True"]


@pytest.mark.parametrize("case", ["saved_again", "exported_again"])
def test_a_file_that_is_there_is_an_error_in_all_processes(came, case):
    first, second = (each[case] for each in came)
    assert first.startswith("FileExistsError: ") and second.startswith("RuntimeError: Process 0 has raised FileExistsError: ")


def test_a_model_in_parts_is_pickled_whole(came):
    assert [each["pickled"] for each in came] == ["True", "True"]


def test_processes_that_are_joined_too_late_are_told_so():
    jax.devices()
    with pytest.raises(RuntimeError, match=r"initialize\(\) comes too late: .*before the first model, array, list_devices"):
        hosts.initialize("127.0.0.1:1", 2, 0)


@pytest.mark.parametrize("case", ["by_names", "then_sharded", "then_whole", "then_on_one_device"])
def test_a_model_in_parts_goes_on_where_it_is_spread_otherwise(came, case):
    assert [each[case] for each in came] == ["True", "True"]
