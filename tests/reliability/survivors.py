"""Runs that are killed and started again, each described by a function of the folder it may use.

`python survivors.py <folder>` is a process that has imported jaxseq and computed nothing. It reads commands, a line of JSON
each, and forks a child for every one: {"run", "folder", "kill": how}. A child trains, writes what it ended with to
<folder>/end.json, and is perhaps killed on the way. The answer is a line of JSON as well: the child's exit status.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

RUNS = {}


def run(build):
    RUNS[build.__name__] = build
    return build


@run
def perceptron(folder, extra):
    """Dropout, validation, callbacks with a memory, a CSV file, a ragged last batch."""
    from jaxseq.callbacks import CSVLogger, EarlyStopping, ReduceLROnPlateau
    from jaxseq.layers import Dense, Dropout
    from jaxseq.models import Sequential

    x, y = numbers(330, 12), numbers(330, 1)
    model = Sequential([Dense(16, "relu", input_shape=(12,)), Dropout(0.4), Dense(1)], seed=3)
    model.compile("adam", "mse", metrics=["mae"])
    watchers = [EarlyStopping(patience=3, restore_best_weights=True), ReduceLROnPlateau(patience=1, factor=0.5),
                CSVLogger(folder / "log.csv")]
    return model, model.fit(x, y, batch_size=32, epochs=6, validation_split=0.2, verbose=0, callbacks=[*watchers, *extra])


@run
def convnet(folder, extra):
    """Augmentation and dropout on the device, BatchNormalization, a batch size that does not divide the rows."""
    from jaxseq.layers import (
        BatchNormalization,
        Conv2D,
        Dense,
        Flatten,
        GaussianNoise,
        RandomFlip,
        RandomTranslation,
        SpatialDropout2D,
    )
    from jaxseq.models import Sequential

    x, y = numbers(150, 8, 8, 1), (numbers(150, 1) > 0.5).astype("float32")
    model = Sequential([RandomFlip("horizontal", input_shape=(8, 8, 1)), RandomTranslation(0.2, 0.2), GaussianNoise(0.1),
                        Conv2D(4, 3, activation="relu"), BatchNormalization(), SpatialDropout2D(0.3), Flatten(),
                        Dense(1, "sigmoid")], seed=4)
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    return model, model.fit(x, y, batch_size=16, epochs=4, validation_data=(x[:40], y[:40]), verbose=0, callbacks=extra)


@run
def stateful(folder, extra):
    """A recurrent carry from batch to batch, and steps_per_epoch over the end of a pass."""
    from jaxseq.layers import LSTM, Dense
    from jaxseq.models import Sequential

    x, y = numbers(192, 6, 3), numbers(192, 2)
    model = Sequential([LSTM(8, stateful=True, batch_input_shape=(16, 6, 3)), Dense(2)], seed=5)
    model.compile("sgd", "mse")
    return model, model.fit(x, y, batch_size=16, epochs=5, steps_per_epoch=7, shuffle=False, verbose=0, callbacks=extra)


@run
def mixed(folder, extra):
    """bfloat16, a schedule, an average of the weights, and a callback of one's own that counts."""
    from jaxseq import optimizers
    from jaxseq.callbacks import Callback
    from jaxseq.layers import Dense, Dropout
    from jaxseq.models import Sequential

    class Counter(Callback):
        def __init__(self):
            super().__init__()
            self.seen, self.rows = [], {"all": 0}

        def on_batch_end(self, batch, logs=None):
            self.seen.append(float(logs["loss"]))
            self.rows["all"] += logs["size"]

    counter = Counter()
    x, y = numbers(200, 6), numbers(200, 1)
    model = Sequential([Dense(16, "tanh", input_shape=(6,)), Dropout(0.2), Dense(1)], seed=6, dtype="mixed_bfloat16")
    rate = optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    model.compile(optimizers.Adam(rate, use_ema=True, gradient_accumulation_steps=2), "mse")
    history = model.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=[counter, *extra])
    history.history["seen"], history.history["rows"] = counter.seen, [counter.rows["all"]]
    return model, history


@run
def indexed(folder, extra):
    """A Sequence, read by threads in an order of ours, and a layer that is frozen on the way."""
    from jaxseq.callbacks import LambdaCallback
    from jaxseq.layers import Dense, Dropout
    from jaxseq.models import Sequential
    from jaxseq.utils import Sequence as Data

    x, y = numbers(160, 6), numbers(160, 1)

    class Parts(Data):
        def __len__(self):
            return 11

        def __getitem__(self, index):
            return x[15 * index:15 * index + 15], y[15 * index:15 * index + 15]

    model = Sequential([Dense(16, "tanh", input_shape=(6,), name="first"), Dropout(0.2), Dense(1)], seed=7)
    model.compile("adam", "mse")
    freeze = LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(model.get_layer("first"), "trainable", epoch < 2))
    return model, model.fit(Parts(workers=2), epochs=4, verbose=0, callbacks=[freeze, *extra])


def numbers(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def train(name, folder, kill):
    """One child: trains, and says how it ended."""
    from jaxseq.api import weights
    from jaxseq.callbacks import BackupAndRestore, LambdaCallback

    ready = folder / "ready"
    slow = LambdaCallback(on_steps_end=lambda done, logs: (ready.touch(), time.sleep(kill.get("slow", 0.004))))
    backup = BackupAndRestore(folder / "backup", save_freq=kill.get("every", 3), delete_checkpoint=False)
    if "operation" in kill:
        kill_at_operation(kill["operation"])
    extra = [] if kill.get("without") else [backup]
    model, history = RUNS[name](folder, [slow, *extra])
    csv = folder / "log.csv"
    end = {"weights": weights.fingerprint(model.train_state), "history": history.history, "epoch": history.epoch,
           "csv": csv.read_text() if csv.exists() else None}
    (folder / "end.json").write_text(json.dumps(end, default=float))


def kill_at_operation(number):
    """SIGKILL at the number-th call that changes the disk, while checkpoints are written."""
    count = [0]

    def counting(real):
        def counted(*values, **words):
            count[0] += 1
            if count[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*values, **words)

        return counted

    for name in "fsync", "rename", "mkdir", "rmdir", "unlink":
        setattr(os, name, counting(getattr(os, name)))


def main():
    import optax  # noqa: F401
    import safetensors.numpy  # noqa: F401

    import jaxseq.callbacks
    import jaxseq.layers
    import jaxseq.models  # noqa: F401

    signal.signal(signal.SIGINT, signal.default_int_handler)        # a shell may have begun with it ignored
    for line in sys.stdin:
        wish = json.loads(line)
        folder = Path(wish["folder"])
        (folder / "ready").unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            try:
                train(wish["run"], folder, wish["kill"])
                os._exit(0)
            except BaseException as error:
                import traceback

                (folder / "error.txt").write_text("".join(traceback.format_exception(error)))
                os._exit(error.code if isinstance(error, SystemExit) else 1)
        if "after" in wish["kill"]:
            while not (folder / "ready").exists() and os.waitpid(child, os.WNOHANG) == (0, 0):
                time.sleep(0.002)
            time.sleep(wish["kill"]["after"])
            status = os.waitpid(child, os.WNOHANG)
            if status == (0, 0):
                os.kill(child, wish["kill"].get("signal", signal.SIGKILL))
                status = os.waitpid(child, 0)
            status = status[1]
        else:
            status = os.waitpid(child, 0)[1]
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


if __name__ == "__main__":
    main()
