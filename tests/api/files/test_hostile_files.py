"""What a reader does beside refusing harm: damage is noticed, odd and sound files are read, and nothing is made too early.

The files that mean harm stand in tests/reliability/, where all of them are opened under watch.
"""

import json
import tracemalloc

import numpy as np
import pytest
from small import parts, perceptron, with_config, with_weights

from jaxseq.api.files import plain_json
from jaxseq.layers import AdaptiveAveragePooling1D, AdaptiveMaxPooling1D
from jaxseq.models import FileRejected, Sequential, load_model

KERNEL = "layers/dense/vars/0"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A sound file, and the model it came from."""
    path = tmp_path_factory.mktemp("good") / "good.keras"
    model = perceptron()
    model.save(path)
    return path, model


def test_the_extent_is_measured_outside_of_text():
    assert plain_json.measured(b'{"a[[[": [1, "\\"[[[{{", {"b": []}]}') == (4, 7)
    assert plain_json.measured(b'["abc", "\\\\", ""]') == (1, 3)


def test_a_file_that_ends_too_soon_is_refused(good, tmp_path):
    model, before = good[1], good[1].fingerprint()
    held = parts(good[0])["model.weights.h5"]
    for content, name in (good[0].read_bytes(), "bad.keras"), (held, "bad.weights.h5"):
        for end in range(0, len(content) - 1, len(content) // 24):
            (tmp_path / name).write_bytes(content[:end])
            with pytest.raises(FileRejected):
                model.load_weights(tmp_path / name)
    assert model.fingerprint() == before


def test_nan_is_told(good, tmp_path):
    (tmp_path / "m.keras").write_bytes(with_weights(good[0], lambda root: root[KERNEL].__setitem__((0, 0), np.nan)))
    with pytest.warns(UserWarning, match=f"{KERNEL}: holds NaN or infinity"):
        load_model(tmp_path / "m.keras")


def test_numbers_of_other_widths_and_orders_are_read(good, tmp_path):
    for kind in "<f8", ">f4", "<f2":
        def change(root, kind=kind):
            values = root[KERNEL][()]
            del root[KERNEL]
            root[KERNEL] = values.astype(kind)

        (tmp_path / "m.keras").write_bytes(with_weights(good[0], change))
        assert np.abs(load_model(tmp_path / "m.keras").get_weights()[0] - good[1].get_weights()[0]).max() < 1e-3


def test_a_file_that_is_not_there_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "m.keras")
    with pytest.raises(FileNotFoundError):
        perceptron().load_weights(tmp_path / "m.weights.h5")


def test_json_is_written_as_keras_writes_it(good):
    held = parts(good[0])
    assert list(held) == ["metadata.json", "config.json", "model.weights.h5"]
    assert set(json.loads(held["metadata.json"])) == {"keras_version", "date_saved"}


def test_a_pooling_of_any_size_makes_no_table_before_it_is_used(good, tmp_path):
    path = tmp_path / "m.keras"
    model = Sequential([AdaptiveAveragePooling1D(3, input_shape=(7, 1)), AdaptiveMaxPooling1D(2)])
    model.save(path)
    path.write_bytes(with_config(path, lambda config: (config["config"]["layers"][1]["config"].update(output_size=10**9),
                                                       config["config"]["layers"][2]["config"].update(output_size=10**8))[2:]))
    tracemalloc.start()
    again = load_model(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert again.output_shape == (None, 10**8, 1) and peak < 2**24
