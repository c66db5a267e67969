"""The layers that change images, for the contract: (id, layer, batch input shape, dtype)."""

from jaxseq.core.layer import Layer
from jaxseq.core.layers.image_crops import CenterCrop, RandomCrop
from jaxseq.core.layers.random_colors import RandomBrightness, RandomContrast
from jaxseq.core.layers.random_geometry import RandomFlip, RandomRotation, RandomTranslation, RandomZoom

IMAGES, FIRST = (3, 5, 4, 2), (3, 2, 5, 4)

CASES: list[tuple[str, Layer, tuple[int, ...], str]] = [
    ("random_flip", RandomFlip(seed=1), IMAGES, "float32"),
    ("random_flip_first", RandomFlip("horizontal", seed=2, data_format="channels_first"), FIRST, "float32"),
    ("random_translation", RandomTranslation(0.3, (0.1, 0.4)), IMAGES, "float32"),
    ("random_translation_constant", RandomTranslation(0.3, 0.2, "constant", "nearest", 1, -1.0), IMAGES, "float32"),
    ("random_rotation", RandomRotation(0.2), IMAGES, "float32"),
    ("random_rotation_first", RandomRotation((-0.1, 0.5), "wrap", data_format="channels_first"), FIRST, "float32"),
    ("random_zoom", RandomZoom(0.4), IMAGES, "float32"),
    ("random_zoom_nearest", RandomZoom((-0.5, 0.2), 0.3, "nearest"), IMAGES, "float32"),
    ("random_contrast", RandomContrast(0.5, (-9, 9)), IMAGES, "float32"),
    ("random_contrast_clipped", RandomContrast((0.1, 0.9), (-1, 1), data_format="channels_first"), FIRST, "float32"),
    ("random_brightness", RandomBrightness((-0.5, 0.1), (-5, 5)), IMAGES, "float32"),
    ("random_crop", RandomCrop(3, 2, 3), IMAGES, "float32"),
    ("random_crop_first", RandomCrop(5, 3, 1, "channels_first"), FIRST, "float32"),
    ("center_crop", CenterCrop(2, 3), IMAGES, "float32"),
    ("center_crop_larger", CenterCrop(7, 3), IMAGES, "float32"),
]
