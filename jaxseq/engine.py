"""Where Keras 2 has its inner classes, which its users imported."""

raise ImportError("jaxseq.engine: write from jaxseq.layers import Layer, Input or from jaxseq.models import Sequential. A "
                  "layer of your own has init and apply: see jaxseq.layers.Layer.")
