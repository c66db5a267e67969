"""Every layer's exported program is lowered for every platform, and gives what predict gives."""

import copy
import os
import sys
from pathlib import Path

import pytest
from exported import assert_is_predict, read
from shares import always

from jaxseq import layers
from jaxseq.models import Sequential

sys.path.insert(0, os.fspath(Path(__file__).parents[2] / "core"))
from cases import basic, convolution, images, own, recurrent  # noqa: E402

sys.path.pop(0)
pytestmark = pytest.mark.usefixtures("quickly_compiled")    # every program runs twice
CASES = [case for module in (basic, convolution, images, own, recurrent) for case in module.CASES]
STATEFUL = {"simple_rnn_all", "simple_rnn_cell", "gru_cell", "lstm_cell", "stacked_rnn_cells", "conv_lstm2d_channels_first",
            *(name for name, *_ in CASES if "stateful" in name)}
PLATFORMS = "cpu", "cuda", "tpu"


def in_a_model(layer, shape, dtype):
    return Sequential([layers.InputLayer(batch_input_shape=(None, *shape[1:]), dtype=dtype), copy.deepcopy(layer)], seed=3)


STATELESS = [case for case in CASES if case[0] not in STATEFUL and not isinstance(case[1], layers.InputLayer)]
QUICK = [case for case in STATELESS if case[0] in ("dense", "conv2d", "batch_normalization", "lstm", "embedding", "dropout")]


@pytest.mark.parametrize("case", always(QUICK, STATELESS), ids=lambda case: case[0])
def test_every_layer_gives_what_predict_gives(case, tmp_path):
    _, layer, shape, dtype = case
    model = in_a_model(layer, shape, dtype)
    model.export(tmp_path / "m")
    program = read(tmp_path / "m")
    assert program.platforms == PLATFORMS
    assert str(program.in_avals[0].shape[0]) == "batch" and program.in_avals[0].dtype == dtype
    assert program.out_avals[0].shape[1:] == model.output_shape[1:]
    assert_is_predict(model, program, (1, *shape[1:]), (7, *shape[1:]))
