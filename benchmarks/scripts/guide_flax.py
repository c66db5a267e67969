"""The guide's perceptron with Flax NNX, from the first import to evaluated."""

import numpy as np
import optax
from flax import nnx

rng = np.random.default_rng(0)
x_train, x_test = rng.random((1000, 20), np.float32), rng.random((100, 20), np.float32)
y_train, y_test = np.eye(10)[rng.integers(10, size=1000)], np.eye(10)[rng.integers(10, size=100)]


class Perceptron(nnx.Module):
    def __init__(self, rngs):
        self.hidden_1 = nnx.Linear(20, 64, rngs=rngs)
        self.hidden_2 = nnx.Linear(64, 64, rngs=rngs)
        self.out = nnx.Linear(64, 10, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        x = self.dropout(nnx.relu(self.hidden_1(x)))
        x = self.dropout(nnx.relu(self.hidden_2(x)))
        return self.out(x)


def loss_of(model, x, y):
    logits = model(x)
    return optax.softmax_cross_entropy(logits, y).mean(), logits


@nnx.jit
def train_step(model, optimizer, metrics, x, y):
    (loss, logits), grads = nnx.value_and_grad(loss_of, has_aux=True)(model, x, y)
    metrics.update(loss=loss, logits=logits, labels=y.argmax(-1))
    optimizer.update(model, grads)


@nnx.jit
def eval_step(model, metrics, x, y):
    loss, logits = loss_of(model, x, y)
    metrics.update(loss=loss, logits=logits, labels=y.argmax(-1))


model = Perceptron(nnx.Rngs(0))
sgd = optax.sgd(lambda step: 0.01 / (1 + 1e-6 * step), momentum=0.9, nesterov=True)
optimizer = nnx.Optimizer(model, sgd, wrt=nnx.Param)
metrics = nnx.MultiMetric(loss=nnx.metrics.Average("loss"), accuracy=nnx.metrics.Accuracy())

model.train()
for _ in range(20):
    order = rng.permutation(1000)
    metrics.reset()
    for first in range(0, 1000, 128):
        rows = order[first:first + 128]
        train_step(model, optimizer, metrics, x_train[rows], y_train[rows])
    loss, accuracy = (float(number) for number in metrics.compute().values())

model.eval()
metrics.reset()
eval_step(model, metrics, x_test, y_test)
print([float(number) for number in metrics.compute().values()])
