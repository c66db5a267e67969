"""Makes the files beside it: models of tf_keras, the last Keras 2, with what each gives before and after three epochs.

    pip install tensorflow-cpu tf_keras
    python make.py
"""

from pathlib import Path

import numpy as np
import tf_keras as keras

HERE = Path(__file__).parent
layers, legacy = keras.layers, keras.optimizers.legacy


def numbers(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


def main():
    rows = numbers(12, 4), np.random.default_rng(0).integers(0, 3, 12)
    steps = numbers(12, 5, 3), numbers(12, 2)
    pictures = numbers(12, 8, 8, 2), (numbers(12, 1) > 0).astype("float32")
    classes = "sparse_categorical_crossentropy"
    write("perceptron", [layers.Dense(6, activation="relu", input_shape=(4,)), layers.BatchNormalization(),
                         layers.Dense(3, activation="softmax")], rows, legacy.Adam(0.01), classes, ["accuracy"])
    write("decayed_sgd", [layers.Dense(6, activation="hard_sigmoid", input_shape=(4,)), layers.Dense(3, activation="softmax")],
          rows, legacy.SGD(0.1, momentum=0.9, nesterov=True, decay=0.01), classes, ["accuracy"])
    write("new_rmsprop", [layers.Dense(6, activation="elu", input_shape=(4,)), layers.Dense(3, activation="softmax")], rows,
          keras.optimizers.RMSprop(0.01), keras.losses.SparseCategoricalCrossentropy(),
          [keras.metrics.SparseCategoricalAccuracy()])
    write("gru_before", [layers.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid", return_sequences=True,
                                    input_shape=(5, 3)), layers.GRU(2)], steps, legacy.Adamax(0.01), "mse", ["mae"])
    write("lstm_both_ways", [layers.Bidirectional(layers.LSTM(3, recurrent_activation="hard_sigmoid"), input_shape=(5, 3)),
                             layers.Dense(2)], steps, legacy.Adagrad(0.1), "mse", [])
    write("convnet", [layers.Conv2D(4, 3, padding="same", activation="relu", input_shape=(8, 8, 2)), layers.MaxPooling2D(),
                      layers.SeparableConv2D(4, 2), layers.LeakyReLU(0.1), layers.Flatten(),
                      layers.Dense(1, activation="sigmoid")],
          pictures, legacy.Adadelta(1.0), "binary_crossentropy", ["accuracy"])


def write(name, stack, data, optimizer, loss, metrics):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(stack)
    model.compile(optimizer, loss, metrics=metrics)
    x, y = data
    how = {"batch_size": 4, "shuffle": False, "verbose": 0}
    model.fit(x, y, epochs=2, **how)
    model.save(HERE / f"{name}.h5")
    predicted = model.predict(x, verbose=0)
    losses = model.fit(x, y, epochs=3, **how).history["loss"]
    np.savez(HERE / f"{name}.npz", x=x, y=y, predicted=predicted, losses=losses, after=model.predict(x, verbose=0))


if __name__ == "__main__":
    main()
