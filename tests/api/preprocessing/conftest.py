"""Images to try."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def images():
    """(12, 8, 8, 3) float32, smooth, from 0 to 255."""
    rows, columns = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    draw = np.random.default_rng(0)
    waves = [[np.sin(a * rows + b * columns + c) for a, b, c in draw.uniform(0, 1, (3, 3))] for _ in range(12)]
    return (127.5 * (1 + np.moveaxis(np.float32(waves), 1, -1))).astype("float32")


@pytest.fixture
def folder(tmp_path):
    """cats with 5 images of several sizes and kinds, dogs with 3, one of them a folder deeper."""
    draw = np.random.default_rng(1)
    paths = ["cats/b.png", "cats/a.jpg", "cats/c.bmp", "cats/D.PNG", "cats/e.jpeg",
             "dogs/2.png", "dogs/1.png", "dogs/more/0.png"]
    for number, path in enumerate(paths):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shape = (9 + number, 12 - number, 3) if number != 2 else (7, 6)
        Image.fromarray(draw.integers(0, 256, shape).astype("uint8")).save(tmp_path / path)
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    return tmp_path
