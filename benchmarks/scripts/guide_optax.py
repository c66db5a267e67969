"""The guide's perceptron with JAX and Optax, from the first import to evaluated."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

rng = np.random.default_rng(0)
x_train, x_test = rng.random((1000, 20), np.float32), rng.random((100, 20), np.float32)
y_train, y_test = np.eye(10)[rng.integers(10, size=1000)], np.eye(10)[rng.integers(10, size=100)]


def init(key, sizes=(20, 64, 64, 10)):
    glorot = jax.nn.initializers.glorot_uniform()
    keys = jax.random.split(key, len(sizes) - 1)
    return [{"w": glorot(k, (n, m)), "b": jnp.zeros(m)} for k, n, m in zip(keys, sizes[:-1], sizes[1:], strict=True)]


def apply(params, x, key=None):
    for number, layer in enumerate(params[:-1]):
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
        if key is not None:
            kept = jax.random.bernoulli(jax.random.fold_in(key, number), 0.5, x.shape)
            x = jnp.where(kept, x / 0.5, 0)
    return x @ params[-1]["w"] + params[-1]["b"]


def measure(params, x, y, key=None):
    logits = apply(params, x, key)
    hits = logits.argmax(-1) == y.argmax(-1)
    return optax.softmax_cross_entropy(logits, y).mean(), hits.mean()


@jax.jit
def train_step(params, opt_state, sums, key, x, y):
    (loss, accuracy), grads = jax.value_and_grad(measure, has_aux=True)(params, x, y, key)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, sums + len(x) * jnp.stack([loss, accuracy])


optimizer = optax.sgd(lambda step: 0.01 / (1 + 1e-6 * step), momentum=0.9, nesterov=True)
key = jax.random.key(0)
params = init(key)
opt_state = optimizer.init(params)
for _ in range(20):
    order, sums = rng.permutation(1000), jnp.zeros(2)
    for first in range(0, 1000, 128):
        key, drawn = jax.random.split(key)
        rows = order[first:first + 128]
        params, opt_state, sums = train_step(params, opt_state, sums, drawn, x_train[rows], y_train[rows])
    loss, accuracy = np.asarray(sums) / 1000
print([float(number) for number in jax.jit(measure)(params, x_test, y_test)])
