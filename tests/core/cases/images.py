"""The layers that change images, for the contract: (id, layer, batch input shape, dtype)."""

from jaxseq.core.layer import Layer
from jaxseq.core.layers.image_crops import CenterCrop, RandomCrop
from jaxseq.core.layers.random_colors import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomHue,
    RandomSaturation,
)
from jaxseq.core.layers.random_effects import RandomGrayscale, RandomInvert, RandomSharpness, Solarization
from jaxseq.core.layers.random_geometry import RandomFlip, RandomRotation, RandomShear, RandomTranslation, RandomZoom

COLORS, IMAGES, FIRST = (3, 5, 4, 3),  (3, 5, 4, 2), (3, 2, 5, 4)

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
    ("random_shear", RandomShear(0.3, 0.2), IMAGES, "float32"),
    ("random_shear_first", RandomShear((0.1, 0.9), fill_mode="wrap", data_format="channels_first"), FIRST, "float32"),
    ("random_saturation", RandomSaturation(0.9, (-9, 9)), COLORS, "float32"),
    ("random_hue", RandomHue(0.5, (-9, 9)), COLORS, "float32"),
    ("random_color_degeneration", RandomColorDegeneration(0.9, (-9, 9)), COLORS, "float32"),
    ("random_color_jitter", RandomColorJitter((-4, 4), 0.1, 0.2, (0.4, 0.6), 0.1), COLORS, "float32"),
    ("random_grayscale", RandomGrayscale(seed=1), COLORS, "float32"),
    ("random_invert", RandomInvert((0.5, 0.5), (-9, 9), 1), IMAGES, "float32"),
    ("solarization", Solarization(0.2, (0.4, 0.7), (-3, 3)), IMAGES, "float32"),
    ("random_sharpness", RandomSharpness(0.9, (-9, 9), "channels_first"), FIRST, "float32"),
    ("center_crop", CenterCrop(2, 3), IMAGES, "float32"),
    ("center_crop_larger", CenterCrop(7, 3), IMAGES, "float32"),
]
