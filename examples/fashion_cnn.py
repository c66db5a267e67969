"""A convnet on the same clothes as examples/fashion_mlp.py.

    python examples/fashion_cnn.py              # twelve epochs
    python examples/fashion_cnn.py --quick      # one, on a tenth of the pictures
"""

import sys
import time

from jaxseq.datasets import fashion_mnist
from jaxseq.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from jaxseq.models import Sequential
from jaxseq.optimizers import Adam
from jaxseq.optimizers.schedules import CosineDecay

QUICK = "--quick" in sys.argv
ROWS, EPOCHS, BATCH = (6_000, 1, 128) if QUICK else (60_000, 12, 128)

(x, y), (x_test, y_test) = fashion_mnist.load_data()
x, y, x_test = x[:ROWS, ..., None] / 255, y[:ROWS], x_test[..., None] / 255

model = Sequential([
    Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)),
    BatchNormalization(),
    MaxPooling2D(),
    Conv2D(64, 3, activation="relu"),
    BatchNormalization(),
    MaxPooling2D(),
    Flatten(),
    Dropout(0.4),
    Dense(128, activation="relu"),
    Dropout(0.4),
    Dense(10, activation="softmax"),
], seed=0)
rate = CosineDecay(1e-3, decay_steps=EPOCHS * -(-ROWS // BATCH))
model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()

began = time.perf_counter()
model.fit(x, y, batch_size=BATCH, epochs=EPOCHS)
seconds = time.perf_counter() - began
loss, accuracy = model.evaluate(x_test, y_test, batch_size=256, verbose=0)
print(f"test accuracy {accuracy:.4f}, loss {loss:.4f}, after {EPOCHS} epochs in {seconds:.1f} s")
