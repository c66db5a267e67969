"""One of two processes that are asked for different things, one after another: a program that test_hosts_apart.py starts.

    python on_hosts_apart.py PROCESS PORT FOLDER

Each case prints "CASE what came of it"; after an error the processes go on to the next case together.
"""

import os
import pickle
import sys

os.environ["XLA_FLAGS"] = ("--xla_force_host_platform_device_count=2 "
                           "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false")   # few steps are run

import numpy as np

from jaxseq import Sequential, callbacks, distribution, layers
from jaxseq.models import load_model
from jaxseq.utils import Sequence

PROCESS, PORT, FOLDER = int(sys.argv[1]), *sys.argv[2:]
OTHER = PROCESS == 1            # the process that does otherwise
distribution.initialize(f"127.0.0.1:{PORT}", 2, PROCESS)

X = np.random.default_rng(0).normal(size=(48, 20)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 4, 48)


class Batches:
    """Its process's part of batches of 8 rows, as something without a length gives them."""

    def __init__(self, count, rows=4, fails_at=None, error="the disk is gone"):
        self.count, self.rows, self.fails_at, self.error = count, rows, fails_at, error

    def __iter__(self):
        for number in range(self.count):
            if number == self.fails_at:
                raise OSError(self.error)
            start = 8 * number + 4 * PROCESS
            yield X[start:start + self.rows], Y[start:start + self.rows]


class Counted(Sequence):
    """The same, with a length; the last batch may be smaller."""

    def __init__(self, count, last=4):
        super().__init__()
        self.count, self.last = count, last

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        rows = self.last if number == self.count - 1 else 4
        start = 8 * number + rows * PROCESS
        return X[start:start + rows], Y[start:start + rows]


class Hooked(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        """Asks for single batches."""


def small(seed=0, units=8, dropped=0.5):
    return Sequential([layers.Input((20,)), layers.Dense(units, activation="relu"), layers.Dropout(dropped),
                       layers.Dense(4, activation="softmax")], seed=seed)


def compiled(model, spread=distribution.DataParallel, **words):
    model.compile("sgd", "sparse_categorical_crossentropy", distribution=spread(), **words)
    return model


def said(case, act):
    try:
        told = act()
    except Exception as error:
        told = f"{type(error).__name__}: {error}".replace("\n", " ")
    print(case, told, flush=True)


def nested():
    outer = Sequential([layers.Input((20,)), Sequential([layers.Dense(8), layers.Dropout(0.5)]), layers.Dense(4)])
    if OTHER:
        outer.count_params()                # draws what the first process has not drawn
    outer.compile("sgd", "mse", distribution=distribution.DataParallel())
    return outer


def own_seeds():
    model = compiled(small(seed=None))
    model.fit(X, Y, 8, verbose=0)
    return model


model = compiled(small())
step = lambda: int(np.asarray(model.train_state.step))
bytes_of = lambda each: b"".join(value.tobytes() for value in each.get_weights()).hex()[:64]

if PROCESS == 0:
    first_drawn = small(seed=None)
    first_drawn.count_params()
else:
    first_drawn = small(seed=None)
said("first_drawn", lambda: (compiled(first_drawn).fit(X, Y, 8, verbose=0), first_drawn.fingerprint())[1])
said("seedless", lambda: own_seeds().fingerprint())
said("nested_seed", lambda: nested().seed)
said("drawn_apart", lambda: nested().fit(X, X[:, :4], verbose=0))

within = Sequential([layers.Dense(8)])
around = Sequential([layers.Input((20,)), within, layers.Dense(4)])
around.compile("sgd", "mse", distribution=distribution.DataParallel())
again = Sequential([layers.Input((20,)), Sequential([layers.Dense(8)]), layers.Dense(4)], seed=around.seed)
said("rebuilt", lambda: bytes_of(around) == bytes_of(again))

said("other_seed", lambda: compiled(small(seed=PROCESS)).fit(X, Y, verbose=0))
said("other_units", lambda: compiled(small(units=8 + PROCESS)).fit(X, Y, verbose=0))
said("other_loss_weight", lambda: compiled(small(), loss_weights=1.0 + PROCESS).fit(X, Y, verbose=0))
said("set_apart", lambda: (model.set_weights([each + PROCESS for each in model.get_weights()]), model.fit(X, Y, verbose=0)))
model = compiled(small())
said("fewer_rows", lambda: model.fit(X[:32] if OTHER else X, Y[:32] if OTHER else Y, verbose=0))
said("own_part", lambda: model.fit(X[24:] if OTHER else X[:24], Y[24:] if OTHER else Y[:24], verbose=0))
said("own_part_at_once", lambda: model.train_on_batch(X[24:] if OTHER else X[:24], Y[:24]))
said("wrong_in_one", lambda: model.fit(X[:, :7] if OTHER else X, Y, verbose=0))
said("epochs", lambda: model.fit(X, Y, epochs=2 + PROCESS, verbose=0))
said("hooks", lambda: model.fit(X, Y, callbacks=[Hooked()] if OTHER else [], verbose=0))
said("measured_rows", lambda: model.evaluate(X[:32] if OTHER else X, Y[:32] if OTHER else Y, verbose=0))
said("predicted_rows", lambda: model.predict(X[:32] if OTHER else X))
said("steps_so_far", step)

said("shorter", lambda: model.fit(Batches(2 if OTHER else 5), verbose=0))
said("steps_of_shorter", step)
said("shorter_length", lambda: model.fit(Counted(2 if OTHER else 5), verbose=0))
said("raises", lambda: model.fit(Batches(5, fails_at=2 if OTHER else None), verbose=0))
said("raises_first", lambda: model.fit(Batches(5, fails_at=0 if OTHER else None), verbose=0))
said("raises_at_length", lambda: model.fit(Batches(5, fails_at=2 if OTHER else None, error="ö" * 9000), verbose=0))
said("rows_of_a_batch", lambda: model.fit(Batches(3, rows=2 if OTHER else 4), verbose=0))
said("validation", lambda: model.fit(X, Y, validation_data=Batches(1 if OTHER else 2), verbose=0))
said("predicted_parts", lambda: model.predict(Batches(2)))
said("quiet_in_one", lambda: len(model.fit(X, Y, 8, epochs=2, verbose=0 if OTHER else 2).history["loss"]))

model = compiled(small(dropped=0.0))
said("ended_together", lambda: len(model.fit(Batches(3), epochs=2, verbose=0).history["loss"]))
model, alone = compiled(small(dropped=0.0)), small(dropped=0.0)
alone.compile("sgd", "sparse_categorical_crossentropy")
alone.fit(X[:36], Y[:36], 8, shuffle=False, verbose=0)
model.fit(Counted(5, last=2), shuffle=False, verbose=0)
said("smaller_last", lambda: max(float(np.abs(here - there).max())
                                 for here, there in zip(model.get_weights(), alone.get_weights(), strict=True)) < 1e-5)
said("alone", lambda: len(alone.fit(X[:8 * (1 + PROCESS)], Y[:8 * (1 + PROCESS)], 8, verbose=0).history["loss"]))

sharded = compiled(small(), distribution.FullySharded)
sharded.fit(X, Y, 8, verbose=0)
said("saved", lambda: (sharded.save(f"{FOLDER}/m.keras"), len(load_model(f"{FOLDER}/m.keras").get_weights()))[1])
said("saved_again", lambda: sharded.save(f"{FOLDER}/m.keras", overwrite=False))
said("exported", lambda: (sharded.export(f"{FOLDER}/m.stablehlo"), os.path.exists(f"{FOLDER}/m.stablehlo"))[1])
said("exported_again", lambda: sharded.export(f"{FOLDER}/m.stablehlo", overwrite=False))
said("pickled", lambda: bytes_of(pickle.loads(pickle.dumps(sharded))) == bytes_of(sharded))


def by_names():
    """A mesh that cuts the kernels over both processes, and leaves the biases whole."""
    layout = distribution.LayoutMap(distribution.DeviceMesh((1, 4), ("batch", "model")))
    layout["kernel"] = None, "model"
    return distribution.ModelParallel(layout_map=layout)


def went_on(spread):
    """How far the weights are from those of one device after two epochs, of which the second is spread otherwise."""
    model, alone = compiled(small(dropped=0.0), by_names), small(dropped=0.0)
    alone.compile("sgd", "sparse_categorical_crossentropy")
    alone.fit(X, Y, 8, epochs=2, verbose=0)
    model.fit(X, Y, 8, verbose=0)
    model.compile(model.optimizer, "sparse_categorical_crossentropy", distribution=spread)
    model.fit(X, Y, 8, epochs=2, initial_epoch=1, verbose=0)
    return max(float(np.abs(here - there).max())
               for here, there in zip(model.get_weights(), alone.get_weights(), strict=True)) < 1e-5


said("by_names", lambda: went_on(by_names()))
said("then_sharded", lambda: went_on(distribution.FullySharded()))
said("then_whole", lambda: went_on(distribution.DataParallel()))
said("then_on_one_device", lambda: went_on(None))
