"""`.safetensors`: weights under their paths, with a hash that notices what the format does not."""

import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small import X, perceptron

from jaxseq.layers import Dense
from jaxseq.models import FileRejected, Sequential


def test_weights_come_back_and_any_reader_finds_them_by_their_paths(tmp_path):
    path, model = tmp_path / "w.safetensors", perceptron()
    model.fit(X, np.zeros(len(X)), verbose=0)
    model.save_weights(path)
    found = load_file(path)
    assert found.keys() == {"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias", *(
        f"batch_normalization/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance"))}
    np.testing.assert_array_equal(found["dense/kernel"], model.params["dense"]["kernel"])
    wanted, other = model.get_weights(), perceptron(seed=1)
    other.load_weights(path)
    for one, another in zip(wanted, other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, another)


def test_bfloat16_weights_come_back_as_they_are(tmp_path):
    path = tmp_path / "w.safetensors"
    model, other = (Sequential([Dense(3, input_shape=(2,), dtype="bfloat16")], seed=seed) for seed in (0, 1))
    model.save_weights(path)
    other.load_weights(path)
    assert other.get_weights()[0].dtype.name == "bfloat16"
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_a_file_of_others_is_read_without_a_hash(tmp_path):
    path, model = tmp_path / "w.safetensors", Sequential([Dense(2, input_shape=(3,))], seed=0)
    kernel = np.arange(6, dtype=np.float32).reshape(3, 2)
    save_file({"dense/kernel": kernel, "dense/bias": np.ones(2, np.float32)}, path)
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


def test_every_flipped_bit_is_noticed(tmp_path):
    path, model = tmp_path / "w.safetensors", perceptron()
    model.save_weights(path)
    whole, before = path.read_bytes(), model.fingerprint()
    for place in np.random.default_rng(0).choice(8 * len(whole), 400, replace=False):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            model.load_weights(path)
        except FileRejected:
            assert model.fingerprint() == before
        else:       # a bit of the header that says the same: white space, the format's name
            assert model.fingerprint() == before, f"bit {place} made other weights"


@pytest.mark.parametrize("content", [b"", b"\0" * 8, struct.pack("<Q", 2**60) + b"{}", b"\xff" * 64,
                                     struct.pack("<Q", 2) + b"{}" + b"x"])
def test_what_is_no_such_file_is_refused(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileRejected, match=r"w\.safetensors"):
        perceptron().load_weights(path)


def test_weights_of_another_model_are_refused_by_name_or_skipped(tmp_path):
    path, model = tmp_path / "w.safetensors", perceptron()
    perceptron(units=5).save_weights(path)
    before = model.fingerprint()
    with pytest.raises(FileRejected, match=r"dense/kernel has shape \(4, 5\), the model's \(4, 6\)"):
        model.load_weights(path)
    assert model.fingerprint() == before
    with pytest.warns(UserWarning, match="left as they are: dense/kernel"):
        model.load_weights(path, skip_mismatch=True)
    model.trainable, model.train_state = True, perceptron().train_state
