"""A perceptron that tells ten kinds of clothes apart: Fashion-MNIST, 28 x 28 pixels.

    python examples/fashion_mlp.py              # ten epochs
    python examples/fashion_mlp.py --quick      # two, on a tenth of the pictures
"""

import sys
import time

from jaxseq.datasets import fashion_mnist
from jaxseq.layers import Dense, Dropout
from jaxseq.models import Sequential
from jaxseq.optimizers import Adam
from jaxseq.optimizers.schedules import CosineDecay

QUICK = "--quick" in sys.argv
ROWS, EPOCHS, BATCH = (6_000, 2, 128) if QUICK else (60_000, 10, 128)

(x, y), (x_test, y_test) = fashion_mnist.load_data()
x, y, x_test = x[:ROWS].reshape(-1, 784) / 255, y[:ROWS], x_test.reshape(-1, 784) / 255

model = Sequential([
    Dense(512, activation="relu", input_shape=(784,)),
    Dropout(0.3),
    Dense(512, activation="relu"),
    Dropout(0.3),
    Dense(10, activation="softmax"),
], seed=0)
rate = CosineDecay(1e-3, decay_steps=EPOCHS * -(-ROWS // BATCH))
model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()

began = time.perf_counter()
model.fit(x, y, batch_size=BATCH, epochs=EPOCHS)
seconds = time.perf_counter() - began
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy {accuracy:.4f}, loss {loss:.4f}, after {EPOCHS} epochs in {seconds:.1f} s")
