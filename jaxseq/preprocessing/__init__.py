"""Data made ready for a model: `from jaxseq.preprocessing.image import ImageDataGenerator`."""

from jaxseq.preprocessing import image as image
