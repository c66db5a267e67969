"""One of several processes that train a model together: a program that test_hosts.py starts.

    python on_hosts.py PROCESS PROCESSES PORT FOLDER KIND [EPOCH [SIGNAL]]

At the end of EPOCH the last process sends itself the signal, SIGKILL when it is absent.
"""

import os
import signal
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import numpy as np

from jaxseq import Sequential, callbacks, distribution, layers
from jaxseq.utils import Sequence

process, processes, port, folder, kind, *last = sys.argv[1:]
PROCESS, PROCESSES = int(process), int(processes)
if PROCESSES > 1:
    distribution.initialize(f"127.0.0.1:{port}", PROCESSES, PROCESS)

X = np.random.default_rng(0).normal(size=(100, 20)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 4, 100)


class Loader(Sequence):
    """Its process's half of every batch of 20 rows; all of it where there is one process."""

    def __len__(self):
        return 5

    def __getitem__(self, number):
        own = 20 // PROCESSES
        start = 20 * number + own * PROCESS
        return X[start:start + own], Y[start:start + own]


class Killed(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if last and epoch == int(last[0]) and PROCESS == PROCESSES - 1:
            os.kill(os.getpid(), int(last[1]) if last[1:] else signal.SIGKILL)


model = Sequential([layers.Input((20,)), layers.Dense(32, activation="relu"), layers.Dropout(0.5), layers.BatchNormalization(),
                    layers.Dense(4, activation="softmax")], seed=1)
spread = {"parallel": distribution.DataParallel, "sharded": distribution.FullySharded, "alone": lambda: None}[kind]()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], distribution=spread)
history = model.fit(X, Y, 13, epochs=6, verbose=2, validation_split=0.1, callbacks=[
    callbacks.BackupAndRestore(f"{folder}/backup", save_freq=1000 if last[1:] else 5, delete_checkpoint=False),
    callbacks.CSVLogger(f"{folder}/log.csv"),
    callbacks.ModelCheckpoint(f"{folder}/{{epoch}}.weights.h5", save_weights_only=True), Killed()])
print("fingerprint", model.fingerprint())
print("losses", *history.history["val_loss"])
model.fit(Loader(), shuffle=False, verbose=0)
np.savez(f"{folder}/{PROCESS}.npz", *model.get_weights(), predicted=model.predict(X[:33]))
model.save(f"{folder}/model.keras")
