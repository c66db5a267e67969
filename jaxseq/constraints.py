"""Rules for weights after an update: `from jaxseq.constraints import max_norm`."""

from jaxseq.core.constraints import (
    Constraint as Constraint,
    MaxNorm as MaxNorm,
    MinMaxNorm as MinMaxNorm,
    NonNeg as NonNeg,
    UnitNorm as UnitNorm,
    get as get,
    max_norm as max_norm,
    maxnorm as maxnorm,
    min_max_norm as min_max_norm,
    non_neg as non_neg,
    nonneg as nonneg,
    unit_norm as unit_norm,
    unitnorm as unitnorm,
)
from jaxseq.core.declared import to_config

serialize, deserialize = to_config, get
