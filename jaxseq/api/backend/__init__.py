"""`K`: the functions that Keras users call inside their own metrics, losses and Lambda layers.

    from jaxseq import backend as K

    def mean_pred(y_true, y_pred):
        return K.mean(y_pred)

Names, arguments and meaning are those of Keras 2. Every function is pure: arrays in, arrays out. They take JAX arrays,
NumPy arrays, lists and numbers, work inside and outside of `jax.jit` and `jax.grad`, and promote mixed dtypes
themselves, so they also work under `jax_numpy_dtype_promotion="strict"`.

What Keras kept in a global graph, session or generator has no counterpart here; those names (`K.learning_phase`,
`K.set_value`, `K.function`, ...) raise an error that says what to write instead.
"""

# The star imports are the point of this file: each module lists what it offers in its own `__all__`.
# ruff: noqa: F403

from jaxseq.api.backend import create, draws, dtypes, elementwise, nn, reduce, session, shapes
from jaxseq.api.backend.create import *
from jaxseq.api.backend.draws import *
from jaxseq.api.backend.dtypes import *
from jaxseq.api.backend.elementwise import *
from jaxseq.api.backend.nn import *
from jaxseq.api.backend.reduce import *
from jaxseq.api.backend.session import *
from jaxseq.api.backend.shapes import *

__all__: list[str] = []
__all__ += create.__all__
__all__ += draws.__all__
__all__ += dtypes.__all__
__all__ += elementwise.__all__
__all__ += nn.__all__
__all__ += reduce.__all__
__all__ += session.__all__
__all__ += shapes.__all__
