"""What README.md shows is true: its Python blocks run in order in one namespace, its commands and its links exist."""

import re

import numpy as np
import pages
import pytest
from pages import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^    ([\w./-]+ [\w -]+?)(?:\s+#.*)?$", re.sub(r"```.*?```", "", README, flags=re.S), re.M)


@pytest.fixture(scope="module")
def names():
    """The namespace that the blocks leave behind."""
    found: dict = {}
    pages.run(ROOT / "README.md", found, 1)
    found["first"] = found["model"]
    for number in 2, 3, 4, 5:
        pages.run(ROOT / "README.md", found, number)
    return found


def test_the_first_two_commands_are_demo_and_test():
    assert COMMANDS == ["make demo", "make test"]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    assert {"demo", "test"} <= set(targets)


def test_every_block_runs(names, capsys):
    assert len(pages.blocks(README)) == 5
    x, y = names["x_test"], names["y_test"]
    assert names["first"].evaluate(x, y, verbose=0)[1] > 0.9
    assert len(names["history"].history["val_accuracy"]) == 20


def test_the_functional_view_is_what_it_says(names):
    gradients, per_row = names["gradients"], names["per_row"]
    assert gradients["dense"]["kernel"].shape == (64, 32) and per_row["dense"]["kernel"].shape == (360, 64, 32)
    mean = np.mean(per_row["dense"]["kernel"], axis=0)
    np.testing.assert_allclose(mean, gradients["dense"]["kernel"], rtol=1e-3, atol=1e-4)


def test_a_layer_of_ones_own_gets_what_is_promised(names):
    from jaxseq.models import Sequential

    model = names["model"]
    scale = model.layers[0]
    assert repr(scale).startswith("Scale(first=0.5") and scale.output_shape == (None, 64)
    np.testing.assert_array_equal(scale.get_weights()[0], np.full(64, 0.5, "float32"))
    again = Sequential.from_config(model.get_config(), {"Scale": names["Scale"]})
    assert again.layers == model.layers
    scale.trainable = False
    assert model.count_trainable_params() == 64 * 10 + 10


def test_a_layer_in_keras_s_way_carries_its_state(names):
    linear = names["linear"]
    linear.compile("sgd", "sparse_categorical_crossentropy")
    linear.fit(names["x_test"], names["y_test"], batch_size=72, verbose=0)
    assert [each.shape for each in linear.layers[0].get_weights()] == [(64, 32), ()]
    assert linear.layers[0].get_weights()[1] == 5


@pytest.mark.parametrize("link", pages.links(README))
def test_the_files_it_points_to_are_there(link):
    assert (ROOT / link).is_file()


@pytest.mark.parametrize("file", re.findall(r"`((?:core|api)/[\w/]+\.py)`", README))
def test_the_code_it_names_is_there(file):
    assert (ROOT / "jaxseq" / file).is_file()


def test_the_extras_it_names_are_declared():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"\[(cuda|tpu|notebook)\]", README)) <= set(extras)
