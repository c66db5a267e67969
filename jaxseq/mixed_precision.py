"""Number formats of models and layers: `from jaxseq.mixed_precision import DTypePolicy`."""

from jaxseq.api.policies import (
    dtype_policy as dtype_policy,
    global_policy as global_policy,
    set_dtype_policy as set_dtype_policy,
    set_global_policy as set_global_policy,
)
from jaxseq.core.optimizers import LossScaleOptimizer as LossScaleOptimizer
from jaxseq.core.policy import DTypePolicy as DTypePolicy

Policy = DTypePolicy        # the name in Keras 2.4 and later
