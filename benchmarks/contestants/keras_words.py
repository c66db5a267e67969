"""The models in Keras's words, which Keras and jaxseq have in common."""

from __future__ import annotations

from parts import LSTM, Average, Conv, Dense, Dropout, Embedding, Flatten, Pool
from workloads import Workload, data


def layer(part, layers, stateful: bool):
    """One layer of the library whose `layers` module is given."""
    match part:
        case Dense(units, activation):
            return layers.Dense(units, activation=activation)
        case Conv(rank, filters, size):
            return getattr(layers, f"Conv{rank}D")(filters, size, activation="relu")
        case Pool(rank, size):
            return getattr(layers, f"MaxPooling{rank}D")(size)
        case LSTM(units, sequences):
            return layers.LSTM(units, return_sequences=sequences, stateful=stateful)
        case Embedding(words, units):
            return layers.Embedding(words, units)
        case Dropout(rate):
            return layers.Dropout(rate)
        case Flatten():
            return layers.Flatten()
        case Average():
            return layers.GlobalAveragePooling1D()


def trainer(workload: Workload, model, layers, optimizer):
    """train(epochs) for an empty Sequential, by compile and fit."""
    shape = {"batch_shape": (workload.batch, *workload.shape)} if workload.stateful else {"shape": workload.shape}
    dtype = {} if workload.words is None else {"dtype": "int32"}
    model.add(layers.Input(**shape, **dtype))
    for part in workload.parts:
        model.add(layer(part, layers, workload.stateful))
    loss = "binary_crossentropy" if workload.binary else "categorical_crossentropy"
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    x, y = data(workload)

    def train(epochs: int):
        model.fit(x, y, batch_size=workload.batch, epochs=epochs, shuffle=not workload.stateful, verbose=0)

    return train
