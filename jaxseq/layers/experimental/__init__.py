"""Where TensorFlow 2 has its preprocessing layers. Here they are in jaxseq.layers."""

from jaxseq.layers.experimental import preprocessing as preprocessing
