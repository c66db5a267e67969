"""Layers: `from jaxseq.layers import Dense`. `Layer` is the base for a layer of your own."""

from jaxseq.api.preprocessing.lookup import IntegerLookup as IntegerLookup, StringLookup as StringLookup
from jaxseq.api.preprocessing.vectorization import TextVectorization as TextVectorization
from jaxseq.core.keras_style import InputSpec as InputSpec
from jaxseq.core.layer import Layer as Layer
from jaxseq.core.layers import *  # noqa: F403
from jaxseq.core.layers.cells import Cell as Cell
from jaxseq.core.types import Ctx as Ctx
