"""Slow, plain NumPy in float64: what the layers are held to besides Keras."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(params, x, mask=None, h=None, c=None, kept=None, activation=np.tanh, recurrent_activation=sigmoid):
    """The textbook loop, one row, one step and one gate at a time.

    params: kernel (features, 4 * units), recurrent_kernel (units, 4 * units), bias (4 * units,) or absent; gates i, f, c, o.
    kept: (batch, 4, units), what h is multiplied with on its way into each gate. A masked step keeps h and c.
    Returns (h after each step (batch, time, units), last h, last c).
    """
    W, U = (np.asarray(params[name], np.float64) for name in ("kernel", "recurrent_kernel"))
    units = U.shape[0]
    b = np.asarray(params.get("bias", np.zeros(4 * units)), np.float64)
    (W_i, W_f, W_c, W_o), (U_i, U_f, U_c, U_o), (b_i, b_f, b_c, b_o) = (np.split(each, 4, axis=-1) for each in (W, U, b))
    x = np.asarray(x, np.float64)
    batch, time, _ = x.shape
    h, c = (np.zeros((batch, units)) if each is None else np.array(each, np.float64) for each in (h, c))
    kept = np.ones((batch, 4, units)) if kept is None else np.asarray(kept, np.float64)
    outputs = np.zeros((batch, time, units))
    for n in range(batch):
        for t in range(time):
            if mask is None or mask[n, t]:
                h_i, h_f, h_c, h_o = h[n] * kept[n]
                i = recurrent_activation(x[n, t] @ W_i + h_i @ U_i + b_i)
                f = recurrent_activation(x[n, t] @ W_f + h_f @ U_f + b_f)
                o = recurrent_activation(x[n, t] @ W_o + h_o @ U_o + b_o)
                c[n] = f * c[n] + i * activation(x[n, t] @ W_c + h_c @ U_c + b_c)
                h[n] = o * activation(c[n])
            outputs[n, t] = h[n]
    return outputs, h, c


def moments(x, real):
    """Mean and biased variance of each feature (last axis) over the positions where `real` (x.shape[:-1]) holds."""
    rows = np.asarray(x, np.float64)[np.asarray(real)]
    mean = sum(rows) / len(rows)
    return mean, sum((row - mean) ** 2 for row in rows) / len(rows)
