"""Callbacks that keep a record outside of the notebook: a CSV file, a server."""

from __future__ import annotations

import csv
import http.client
import json
import urllib.parse
import urllib.request
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.api.callbacks import Callback, Logs
from jaxseq.core.require import require


class CSVLogger(Callback):
    """Writes a line for every epoch: the epoch, counted from 0, then what was measured, in the order of the names.

    filename: the file. separator: between two numbers. append: go on with a file that is there, instead of a new one.
    Every line is on the disk when its epoch ends. What an epoch did not measure is "NA".
    Source: as keras.callbacks.CSVLogger. Differs from Keras 3, which has columns for a validation in a run without one.
    """

    for_all = True

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename, self.separator, self.append = Path(filename), separator, append
        self._file: Any = None
        self._writer: csv.DictWriter | None = None

    @property
    def writes_to(self) -> Any:
        """The file."""
        return self.filename

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._before = self.filename.stat().st_size if self.append and self.filename.exists() else 0     # bytes of others
        self._file = self.filename.open("a" if self.append else "w", newline="", encoding="utf-8")
        self._writer = None

    def state_dict(self) -> dict[str, Any]:
        """The lines of this run."""
        if self._file is None or self._writer is None:
            return {}
        own = self.filename.read_bytes()[self._before:].decode()
        return {"lines": {"before": self._before, "columns": list(self._writer.fieldnames), "text": own}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Leaves in the file what was there before the run, and the lines that were kept."""
        if self._file is not None and (lines := state.get("lines")):
            self._before = lines["before"]
            self._file.truncate(self._before)
            self._file.seek(self._before)
            self._file.write(lines["text"])
            self._file.flush()
            self._writer = self._writer_of(lines["columns"])

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self._writer is None:
            self._writer = self._writer_of(["epoch", *self._columns(logs)])
            if self._before == 0:
                self._writer.writeheader()
        self._writer.writerow({"epoch": epoch, **{name: np.asarray(value).tolist() for name, value in logs.items()}})
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None            # an open file cannot be copied

    def _writer_of(self, columns: list[str]) -> csv.DictWriter:
        return csv.DictWriter(self._file, columns, restval="NA", extrasaction="ignore", delimiter=self.separator)

    def _columns(self, logs: Logs) -> list[str]:
        """The names in the first epoch's logs, and those of a validation that follows a later one."""
        known = sorted(logs)
        awaited = self.params.get("do_validation") and not any(name.startswith("val_") for name in known)
        return known + [name for name in self.params.get("metrics", ()) if awaited and name.startswith("val_")]


class RemoteMonitor(Callback):
    """Sends every epoch's logs to a server: a POST to root + path, as JSON in the field `field`, or as the whole body.

    headers: of the request. send_as_json: the body is the JSON itself.
    A server that does not answer within 10 s, or answers nonsense, costs a warning; training goes on.
    Source: as keras.callbacks.RemoteMonitor.
    """

    SECONDS = 10.0

    for_all = True

    def __init__(self, root: str = "http://localhost:9000", path: str = "/publish/epoch/end/", field: str = "data",
                 headers: dict[str, str] | None = None, send_as_json: bool = False):
        super().__init__()
        require(root.startswith(("http://", "https://")), f"RemoteMonitor(root={root!r}): write an address that begins with "
                "http:// or https://.")
        self.url, self.field, self.headers, self.send_as_json = root + path, field, dict(headers or {}), send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        data = json.dumps({"epoch": epoch, **{name: np.asarray(value).tolist() for name, value in (logs or {}).items()}})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = data if self.send_as_json else urllib.parse.urlencode({self.field: data})
        request = urllib.request.Request(self.url, body.encode(), {"Content-Type": kind, **self.headers})
        try:
            urllib.request.urlopen(request, timeout=self.SECONDS).close()
        except (OSError, http.client.HTTPException) as error:
            warnings.warn(f"RemoteMonitor could not reach {self.url}: {error}", stacklevel=2)
