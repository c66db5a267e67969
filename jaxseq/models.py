"""Models: `from jaxseq.models import Sequential`."""

from jaxseq.api.body import Functional as Functional
from jaxseq.api.sequential import Sequential as Sequential
