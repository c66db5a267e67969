"""Every code block of the guide to the Sequential model runs with `keras` replaced by `jaxseq`.

The guide itself is not part of the project; where it is absent, these tests are skipped.
"""

import re
from pathlib import Path

import numpy as np
import pages
import pytest

import jaxseq
from jaxseq.core.layers import Conv2D, Embedding

GUIDE = Path(__file__).parents[2] / "shared" / "guide"
TEXTS = sorted(GUIDE.glob("*.txt"))


def blocks(text: Path) -> list[str]:
    """The Python blocks of a page, in order, in jaxseq's name."""
    return [re.sub(r"\bkeras\b", "jaxseq", block) for block in pages.blocks(text.read_text())]


def prelude() -> dict:
    """What the page's readers have imported by the time a block leaves it out."""
    from jaxseq.layers import Activation, Dense
    from jaxseq.models import Sequential

    return {"jaxseq": jaxseq, "Sequential": Sequential, "Dense": Dense, "Activation": Activation}


def arrays_for(block: str) -> dict:
    """Data for a block that fits without making any: token ids for an Embedding, sequences for a Conv1D."""
    generator = np.random.default_rng(0)
    if "x_train" not in block or "x_train =" in block:
        return {}
    ids, sequences = (lambda n: generator.integers(1024, size=(n, 80))), (lambda n: generator.random((n, 64, 100)))
    draw = ids if "Embedding(" in block else sequences
    return {"x_train": draw(64), "y_train": generator.integers(2, size=(64, 1)),
            "x_test": draw(16), "y_test": generator.integers(2, size=(16, 1))}


@pytest.mark.skipif(not TEXTS, reason="the guide's texts are not here")
@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_every_block_of_the_guide_runs(text, capsys):
    names = prelude()
    fitted = 0
    for block in blocks(text):
        if "Conv2D" in block:
            block = block.replace("epochs=10", "epochs=1")
        exec(compile(block, text.name, "exec"), names | arrays_for(block), local := {})
        names |= local
        if "model.fit(" in block:
            fitted += 1
            history = names["model"].history.history
            assert np.isfinite(history["loss"]).all()
            assert len(history["loss"]) == names["model"].history.params["epochs"]
            assert ("accuracy" in history) == (not any(isinstance(layer, Conv2D) for layer in names["model"].layers))
            assert not any(isinstance(layer, Embedding) for layer in names["model"].layers) or len(history["loss"]) == 10
    assert fitted >= 1
    assert "Epoch 1/" in capsys.readouterr().out


@pytest.mark.skipif(not TEXTS, reason="the guide's texts are not here")
def test_the_guide_declares_inputs_as_its_text_says():
    names = prelude()
    second = next(text for text in TEXTS if "input\\_length" in text.read_text())
    for block in blocks(second)[:4]:
        exec(block, names)
        if "input_length" in block:
            assert names["model"].input_shape == (None, 784)
    assert names["model"].input_shape == (32, 6, 8)
