"""Models: `from jaxseq.models import Sequential`."""

from jaxseq.api.copies import clone_model as clone_model, model_from_json as model_from_json
from jaxseq.api.files.loading import load_model as load_model
from jaxseq.api.files.methods import save_model as save_model
from jaxseq.api.files.refusal import FileRejected as FileRejected
from jaxseq.api.functional import Functional as Functional
from jaxseq.api.sequential import Sequential as Sequential
