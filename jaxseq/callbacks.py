"""Callbacks: `from jaxseq.callbacks import EarlyStopping`."""

from jaxseq.api.averages import BaseLogger as BaseLogger, SwapEMAWeights as SwapEMAWeights
from jaxseq.api.callback_list import CallbackList as CallbackList
from jaxseq.api.callbacks import Callback as Callback, LambdaCallback as LambdaCallback
from jaxseq.api.checkpoints import ModelCheckpoint as ModelCheckpoint
from jaxseq.api.history import History as History
from jaxseq.api.live_plot import PlotHistory as PlotHistory
from jaxseq.api.monitoring import (
    EarlyStopping as EarlyStopping,
    ReduceLROnPlateau as ReduceLROnPlateau,
    TerminateOnNaN as TerminateOnNaN,
)
from jaxseq.api.progress import ProgbarLogger as ProgbarLogger
from jaxseq.api.rates import LearningRateScheduler as LearningRateScheduler
from jaxseq.api.records import CSVLogger as CSVLogger, RemoteMonitor as RemoteMonitor
from jaxseq.api.resuming.backup import BackupAndRestore as BackupAndRestore
from jaxseq.api.tensorboard import TensorBoard as TensorBoard
