"""PlotHistory: the curves of a run while it goes on."""

from __future__ import annotations

import secrets
from typing import Any

from jaxseq.api.callbacks import Callback
from jaxseq.api.progress import in_notebook
from jaxseq.api.showing import curves


class Curves:
    """The curves of a History as they are now."""

    def __init__(self, history: Any, metrics: Any, log: bool):
        self._told = f"<Curves of {len(history.epoch)} epochs>"
        self._html = curves.drawn(history, metrics, log)

    def __repr__(self) -> str:
        return self._told

    def _repr_html_(self) -> str:
        return self._html


class PlotHistory(Callback):
    """Shows the curves of fit's History in a notebook, drawn anew in one place after every epoch. Elsewhere it is silent.

    metrics: the names to show, one or a list, each with its val_; None: all. log: a logarithmic scale.
    The curves are SVG, so matplotlib is not needed; `history.plot()` gives a picture of it afterwards. It keeps nothing: a run
    that goes on after a crash is shown from its first epoch on.
    Raises: ValueError at the end of the first epoch for a name that the run does not measure, in a notebook.
    Keras has nothing like it.
    """

    for_all = True

    def __init__(self, metrics: Any = None, log: bool = False):
        super().__init__()
        self.metrics, self.log = metrics, log
        self._place: str | None = None          # where the page has the curves of this run
        self._shown = 0                         # epochs

    def state_dict(self) -> dict[str, Any]:
        return {}                               # what is shown begins anew

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._place, self._shown = None, 0

    def on_whole_step(self, fit: Any) -> None:
        history = fit.model.history
        if len(history.epoch) != self._shown and in_notebook():
            self._shown = len(history.epoch)
            self._show(Curves(history, self.metrics, self.log))

    def _show(self, shown: Curves) -> None:
        """In the place of what was shown before."""
        from IPython.display import display, update_display

        if self._place is None:
            self._place = secrets.token_hex(8)
            display(shown, display_id=self._place)
        else:
            update_display(shown, display_id=self._place)
