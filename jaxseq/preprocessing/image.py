"""Images made ready for a model, as in Keras 2: `from jaxseq.preprocessing.image import ImageDataGenerator`."""

from jaxseq.api.preprocessing.affine import (
    apply_affine_transform as apply_affine_transform,
    apply_brightness_shift as apply_brightness_shift,
    apply_channel_shift as apply_channel_shift,
    flip_axis as flip_axis,
)
from jaxseq.api.preprocessing.image_folders import image_dataset_from_directory as image_dataset_from_directory
from jaxseq.api.preprocessing.image_generator import ImageDataGenerator as ImageDataGenerator
from jaxseq.api.preprocessing.image_iterators import Iterator as Iterator
from jaxseq.api.preprocessing.images import (
    array_to_img as array_to_img,
    img_to_array as img_to_array,
    load_img as load_img,
    save_img as save_img,
)
from jaxseq.api.preprocessing.random_images import (
    random_brightness as random_brightness,
    random_channel_shift as random_channel_shift,
    random_rotation as random_rotation,
    random_shear as random_shear,
    random_shift as random_shift,
    random_zoom as random_zoom,
)
