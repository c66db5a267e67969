"""Callbacks: `from jaxseq.callbacks import EarlyStopping`."""

from jaxseq.api.callbacks import Callback as Callback, EarlyStopping as EarlyStopping, LambdaCallback as LambdaCallback
from jaxseq.api.history import History as History
