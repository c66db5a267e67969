"""Pictures, by matplotlib: `from jaxseq import plotting; plotting.confusion_matrix(y, model.predict(x))`."""

from jaxseq.api.showing.pictures import (
    activations as activations,
    confusion_matrix as confusion_matrix,
    image_grid as image_grid,
    weights as weights,
)
