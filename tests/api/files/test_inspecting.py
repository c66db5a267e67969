"""`python -m jaxseq inspect`: what is in a file, without building anything."""

import pytest
from small import X, Y, perceptron, with_config

from jaxseq.__main__ import main
from jaxseq.api.files import inspecting
from jaxseq.api.files.rebuilt import Rebuilder
from jaxseq.callbacks import BackupAndRestore
from jaxseq.layers import Dense
from jaxseq.models import FileRejected


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_whole_model_tells_its_layers_its_training_and_its_arrays(tmp_path, name, capsys):
    path = tmp_path / name
    perceptron().save(path)
    found = inspecting.inspected(path)
    assert [kind for kind, _, _ in found.layers if kind != "InputLayer"] == ["Dense", "BatchNormalization", "Dense"]
    assert found.compiled["loss"] == "sparse_categorical_crossentropy" and found.origin["keras_version"] == "3.15.1"
    assert any(shape == (4, 6) and dtype == "float32" for _, shape, dtype in found.arrays)
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "BatchNormalization" in out and "units=6" in out and "sparse_categorical_crossentropy" in out


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.safetensors"])
def test_weights_tell_their_arrays(tmp_path, name):
    path = tmp_path / name
    perceptron().save_weights(path)
    shapes = [shape for _, shape, _ in inspecting.inspected(path).arrays]
    assert (4, 6) in shapes and (6, 3) in shapes


def test_a_checkpoint_tells_where_the_run_stands(tmp_path, capsys):
    keep = BackupAndRestore(tmp_path / "run", delete_checkpoint=False)
    perceptron().fit(X, Y, epochs=2, verbose=0, callbacks=[keep])
    found = inspecting.inspected(tmp_path / "run")
    assert found.origin["epoch"] == 2 and found.origin["seed"] == 0
    assert ("state['params']['dense']['kernel']", (4, 6), "float32") in found.arrays
    assert main(["inspect", str(tmp_path / "run")]) == 0 and "BackupAndRestore" in capsys.readouterr().out


def test_nothing_is_built(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    perceptron().save(path)
    monkeypatch.setattr(Rebuilder, "__init__", lambda *_: pytest.fail("a model is made"))
    monkeypatch.setattr(Dense, "__init__", lambda *_, **__: pytest.fail("a layer was made"))
    assert inspecting.inspected(path).layers


def test_a_damaged_file_and_one_of_another_kind_are_refused(tmp_path, capsys):
    path, other = tmp_path / "m.keras", tmp_path / "m.png"
    perceptron().save(path)
    path.write_bytes(path.read_bytes()[:-30])
    other.write_bytes(b"\x89PNG")
    for each in path, other, tmp_path:
        with pytest.raises(FileRejected):
            inspecting.inspected(each)
        assert main(["inspect", str(each)]) == 1 and "Refused:" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "nothing.keras")]) == 1


def test_what_a_file_says_does_nothing_to_the_terminal(tmp_path, capsys):
    path = tmp_path / "m.keras"
    perceptron().save(path)

    def rename(config):
        config["config"]["layers"][1]["config"]["name"] = "\x1b[31m[bold]x"

    path.write_bytes(with_config(path, rename))
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "[bold]x" in out
