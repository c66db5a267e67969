"""The guide's perceptron with jaxseq, from the first import to evaluated."""

import numpy as np

from jaxseq.layers import Dense, Dropout
from jaxseq.models import Sequential
from jaxseq.optimizers import SGD
from jaxseq.utils import to_categorical

rng = np.random.default_rng(0)
x_train, x_test = rng.random((1000, 20), np.float32), rng.random((100, 20), np.float32)
y_train, y_test = to_categorical(rng.integers(10, size=1000), 10), to_categorical(rng.integers(10, size=100), 10)

model = Sequential()
model.add(Dense(64, activation="relu", input_shape=(20,)))
model.add(Dropout(0.5))
model.add(Dense(64, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(10, activation="softmax"))

sgd = SGD(learning_rate=0.01, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
model.fit(x_train, y_train, epochs=20, batch_size=128, verbose=0)
print(model.evaluate(x_test, y_test, batch_size=128, verbose=0))
