"""From what people hand to fit, evaluate and predict to feeds that fit the model, or one clear error.

Nothing here changes the model; everything is asked before the first step.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jaxseq.api import checks, columns
from jaxseq.api.architecture import Architecture
from jaxseq.api.columns import Column
from jaxseq.api.data import Batches, Feed, RowBatches, evaluation_feed as measured, few_rows, longer, training_feed
from jaxseq.api.dealing import dealt_to_measure, dealt_to_train
from jaxseq.api.loop import Plan
from jaxseq.api.sources import Source, parts, source_of
from jaxseq.api.sparse import SparseRows, dense
from jaxseq.api.streams import Stream, StreamedBatches, first_of
from jaxseq.core import chain, run
from jaxseq.core.layers import Embedding
from jaxseq.core.layout import Layout
from jaxseq.core.require import one_of, positive_int, require
from jaxseq.core.types import Batch, Shape

DEFAULT_BATCH_SIZE = 32


class FitWish(NamedTuple):
    """fit()'s arguments about how to go through the data, as the user wrote them."""

    batch_size: int | None
    epochs: int
    validation_split: float
    shuffle: bool | str
    initial_epoch: int
    steps_per_epoch: int | None
    validation_steps: int | None
    validation_batch_size: int | None = None
    validation_freq: Any = 1
    check_finite: bool = False


class Rows(NamedTuple):
    """Columns that belong together, row by row."""

    x: columns.Rows
    y: Column
    weight: Column | None

    def between(self, start: int, stop: int) -> Rows:
        """Some of the rows."""
        return Rows(self.x[start:stop], self.y[start:stop], None if self.weight is None else self.weight[start:stop])


def fit_plan(model: Architecture, loss: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, validation_data: Any,
             wish: FitWish, check_inputs: bool, task: Any) -> tuple[Plan, Shape]:
    """What fit shall do, and the shape of x. ValueError or TypeError for anything that does not fit."""
    one_of("shuffle", wish.shuffle, (True, False, "batch"))
    require(isinstance(wish.check_finite, bool), f"check_finite={wish.check_finite!r}: write True or False.", TypeError)
    epochs = _epochs(wish.initial_epoch, wish.epochs)
    for argument in "steps_per_epoch", "validation_steps":
        limited(argument, getattr(wish, argument), 1)
    source = source_of(x, bool(wish.shuffle))
    if source is not None:
        _require_alone(y, sample_weight, wish.batch_size)
        return _streamed_plan(model, loss, source, class_weight, validation_data, epochs, wish, check_inputs, task)
    size = batch_size(model, wish.batch_size)
    rows = fitted_rows(model, loss, x, y, sample_weight, class_weight, "", check_inputs)
    train, valid = _split(rows, wish.validation_split, validation_data)
    if valid is not None and class_weight is not None:
        valid = valid._replace(weight=None)                 # it weighs what is trained on, as where validation_data are given
    whole_batches(model, f"x less validation_split={wish.validation_split}" if valid else "x", train.x.shape[0], size)
    train_feed = _to_train(train, size, wish.shuffle, run.may_pad(task, train=True), task.layout)
    steps = train_feed.steps if wish.steps_per_epoch is None else int(wish.steps_per_epoch)
    seen = shown(model, rows.x)
    valid_feed = None if valid is None else _columns_to_measure(seen, valid, wish, task)
    if validation_data is not None:
        valid_feed = _validation_feed(seen, loss, validation_data, wish, check_inputs, task)
    return _plan(train_feed, valid_feed, epochs, steps, wish), rows.x.shape


def _streamed_plan(model: Architecture, loss: Any, source: Source, class_weight: Any, validation_data: Any, epochs: range,
                   wish: FitWish, check_inputs: bool, task: Any) -> tuple[Plan, Shape]:
    """`fit_plan` for data that come batch by batch."""
    require(not wish.validation_split, "validation_split needs arrays: pass validation_data beside batches.")
    fit = partial(_fitted_batch, model, loss, class_weight, "", check_inputs)
    first = first_of(source, fit)
    train = Stream(source, fit, run.may_pad(task, train=True), task.layout)
    steps = source.length if wish.steps_per_epoch is None else int(wish.steps_per_epoch)
    seen = shown(model, first.x)
    valid = None if validation_data is None else _validation_feed(seen, loss, validation_data, wish, check_inputs, task)
    return _plan(train, valid, epochs, steps, wish), first.x.shape


def _require_alone(y: Any, sample_weight: Any, size: Any) -> None:
    _require_no_size("batch_size", size)
    require(y is None and sample_weight is None, "x gives batches by itself, so y and sample_weight must come in them: let "
            "each batch be (x, y) or (x, y, sample_weight).", TypeError)


def _require_no_size(argument: str, size: Any) -> None:
    require(size is None, f"{argument}={size!r}, and the data come in batches of their own: leave {argument} out.")


def _plan(train: Feed, valid: Feed | None, epochs: range, steps: int | None, wish: FitWish) -> Plan:
    if valid is None:
        require(wish.validation_steps is None, "validation_steps needs validation_data or validation_split.")
        return Plan(train, None, epochs, steps, 0, check_finite=wish.check_finite)
    valid_steps = limited("validation_steps", wish.validation_steps, valid.steps)
    return Plan(train, valid, epochs, steps, valid_steps, _validated(epochs, wish.validation_freq), wish.check_finite)


def _validated(epochs: range, frequency: Any) -> frozenset[int]:
    """The epochs after which a validation follows: every n-th, or those of a list that counts from 1."""
    if isinstance(frequency, list | tuple | set | range):
        return frozenset(epoch for epoch in epochs if epoch + 1 in frequency)
    positive_int("validation_freq", frequency)
    return frozenset(epoch for epoch in epochs if (epoch + 1) % frequency == 0)


def _validation_feed(model: Architecture, loss: Any, data: Any, wish: FitWish, check_inputs: bool, task: Any) -> Feed:
    source = source_of(data)
    if source is None:
        return _columns_to_measure(model, _validation_rows(model, loss, data, check_inputs), wish, task)
    _require_no_size("validation_batch_size", wish.validation_batch_size)
    return _stream_to_measure(model, loss, source, "validation ", check_inputs, task)[0]


def _columns_to_measure(model: Architecture, rows: Rows, wish: FitWish, task: Any) -> Feed:
    asked = wish.batch_size if wish.validation_batch_size is None else wish.validation_batch_size
    size = batch_size(model, asked, "batch_size" if wish.validation_batch_size is None else "validation_batch_size")
    whole_batches(model, "validation x", rows.x.shape[0], size)
    return _to_measure(rows, size, task)


def _stream_to_measure(model: Architecture, loss: Any, source: Source, prefix: str, check_inputs: bool,
                       task: Any) -> tuple[Feed, Batch]:
    """(the feed, its first batch)."""
    fit = partial(_fitted_batch, model, loss, None, prefix, check_inputs)
    first = first_of(source, fit)
    return Stream(source, fit, run.may_pad(task, train=False), task.layout), first


def _fitted_batch(model: Architecture, loss: Any, class_weight: Any, prefix: str, check_inputs: bool, given: Any) -> Batch:
    """A batch as a source gives it, as columns that fit the model."""
    x, y, weight = parts(given)
    rows = fitted_rows(model, loss, x, y, weight, class_weight, prefix, check_inputs)
    return Batch(dense(rows.x), rows.y, rows.weight)


def evaluation_feed(model: Architecture, loss: Any, x: Any, y: Any, sample_weight: Any, size: int | None,
                    check_inputs: bool, task: Any) -> tuple[Feed, Shape]:
    """The data of evaluate, ready to be run over, and the shape of x."""
    source = source_of(x)
    if source is not None:
        _require_alone(y, sample_weight, size)
        feed, first = _stream_to_measure(model, loss, source, "", check_inputs, task)
        return feed, first.x.shape
    size = batch_size(model, size)
    rows = fitted_rows(model, loss, x, y, sample_weight, None, "", check_inputs)
    whole_batches(model, "x", rows.x.shape[0], size)
    return _to_measure(rows, size, task), rows.x.shape


def training_batch(model: Architecture, loss: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any,
                   layout: Layout | None) -> tuple[Feed, Shape]:
    """The data of train_on_batch as one batch, and the shape of x."""
    rows = fitted_rows(model, loss, x, y, sample_weight, class_weight, "", True)
    return _to_train(rows, one_batch(model, rows.x), False, False, layout), rows.x.shape


def _to_train(rows: Rows, size: int, shuffle: bool | str, padded: bool, layout: Layout | None) -> Feed:
    if layout is not None:
        return dealt_to_train(layout, *rows, size, shuffle, padded)
    return training_feed(*rows, size, shuffle, padded)


def _to_measure(rows: Rows, size: int, task: Any) -> Feed:
    padded = run.may_pad(task, train=False)
    return measured(*rows, size, padded) if task.layout is None else dealt_to_measure(task.layout, *rows, size, padded)


def prediction_feed(model: Architecture, x: Any, size: int | None, steps: int | None, check_inputs: bool,
                    joint: bool = False) -> tuple[Batches, Shape]:
    """The data of predict, ready to be run over, and the shape of x. joint: whether several processes predict them."""
    source, padded = source_of(x), chain.by_row(model.layers, train=False)
    if source is not None:
        _require_no_size("batch_size", size)
        fit = lambda given: dense(fitted_predictors(model, parts(given)[0], check_inputs))
        batches = StreamedBatches(source, fit, padded, steps, joint)
        return batches, batches.x.shape
    size = batch_size(model, size)
    fitted = fitted_predictors(model, x, check_inputs)
    whole_batches(model, "x", fitted.shape[0], size)
    return RowBatches(fitted, size, padded), fitted.shape


def ready_rows(model: Architecture, x: Any, size: Any, check_inputs: bool) -> np.ndarray | None:
    """The rows of predict where nothing is left to ask: one batch of finite float32 rows of the model's own shape, filled up.

    None wherever that is not so, or not sure; `prediction_feed` takes those, and says what is wrong.
    """
    if type(x) is not np.ndarray or x.dtype != np.float32 or not model.layers or isinstance(_first_layer(model), Embedding):
        return None
    fixed = _fixed_batch_size(model)
    most = fixed or DEFAULT_BATCH_SIZE if size is None else size
    if type(most) is not int or not 0 < len(x) <= most or fixed not in (None, len(x)) or fixed not in (None, most):
        return None
    if model.input is None or x.ndim != len(model.input) or x.shape[1:] != model.input[1:]:
        return None
    if check_inputs and not np.isfinite(x).all():
        return None
    return longer(x, few_rows(len(x), most)) if len(x) > 1 and chain.by_row(model.layers, train=False) else x


def fitted_predictors(model: Architecture, x: Any, check_inputs: bool) -> Any:
    """x as a column that fits the model, on the host."""
    given = _predictors(model, "x", x)
    require(model.input is not None or given.shape[0], f"x is empty, shape {given.shape}, and the model has not seen its input "
            "yet: build it first, build((None, 784)).")
    fitted = fitted_x(model, "x", given)
    if check_inputs:
        checks.check_x_values("x", given, _first_layer(model))
    return fitted if isinstance(fitted, SparseRows) else np.asarray(fitted)


def fitted_rows(model: Architecture, loss: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, prefix: str,
                check_inputs: bool) -> Rows:
    """x, y and weights as columns that fit the model, its output and its loss."""
    x_name, y_name, weight_name = f"{prefix}x", f"{prefix}y", f"{prefix}sample_weight"
    wide = _wide(model)
    given_x = _predictors(model, x_name, x)
    require(y is not None, f"{y_name} is missing: pass the targets, {y_name}, beside {x_name}.", TypeError)
    x = fitted_x(model, x_name, given_x)
    output = shown(model, x).edges[-1][0]
    whole = partial(_is_all, given_x.shape[0], len(output))
    given_y = columns.column(y_name, columns.the_only(y, whole), wide)
    weight = None if sample_weight is None else columns.column(weight_name, columns.the_only(sample_weight, whole), wide)
    columns.same_length({x_name: given_x, y_name: given_y, weight_name: weight})
    y = checks.fitted_y(y_name, given_y, output, loss)
    if check_inputs:                                    # of what was given, so that the places are the user's own
        checks.check_x_values(x_name, given_x, _first_layer(model))
        checks.check_y_values(y_name, given_y, output, loss)
    if weight is not None:
        weight = checks.fitted_weight(weight_name, weight, output)
    if class_weight is not None:
        require(weight is None, "class_weight and sample_weight both weigh the rows: multiply them and pass sample_weight.")
        weight = columns.column("class_weight", checks.class_weights(class_weight, given_y, loss), wide)
    return Rows(x, y, weight)


def _is_all(rows: int, axes: int, array: Any) -> bool:
    """Whether an array in a list has an entry for each row, and is not itself the only row, which has an axis less."""
    return array.shape[:1] == (rows,) and (rows > 1 or len(array.shape) != axes - 1)


def _is_input(model: Architecture, array: Any) -> bool:
    """Whether an array in a list has as many axes as the model's input; where that is not known yet, more than one."""
    return len(array.shape) == len(model.input) if model.input else len(array.shape) > 1


def fitted_x(model: Architecture, name: str, x: columns.Rows) -> Any:
    """x as the model's input; where the model has not seen its input yet, x says what it is."""
    require(model.layers, "The model is empty: add a layer first, model.add(Dense(10)).")
    if model.input is not None:
        return checks.fitted_x(name, x, model.input)
    return checks.fitted_x(name, x, (None,) * max(2, x.ndim))


def shown(model: Architecture, x: columns.Rows) -> Architecture:
    """The architecture as it will be once it has seen x; itself where its input is known."""
    if model.input is not None:
        return model
    trial = Architecture(model.layers, batch_size=model.batch_size, dtype=model.dtype, policy=model.policy)
    trial.declare((None, *x.shape[1:]))
    return trial


def batch_size(model: Architecture, size: Any, argument: str = "batch_size") -> int:
    """The batch size to work with: the model's fixed one, or the one asked for, or 32."""
    fixed = _fixed_batch_size(model)
    if size is None:
        return fixed or DEFAULT_BATCH_SIZE
    size = positive_int(argument, size)
    require(fixed is None or size == fixed, f"{argument}={size}, but the model is declared for batches of {fixed}: pass "
            f"{argument}={fixed}, or build it without a fixed batch size.")
    return size


def whole_batches(model: Architecture, name: str, rows: int, size: int) -> None:
    """ValueError when a model with a fixed batch size would meet a smaller last batch."""
    whole = _fixed_batch_size(model) is None or rows % size == 0
    require(whole, f"{name} has {rows} rows, but the model is declared for batches of exactly {size}: pass "
            f"{rows // size * size or size} rows.")


def one_batch(model: Architecture, x: Any) -> int:
    """The rows of x, for calls that take them as one batch; ValueError when a fixed batch size is another."""
    rows, fixed = max(1, _predictors(model, "x", x).shape[0]), _fixed_batch_size(model)
    require(fixed in (None, rows), f"x has {rows} rows, but the model is declared for batches of exactly {fixed}: pass {fixed} "
            "rows.")
    return rows


def limited(argument: str, steps: int | None, available: int | None) -> int | None:
    """`steps` when given, but never more than there are. None: as many as there will be."""
    if steps is None:
        return available
    return positive_int(argument, steps) if available is None else min(positive_int(argument, steps), available)


def _fixed_batch_size(model: Architecture) -> int | None:
    return model.input[0] if model.input is not None else model.batch_size


def _predictors(model: Architecture, name: str, x: Any) -> columns.Rows:
    """x as a column; where the model begins with an Embedding, text is told how it becomes ids."""
    x = columns.the_only(x, partial(_is_input, model))
    if model.layers:
        checks.check_not_text(name, x, _first_layer(model))
    return columns.predictors(name, x, _wide(model))


def _wide(model: Architecture) -> bool:
    """Whether the model computes in float64 anywhere, so that data of that dtype stay what they are."""
    return "float64" in model.formats


def _first_layer(model: Architecture) -> Any:
    layer = model.layers[0][1]
    while layer.row_of:
        layer = layer.row_of[0][1]
    return layer


def _epochs(initial: Any, stop: Any) -> range:
    for name, value in ("epochs", stop), ("initial_epoch", initial):
        whole = hasattr(value, "__index__") and not isinstance(value, bool) and int(value) >= 0
        require(whole, f"{name}={value!r}: write a whole number of at least 0.")
    require(initial <= stop, f"initial_epoch={initial} lies behind epochs={stop}, the number of the last epoch: write "
            f"epochs={initial + stop} to train for {stop} more.")
    return range(int(initial), int(stop))


def _split(rows: Rows, share: Any, validation_data: Any) -> tuple[Rows, Rows | None]:
    """(rows to train on, rows held out from the end), as Keras cuts them: before any shuffling."""
    usable = isinstance(share, int | float | np.floating) and not isinstance(share, bool) and 0 <= share < 1
    require(usable, f"validation_split={share!r}: write a share from 0 up to, and without, 1.")
    if not share or validation_data is not None:
        return rows, None
    count = rows.x.shape[0]
    cut = int(np.floor(count * (1 - share)))
    require(0 < cut < count, f"validation_split={share} of {count} rows leaves {cut} to train on and {count - cut} to "
            "measure: neither may be empty.")
    return rows.between(0, cut), rows.between(cut, count)


def _validation_rows(model: Architecture, loss: Any, data: Any, check_inputs: bool) -> Rows:
    parts = isinstance(data, tuple | list)
    told = f"is a {type(data).__name__} of {len(data)}" if parts else f"is of type {type(data).__name__}"
    require(parts and len(data) in (2, 3), f"validation_data {told}: write (x, y) or (x, y, sample_weight).", TypeError)
    x, y, weight = (*data, None)[:3]
    return fitted_rows(model, loss, x, y, weight, None, "validation ", check_inputs)
