"""Learning rates that follow the steps: `from jaxseq.optimizers.schedules import ExponentialDecay`."""

from jaxseq.core.schedules import *  # noqa: F403
