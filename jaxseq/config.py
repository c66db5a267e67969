"""What Keras keeps for the whole program, and jaxseq does not: `from jaxseq import config`."""

from jaxseq.api.backend.dtypes import (
    epsilon as epsilon,
    floatx as floatx,
    image_data_format as image_data_format,
    set_epsilon as set_epsilon,
    set_floatx as set_floatx,
    set_image_data_format as set_image_data_format,
)
from jaxseq.api.policies import dtype_policy as dtype_policy, set_dtype_policy as set_dtype_policy
