"""Several devices and hosts: `from jaxseq.distribution import DataParallel`."""

from jaxseq.api.distribution.layouts import (
    LayoutMap as LayoutMap,
    TensorLayout as TensorLayout,
    distribute_tensor as distribute_tensor,
)
from jaxseq.api.distribution.meshes import (
    DeviceMesh as DeviceMesh,
    get_device_count as get_device_count,
    list_devices as list_devices,
)
from jaxseq.api.distribution.strategies import (
    DataParallel as DataParallel,
    Distribution as Distribution,
    FullySharded as FullySharded,
    ModelParallel as ModelParallel,
    distribution as distribution,
    set_distribution as set_distribution,
)
from jaxseq.api.hosts import initialize as initialize
