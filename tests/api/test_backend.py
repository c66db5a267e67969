"""K.* against Keras 3 on JAX, NumPy in float64, and finite differences."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from backend_data import HITS, IDS, LABELS, ONE_HOT, POSITIVE, PROBABILITIES, SHARES, SQUARE, X, Y, refuses
from keras import ops
from keras.src.layers.merging.dot import batch_dot as keras_batch_dot
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.api import backend as K

QUICK = {"xla_backend_optimization_level": 0}             # programs that run once

# name of K -> [(arguments, keywords, the same by someone else)]
SMOOTH = {
    "square": [((X,), {}, ops.square)],
    "sqrt": [((POSITIVE,), {}, ops.sqrt)],
    "exp": [((X,), {}, ops.exp)],
    "log": [((POSITIVE,), {}, ops.log)],
    "sin": [((X,), {}, ops.sin)],
    "cos": [((X,), {}, ops.cos)],
    "pow": [((X, 3), {}, ops.power), ((POSITIVE, 0.3), {}, ops.power), ((POSITIVE, Y), {}, ops.power)],
    "sum": [((X,), {}, ops.sum), ((X,), {"axis": [0, 2], "keepdims": True}, ops.sum)],
    "prod": [((POSITIVE,), {"axis": 1}, ops.prod)],
    "mean": [((X,), {}, ops.mean), ((X, -1), {"keepdims": True}, ops.mean)],
    "var": [((X,), {"axis": 1}, ops.var), ((X, (0, 1), True), {}, ops.var)],
    "std": [((X,), {"axis": -1}, ops.std), ((X,), {}, ops.std)],
    "logsumexp": [((X,), {"axis": -1, "keepdims": True}, ops.logsumexp), ((X,), {}, ops.logsumexp)],
    "cumsum": [((X,), {}, lambda x: ops.cumsum(x, 0)), ((X, 1), {}, ops.cumsum)],
    "cumprod": [((X,), {}, lambda x: ops.cumprod(x, 0)), ((X, -1), {}, ops.cumprod)],
    "dot": [((X, Y[0].T), {}, ops.dot), ((X, np.swapaxes(Y, 1, 2)), {}, ops.dot)],
    "batch_dot": [((X, np.swapaxes(Y, 1, 2)), {}, keras_batch_dot), ((X, Y, (1, 1)), {}, keras_batch_dot),
                  ((X, Y, 2), {}, keras_batch_dot), ((X, Y[:, 0]), {}, keras_batch_dot),
                  ((X[:, 0], Y, (1, -1)), {}, keras_batch_dot), ((X[:, 0], Y[:, 0], 1), {}, keras_batch_dot)],
    "transpose": [((X,), {}, ops.transpose)],
    "permute_dimensions": [((X, [0, 2, 1]), {}, ops.transpose)],
    "reshape": [((X, (5, -1)), {}, ops.reshape)],
    "flatten": [((X,), {}, ops.ravel)],
    "batch_flatten": [((X,), {}, lambda x: ops.reshape(x, (4, 15)))],
    "expand_dims": [((X,), {}, lambda x: ops.expand_dims(x, -1)), ((X, 1), {}, ops.expand_dims)],
    "squeeze": [((X[:, :1], 1), {}, ops.squeeze)],
    "reverse": [((X, 1), {}, ops.flip), ((X, [0, 2]), {}, ops.flip)],
    "repeat": [((X[0], 3), {}, lambda x, n: ops.stack([x] * n, 1))],
    "repeat_elements": [((X, 2, 1), {}, ops.repeat)],
    "tile": [((X, (2, 1, 3)), {}, ops.tile), ((X, 2), {}, ops.tile)],
    "temporal_padding": [((X, (2, 1)), {}, lambda x, p: keras.layers.ZeroPadding1D(p)(x))],
    "spatial_2d_padding": [((X[None], ((1, 2), (0, 3))), {}, lambda x, p: keras.layers.ZeroPadding2D(p)(x)),
                           ((X[None],), {"data_format": "channels_first"},
                            lambda x, data_format: keras.layers.ZeroPadding2D(1, data_format)(x))],
    "spatial_3d_padding": [((X[None, ..., None], ((1, 0), (0, 2), (3, 0))), {},
                            lambda x, p: keras.layers.ZeroPadding3D(p)(x))],
    "elu": [((X,), {}, ops.elu), ((X, 0.3), {}, ops.elu)],
    "sigmoid": [((X,), {}, ops.sigmoid)],
    "tanh": [((X,), {}, ops.tanh)],
    "softplus": [((X,), {}, ops.softplus)],
    "softsign": [((X,), {}, ops.softsign)],
    "softmax": [((X,), {}, ops.softmax), ((X, 1), {}, ops.softmax)],
    "l2_normalize": [((X,), {"axis": -1}, lambda x, axis: ops.normalize(x, axis, epsilon=1e-12)),
                     ((X,), {}, lambda x: x / np.sqrt((x.astype(float) ** 2).sum()))],
}

STEPWISE = {
    "abs": [((X,), {}, ops.abs)],
    "sign": [((X,), {}, ops.sign)],
    "round": [((np.array([-1.5, -0.5, 0.5, 1.5, 2.4], np.float32),), {}, ops.round)],
    "clip": [((X, -0.5, 0.5), {}, ops.clip), ((X, 0, 1), {}, ops.clip), ((X, Y - 1, Y + 1), {}, ops.clip),
             ((X, None, 0.2), {}, lambda x, low, high: np.minimum(x, high)),
             ((X, 0.2, None), {}, lambda x, low, high: np.maximum(x, low))],
    "maximum": [((X, Y), {}, ops.maximum), ((X, 0.0), {}, ops.maximum), ((IDS, 1.5), {}, np.maximum)],
    "minimum": [((X, Y), {}, ops.minimum)],
    "equal": [((X, X), {}, ops.equal), ((IDS, IDS.T), {}, ops.equal)],
    "not_equal": [((IDS, IDS.T), {}, ops.not_equal)],
    "greater": [((X, Y), {}, ops.greater), ((X, 0), {}, ops.greater)],
    "greater_equal": [((IDS, IDS.T), {}, ops.greater_equal)],
    "less": [((X, Y), {}, ops.less), ((IDS, 1.5), {}, ops.less)],
    "less_equal": [((IDS, IDS.T), {}, ops.less_equal)],
    "max": [((X,), {}, ops.max), ((X, [0, 1], True), {}, ops.max)],
    "min": [((X,), {}, ops.min), ((X, 1), {}, ops.min)],
    "any": [((X > 1.5, -1), {}, ops.any), ((IDS,), {}, ops.any)],
    "all": [((X > -1.5, -1, True), {}, ops.all), ((IDS,), {}, ops.all)],
    "argmax": [((X,), {}, lambda x: ops.argmax(x, -1)), ((X, 0), {}, ops.argmax)],
    "argmin": [((X,), {}, lambda x: ops.argmin(x, -1)), ((X, 1), {}, ops.argmin)],
    "concatenate": [(([X, Y],), {}, lambda both: ops.concatenate(both, -1)), (([X, Y], 0), {}, ops.concatenate)],
    "stack": [(([X, Y],), {}, ops.stack), (([X, Y], -1), {}, ops.stack)],
    "gather": [((X, IDS % 4), {}, lambda x, ids: ops.take(x, ids, 0))],
    "one_hot": [((IDS, 5), {}, ops.one_hot), ((IDS, 3), {}, ops.one_hot)],
    "relu": [((X,), {}, ops.relu), ((X, 0.2), {}, ops.leaky_relu), ((9 * X, 0.0, 6), {}, lambda x, *_: ops.relu6(x)),
             ((X, 0.1, 1.0, 0.3), {}, keras.activations.relu), ((X, 0.0, None, 0.3), {}, keras.activations.relu)],
    "hard_sigmoid": [((4 * X,), {}, lambda x: np.clip(0.2 * x + 0.5, 0, 1))],
    "in_top_k": [((X[0], IDS[0, [0, 1, 0]], 2), {}, lambda p, t, k: ops.in_top_k(t, p, k))],
    "zeros_like": [((X,), {}, ops.zeros_like), ((IDS, "float32"), {}, ops.zeros_like)],
    "ones_like": [((X,), {}, ops.ones_like), ((X,), {"dtype": "int32"}, ops.ones_like)],
    "stop_gradient": [((X,), {}, ops.stop_gradient)],
    "cast": [((X, "int32"), {}, ops.cast), ((IDS, "float32"), {}, ops.cast), ((X, "bool"), {}, ops.cast)],
}

CROSSENTROPIES = {
    "categorical_crossentropy": [((ONE_HOT, PROBABILITIES), {}, ops.categorical_crossentropy),
                                 ((ONE_HOT, SHARES), {}, ops.categorical_crossentropy),
                                 ((ONE_HOT, X, True), {}, ops.categorical_crossentropy),
                                 ((ONE_HOT, X, True, 1), {}, ops.categorical_crossentropy)],
    "sparse_categorical_crossentropy": [
        ((LABELS, PROBABILITIES), {}, ops.sparse_categorical_crossentropy),
        ((LABELS[..., None], X), {"from_logits": True}, ops.sparse_categorical_crossentropy),
        ((LABELS, np.moveaxis(X, -1, 1), True, 1), {},
         lambda t, o, _, axis: ops.sparse_categorical_crossentropy(t, np.moveaxis(o, 1, -1), True))],
    "binary_crossentropy": [((HITS, SHARES), {}, ops.binary_crossentropy),
                            ((HITS, X, True), {}, ops.binary_crossentropy)],
}


def cases(*tables):
    return [pytest.param(f"{name}-{number}", id=f"{name}-{number}")
            for table in tables for name, rows in table.items() for number in range(len(rows))]


def case(label):
    name, number = label.split("-")
    return name, *(SMOOTH | STEPWISE | CROSSENTROPIES)[name][int(number)]


def of_floats(label):
    """The float arrays among the arguments of a case, and the function of them alone."""
    name, args, keywords, _ = case(label)
    leaves, tree = jax.tree.flatten(args)
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray) and leaf.dtype == np.float32]

    def function(floats):
        filled = leaves.copy()
        for place, each in zip(places, floats, strict=True):
            filled[place] = each
        return getattr(K, name)(*jax.tree.unflatten(tree, filled), **keywords)

    return function, [leaves[place] for place in places]


@pytest.fixture(scope="module")
def values():
    """Every case, traced into one program: that is quicker than a program for each."""
    chosen = {param.id: of_floats(param.id) for param in cases(SMOOTH, STEPWISE, CROSSENTROPIES)}
    run = jax.jit(lambda floats: {label: chosen[label][0](floats[label]) for label in chosen}, compiler_options=QUICK)
    return run({label: floats for label, (_, floats) in chosen.items()})


@pytest.fixture(scope="module")
def keras_values():
    """The same by Keras and NumPy, also in one program."""
    def run():
        chosen = {param.id: case(param.id) for param in cases(SMOOTH, STEPWISE, CROSSENTROPIES)}
        return {label: oracle(*args, **keywords) for label, (_, args, keywords, oracle) in chosen.items()}

    with jax.numpy_dtype_promotion("standard"):                        # Keras needs it
        return jax.tree.map(np.asarray, jax.jit(run, compiler_options=QUICK)())


@pytest.fixture(scope="module")
def slopes():
    """For every smooth case, in float64: the slope along one direction, by the gradient and by a central difference."""
    chosen = {param.id: of_floats(param.id)[0] for param in cases(SMOOTH)}

    def both(function, point):
        direction = [jnp.cos(7 * x) for x in point]
        weights = np.sin(1 + np.arange(jax.eval_shape(function, point).size))

        def spread(floats):
            return jnp.vdot(weights, function(floats))

        def at(step):
            return spread([x + step * d for x, d in zip(point, direction, strict=True)])

        return sum(map(jnp.vdot, jax.grad(spread)(point), direction)), (at(1e-4) - at(-1e-4)) / 2e-4

    with jax.enable_x64(True):
        points = {label: [jnp.asarray(x, jnp.float64) for x in of_floats(label)[1]] for label in chosen}
        run = jax.jit(lambda points: {label: both(chosen[label], points[label]) for label in chosen},
                      compiler_options=QUICK)
        return jax.tree.map(np.asarray, run(points))


@pytest.mark.parametrize("label", cases(SMOOTH, STEPWISE, CROSSENTROPIES))
def test_equals_keras(label, values, keras_values):
    assert values[label].dtype == keras_values[label].dtype
    assert_allclose(values[label], keras_values[label], rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("label", cases(SMOOTH))
def test_gradient_is_that_of_finite_differences(label, slopes):
    by_gradient, by_difference = slopes[label]
    assert by_gradient.dtype == np.float64
    assert_allclose(by_gradient, by_difference, rtol=1e-5, atol=1e-6)


@pytest.mark.every(4)
@pytest.mark.parametrize("label", cases(CROSSENTROPIES))
def test_gradient_of_a_crossentropy_is_that_of_keras(label):
    name, (target, output, *rest), keywords, _ = case(label)
    gradient = jax.grad(lambda p: getattr(K, name)(target, p, *rest, **keywords).sum())(output)
    if name.startswith("sparse") and rest:
        output, rest = np.moveaxis(output, 1, -1), [True]
        gradient = np.moveaxis(gradient, 1, -1)
    wanted = jax.grad(lambda p: getattr(ops, name)(target, p, *rest, **keywords).sum())(output)
    assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-6)


def test_every_public_function_is_tested_here():
    elsewhere = ["arange", "backend", "batch_get_value", "batch_set_value", "cast_to_floatx", "clear_session",
                 "constant", "count_params", "dropout", "dtype", "epsilon", "eval", "eye", "floatx", "function", "get_value",
        "gradients", "image_data_format", "in_test_phase", "in_train_phase", "int_shape", "learning_phase", "ndim",
        "ones", "random_binomial", "random_normal", "random_uniform", "set_epsilon", "set_floatx",
        "set_image_data_format", "set_learning_phase", "set_value", "shape", "switch", "truncated_normal", "update",
        "variable", "zeros"]
    assert sorted(K.__all__) == sorted([*SMOOTH, *STEPWISE, *CROSSENTROPIES, *elsewhere])
    assert all(getattr(K, name).__doc__ for name in K.__all__)


# Dtypes ------------------------------------------------------------------------------------------------------------

def test_keras_users_mix_dtypes_freely():
    hits = K.equal(LABELS, K.argmax(PROBABILITIES))                    # float labels, int classes
    assert hits.dtype == bool
    assert K.mean(hits).dtype == jnp.float32
    assert_allclose(K.mean(hits), np.mean(PROBABILITIES.argmax(-1) == LABELS))
    assert_allclose(K.mean(np.array([1, 2])), 1.5)
    assert_allclose(K.var(np.array([1, 2, 4])), np.var([1, 2, 4]), rtol=1e-6)
    assert K.sum(hits).dtype == jnp.int32
    assert_allclose(K.cast(hits, "float32") * 0.5, np.asarray(hits) * 0.5)
    assert K.concatenate([IDS, X[0, :2, :2]]).dtype == jnp.float32
    assert K.stack([1, 2.5]).dtype == jnp.float32
    assert K.maximum(jnp.ones(2, jnp.bfloat16), 0.5).dtype == jnp.bfloat16
    assert K.equal(np.array([1, 2], np.uint8), K.argmax(np.eye(3)[1:3])).tolist() == [True, True]
    assert_allclose(K.categorical_crossentropy(ONE_HOT.astype(bool), PROBABILITIES),
                    K.categorical_crossentropy(ONE_HOT, PROBABILITIES))
    assert_allclose(K.dot(np.ones((2, 2), np.int32), SQUARE[:2]), np.ones((2, 2)) @ SQUARE[:2], rtol=1e-6)


def test_lists_and_numbers_are_arrays_too():
    assert K.square(3.0) == 9 and K.mean([1, 2, 3]) == 2 and K.pow(2, -1.0) == 0.5
    assert K.exp(0) == 1 and K.softmax([1, 1]).tolist() == [0.5, 0.5] and K.relu([-1, 2]).tolist() == [0, 2]


def test_dtype_names():
    assert K.dtype(X) == "float32" and K.dtype([True]) == "bool" and K.dtype(1) == "int32"
    assert K.cast(X, "int64").dtype == jnp.int32 and K.cast(X, "float64").dtype == jnp.float32
    assert K.cast(X, jnp.bfloat16).dtype == K.cast(X, "bfloat16").dtype == jnp.bfloat16
    assert K.cast_to_floatx([1, 2]).dtype == np.float32
    with refuses("Unknown dtype 'flaot32'. Did you mean 'float32'"):
        K.cast(X, "flaot32")


def test_configuration_is_fixed():
    assert K.epsilon() == keras.backend.epsilon() == 1e-7
    assert K.floatx() == keras.backend.floatx() == "float32"
    assert K.image_data_format() == keras.backend.image_data_format() == "channels_last"
    K.set_floatx("float32")
    K.set_epsilon(1e-7)
    K.set_image_data_format("channels_last")
    with refuses("K.set_floatx('float16'): jaxseq has no dtype for the whole program. Write "
                 "Sequential([...], dtype='float16'), or dtype='float16' in a layer; for one array write K.cast(x, dtype)."):
        K.set_floatx("float16")
    with refuses("Write the number where it is used: Adam(epsilon=...)"):
        K.set_epsilon(1e-3)
    with refuses("np.moveaxis(x, 1, -1)"):
        K.set_image_data_format("channels_first")


# Where Keras has a trap --------------------------------------------------------------------------------------------

def test_sqrt_has_a_harmless_edge():
    x = jnp.array([-1.0, 0.0, 4.0, jnp.nan])
    assert_allclose(K.sqrt(x), [0, 0, 2, np.nan])
    assert_allclose(jax.grad(lambda x: K.sqrt(x).sum())(x), [0, 0, 0.25, np.nan])
    assert_allclose(jax.grad(lambda x: K.std(x))(jnp.ones(3)), [0, 0, 0])


def test_relu_keeps_infinities_and_nan():
    assert_allclose(K.relu([-np.inf, np.nan, np.inf]), [0, np.nan, np.inf])
    assert_allclose(jax.vmap(jax.grad(K.relu))(jnp.array([-1.0, 0.0, 1.0])), [0, 0, 1])


def test_clip_refuses_bounds_the_wrong_way_round():
    with refuses("K.clip(x, 1, 0): the smaller bound comes first. Write K.clip(x, 0, 1)."):
        K.clip(X, 1, 0)


def test_ids_out_of_range_show():
    assert np.isnan(K.gather(X, [-1, 4])).all()
    assert_allclose(K.gather(X, 2.0), X[2])
    loss = K.sparse_categorical_crossentropy([-1, 5, 2], PROBABILITIES[0])
    assert np.isnan(loss).tolist() == [True, True, False]
    assert K.in_top_k(X[0], [-1, 5, 2], 5).tolist() == [False, False, True]


def test_in_top_k_counts_ties_and_distrusts_nan():
    scores = np.array([[1, 1, 0], [0, 1, 1], [2, 1, np.nan]], np.float32)
    assert K.in_top_k(scores, [1, 0, 0], 1).tolist() == [True, False, False]


def test_crossentropies_refuse_shapes_that_would_broadcast():
    with refuses("K.categorical_crossentropy wants one-hot target of the shape of output, (4, 3, 5); got (4, 3). Write "
                 "K.sparse_categorical_crossentropy(target, output) for integer classes, or "
                 "K.one_hot(target, num_classes)."):
        K.categorical_crossentropy(LABELS, PROBABILITIES)
    with refuses("of output (4, 3, 5) without axis -1; got (4, 3, 5)."):
        K.sparse_categorical_crossentropy(ONE_HOT, PROBABILITIES)
    with refuses("of output, (5, 1); got (5,). Write K.reshape(target, K.shape(output))."):
        K.binary_crossentropy(HITS[0, 0], SHARES[0, 0][:, None])
    with refuses("For targets (n, 1) write K.flatten(targets)."):
        K.in_top_k(X[0], [[0], [1], [2]], 1)


# Shapes ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32_and_given_back(dtype):
    sure = K.constant([0.0, 1.0], dtype=dtype)
    assert_allclose(np.asarray(K.binary_crossentropy(sure, sure), np.float32), 1e-7, atol=1e-6)
    assert K.binary_crossentropy(sure, sure).dtype == K.categorical_crossentropy(sure, sure).dtype == dtype
    assert_allclose(np.asarray(K.sparse_categorical_crossentropy([1, 0], K.stack([sure, sure])), np.float32), [0, 16.118],
                    atol=0.07)
    assert_allclose(np.asarray(K.l2_normalize(K.constant([0.0, 0.0], dtype=dtype)), np.float32), [0, 0])
    assert_allclose(np.asarray(K.l2_normalize(K.constant([300.0, 400.0], dtype=dtype)), np.float32), [0.6, 0.8], rtol=4e-3)


def test_shape_is_a_tuple_also_while_traced():
    @jax.jit
    def f(x):
        assert K.shape(x) == K.int_shape(x) == (4, 3, 5) and K.ndim(x) == 3
        return K.reshape(x, (K.shape(x)[0], -1))

    assert f(X).shape == (4, 15)
    assert K.batch_flatten(np.ones((0, 2, 3))).shape == (0, 6)


@pytest.mark.parametrize("x, y, axes, message", [
    (X, Y[:2], None, "the batch axes differ, 4 and 2. For a product with one matrix for all examples write "
     "K.dot(x, y)."),
    (X, Y, (0, 1), "axis 0 is the batch. Write an axis from 1 on."),
    (X, Y, (1, 2), "axis 1 of x has 3 elements, axis 2 of y has 5. Write axes=(axis of x, axis of y) of equal length."),
    (X, Y, (1, 3), "write axes=(axis of x, axis of y), one axis of each."),
    (X[0, 0], Y, None, "both need a batch axis and one more. Write K.expand_dims(x)."),
])
def test_batch_dot_says_which_axes_fail(x, y, axes, message):
    with refuses(f"K.batch_dot(x {x.shape}, y {y.shape}, axes={axes!r}): {message}"):
        K.batch_dot(x, y, axes)


def test_shape_errors():
    with refuses("K.repeat needs x (batch, features), got (4, 3, 5)."):
        K.repeat(X, 2)
    with refuses("K.temporal_padding needs x of 3 axes, batch and channels included, got (3, 5)."):
        K.temporal_padding(X[0])
    with refuses("data_format='last': write one of 'channels_last', 'channels_first'."):
        K.spatial_2d_padding(X[None], data_format="last")
    with refuses("Write K.reshape(x, (1, 1))."):
        K.batch_flatten(1.0)


def test_switch_of_a_scalar_runs_one_side():
    safe = jax.jit(jax.grad(lambda x: K.switch(x > 0, lambda: K.log(x), lambda: 0.0)))
    assert safe(2.0) == 0.5 and safe(0.0) == 0
    assert_array_equal(K.switch(True, X, Y), X)
    assert_array_equal(K.switch(0, lambda: X, 7), np.full_like(X, 7))
    assert K.switch(False, lambda: X, lambda: IDS[0, 0]).dtype == jnp.float32


def test_switch_of_an_array_chooses_along_the_first_axes():
    rows = np.array([True, False, True, False])
    assert_array_equal(K.switch(rows, X, lambda: Y), np.where(rows[:, None, None], X, Y))
    assert_array_equal(K.switch(X > 0, X, 0), np.maximum(X, 0))
    assert_array_equal(K.switch(rows, 1, 0), rows)
    with refuses("K.switch: the condition (4, 3, 5) has more axes than the expressions (3, 5) and (). Write "
                 "K.expand_dims(expression) to give them as many."):
        K.switch(X > 0, X[0], 0)


def test_stop_gradient_takes_lists():
    gradient = jax.grad(lambda x: (x * K.stop_gradient([x, x])[0]).sum())(jnp.asarray(X))
    assert_array_equal(gradient, X)


# Making ------------------------------------------------------------------------------------------------------------

def test_arrays_from_nothing():
    assert_array_equal(K.zeros((2, 3)), ops.zeros((2, 3)))
    assert_array_equal(K.ones((2,), "int32"), ops.ones((2,), "int32"))
    assert_array_equal(K.eye(3), ops.eye(3))
    assert K.zeros((2,)).dtype == K.ones((2,)).dtype == K.eye(2).dtype == jnp.float32
    assert_array_equal(K.constant(3, shape=(2, 2)), np.full((2, 2), 3.0))
    assert K.constant([1, 2]).dtype == K.variable([1, 2]).dtype == jnp.float32
    assert K.constant([1, 2], "int32", name="ids").dtype == jnp.int32
    with refuses("K.variable(constraint="):
        K.variable(X, constraint=np.abs)


def test_arange():
    for given in ((4,), (1, 4), (4, 0, -2), (-3,)):
        assert_array_equal(K.arange(*given), np.arange(*given))
    assert K.arange(4).dtype == jnp.int32 and K.arange(4, dtype="float32").dtype == jnp.float32
    assert_allclose(K.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75])


# As users write it -------------------------------------------------------------------------------------------------

def test_a_metric_and_a_loss_of_keras_2():
    def rmse(y_true, y_pred):
        return K.sqrt(K.mean(K.square(y_pred - y_true), axis=-1))

    def f1(y_true, y_pred):
        hits = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
        precision = hits / (K.sum(K.round(K.clip(y_pred, 0, 1))) + K.epsilon())
        recall = hits / (K.sum(K.round(K.clip(y_true, 0, 1))) + K.epsilon())
        return 2 * precision * recall / (precision + recall + K.epsilon())

    assert_allclose(jax.jit(rmse)(X, Y), np.sqrt(np.mean((X - Y) ** 2, -1)), rtol=1e-6)
    assert np.isfinite(jax.grad(lambda y: rmse(X, y).sum())(jnp.asarray(X))).all()
    expected = keras.metrics.F1Score(average="micro", threshold=0.5)(HITS.reshape(-1, 5), SHARES.reshape(-1, 5))
    assert_allclose(jax.jit(f1)(HITS, SHARES), expected, rtol=1e-5)
