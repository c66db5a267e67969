"""Data that come batch by batch: generators, Sequence, loaders of other libraries. Oracle: the same rows as arrays."""

import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxseq.callbacks import LambdaCallback
from jaxseq.layers import Dense
from jaxseq.models import Sequential
from jaxseq.utils import PyDataset, Sequence

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(20, 4)).astype(np.float32), RANDOM.integers(0, 3, 20)
SIZE = 6                                # three full batches and one of two rows


def batches(size=SIZE):
    return [(X[at:at + size], Y[at:at + size]) for at in range(0, len(X), size)]


class Rows(Sequence):
    """The rows in batches; notes in which thread each was read."""

    def __init__(self, **options):
        super().__init__(**options)
        self.threads, self.passes = [], 0

    def __len__(self):
        return len(batches())

    def __getitem__(self, index):
        self.threads.append(threading.current_thread().name)
        time.sleep(0.002 * (index % 3))                 # later ones may be ready first
        return batches()[index]

    def on_epoch_end(self):
        self.passes += 1


class Loader:
    """What only says `__iter__`, as loaders do."""

    def __iter__(self):
        return iter(batches())


class Sized(Loader):
    def __len__(self):
        return len(batches())


class Tensor:
    """As far as a torch tensor is looked at."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    cpu = detach

    def numpy(self):
        return self.array


class Tensors:
    def __iter__(self):
        return ((Tensor(x), Tensor(y)) for x, y in batches())


class Dataset:
    """As far as tf.data is looked at."""

    def as_numpy_iterator(self):
        return iter(batches())


def make():
    model = Sequential([Dense(5, activation="relu", input_shape=(4,)), Dense(3, activation="softmax")], seed=3)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def expected():
    """(model, History) after three epochs over the rows as arrays, in their order."""
    model = make()
    return model, model.fit(X, Y, batch_size=SIZE, epochs=3, shuffle=False, verbose=0)


@pytest.mark.every(7)
@pytest.mark.parametrize("data", [Rows, lambda: Rows(workers=3, max_queue_size=2), Loader, Sized, Dataset, Tensors,
                                  lambda: iter(batches() * 3)],
                         ids=["Sequence", "three workers", "iterable", "sized", "tf.data", "tensors", "iterator"])
def test_training_is_that_on_arrays(data, expected):
    model, given = make(), data()
    steps = len(batches()) if hasattr(given, "__next__") else None
    history = model.fit(given, epochs=3, shuffle=False, steps_per_epoch=steps, verbose=0)
    assert model.fingerprint() == expected[0].fingerprint()
    assert history.history == expected[1].history


def test_a_generator_function_of_keras_2_runs(expected):
    def forever():
        while True:
            yield from batches()

    model = make()
    model.fit_generator(forever(), steps_per_epoch=len(batches()), epochs=3, verbose=0)
    assert model.fingerprint() == expected[0].fingerprint()
    loss = model.evaluate_generator(forever(), steps=len(batches()))
    assert loss == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)
    assert_array_equal(model.predict_generator(iter(batches())), model.predict(X, batch_size=SIZE))


def test_the_fractional_steps_of_keras_2_are_the_next_whole_number(expected):
    """Keras 2.2.4 goes on while fewer steps are done: 20 rows in batches of 6 are 4 steps."""
    def forever():
        while True:
            yield from batches()

    model, steps = make(), len(X) / SIZE
    history = model.fit_generator(forever(), steps_per_epoch=steps, epochs=3, verbose=0, validation_data=forever(),
                                  validation_steps=np.float64(steps))
    assert model.fingerprint() == expected[0].fingerprint()
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-6)
    assert model.evaluate_generator(forever(), steps) == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)
    assert_array_equal(model.predict_generator(forever(), steps), model.predict(X, batch_size=SIZE))


def test_fit_itself_takes_whole_steps_alone(refuses):
    with refuses("steps_per_epoch=2.5: write a whole number of at least 1."):
        make().fit(iter(batches()), steps_per_epoch=2.5, verbose=0)
    with refuses("steps_per_epoch=0: write a whole number of at least 1."):
        make().fit_generator(iter(batches()), steps_per_epoch=0.0, verbose=0)


@pytest.mark.parametrize(("method", "word", "told"), [
    ("fit_generator", "samples_per_epoch", "write steps_per_epoch=rows // batch_size."),
    ("fit_generator", "nb_val_samples", "write validation_steps=rows // batch_size."),
    ("fit_generator", "nb_worker", "write workers."), ("fit_generator", "nb_epoch", "write epochs."),
    ("evaluate_generator", "val_samples", "write steps=rows // batch_size."),
    ("predict_generator", "val_samples", "write steps=rows // batch_size.")])
def test_the_words_of_keras_1_are_told_what_they_are_called(refuses, method, word, told):
    with refuses(f"{method} takes no argument {word!r}, which is Keras 1's: {told}", TypeError):
        getattr(make(), method)(iter(batches()), **{word: 20})


@pytest.mark.parametrize(("method", "word", "meant"), [
    ("fit_generator", "steps_per_epochs", "'steps_per_epoch'"), ("evaluate_generator", "step", "'steps'"),
    ("predict_generator", "step", "'steps'"), ("predict_proba", "batchsize", "'batch_size'"),
    ("predict_classes", "batchsize", "'batch_size'")])
def test_a_misspelt_word_of_keras_2s_methods(refuses, method, word, meant):
    with refuses(f"{method} takes no argument {word!r}. Did you mean {meant}?", TypeError):
        getattr(make(), method)(X, **{word: 2})


def test_a_generator_is_asked_for_no_more_than_is_trained_on():
    asked = []

    def counting():
        for number in range(100):
            asked.append(number)
            yield batches()[0]

    make().fit(counting(), steps_per_epoch=3, epochs=2, verbose=0)
    assert len(asked) == 6


def test_data_that_end_too_soon_end_the_run_with_a_warning():
    model = make()
    with pytest.warns(UserWarning, match="The data ended before epoch 2 of 3: a generator must give batches for all epochs"):
        history = model.fit(iter(batches()), epochs=3, verbose=0)
    assert history.epoch == [0] and int(model.train_state.step) == len(batches())


def test_the_order_of_a_sequence_is_shuffled_by_the_seed():
    read = []

    class Noting(Rows):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    runs = []
    for _ in range(2):
        read.clear()
        model = make()
        model.fit(Noting(), epochs=3, verbose=0)
        runs.append((list(read), model.fingerprint()))
    assert runs[0] == runs[1]
    after_the_first_look = runs[0][0][1:]
    passes = [after_the_first_look[at:at + 4] for at in range(0, 12, 4)]
    assert all(sorted(each) == [0, 1, 2, 3] for each in passes) and len({tuple(each) for each in passes}) > 1


def test_a_sequence_is_told_when_a_pass_is_over_and_read_in_threads():
    rows = Rows()
    make().fit(rows, epochs=2, verbose=0)
    assert rows.passes == 2
    assert all(name.startswith("jaxseq-data") for name in rows.threads[1:])
    assert not data_threads()


def test_validation_evaluation_and_prediction_read_them_too(expected):
    model, _ = expected
    history = make().fit(X, Y, validation_data=Rows(), validation_steps=2, verbose=0).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert model.evaluate(Rows(), verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)
    assert model.evaluate(Loader(), steps=2, verbose=0) == pytest.approx(model.evaluate(X[:12], Y[:12], verbose=0), rel=1e-6)
    assert_array_equal(model.predict(Rows()), model.predict(X, batch_size=SIZE))
    assert_array_equal(model.predict((x for x, _ in batches())), model.predict(X, batch_size=SIZE))
    assert model.predict(Loader(), steps=1).shape == (SIZE, 3)


def test_a_batch_may_bring_weights(expected):
    weight = RANDOM.random(20).astype(np.float32)
    weighted = [(x, y, weight[6 * at:6 * at + 6]) for at, (x, y) in enumerate(batches())]
    one, other = make(), make()
    one.fit(weighted.__iter__(), epochs=1, verbose=0)
    other.fit(X, Y, sample_weight=weight, batch_size=SIZE, shuffle=False, verbose=0)
    assert one.fingerprint() == other.fingerprint()


def test_the_first_batch_declares_the_input():
    model = Sequential([Dense(3, activation="softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(Loader(), verbose=0)
    assert model.input_shape == (None, 4) and int(model.train_state.step) == 4


class Broken(Exception):
    """Of the data, not of ours."""


@pytest.mark.parametrize("after", [0, 2])
def test_an_error_in_the_data_comes_as_it_is_and_the_model_stands_at_its_last_step(after):
    def breaking():
        yield from batches()[:after]
        raise Broken("disk")

    model = make()
    with pytest.raises(Broken, match=f"^disk\nIn batch {after} of the data, counted from 0.$") as caught:
        model.fit(breaking(), verbose=0)
    assert any(entry.name == "breaking" for entry in caught.traceback)
    assert int(model.train_state.step) == after
    model.fit(X, Y, verbose=0)
    assert not data_threads()


def data_threads():
    return [each for each in threading.enumerate() if each.name.startswith("jaxseq-data")]


WIDE = (X[:6, :2], Y[:6])


@pytest.mark.every(4)
@pytest.mark.parametrize(("data", "number"), [
    (lambda: iter([*batches()[:2], WIDE]), 2), (lambda: iter([WIDE]), 0), (lambda: Misfit(3), 3), (lambda: Misfit(1, 2), 1),
], ids=["third", "first", "of a Sequence", "of a Sequence that is read in threads"])
def test_a_batch_that_does_not_fit_is_named_by_its_number(data, number):
    for use in make().fit, make().evaluate:
        with pytest.raises(ValueError, match=r"^x has shape \(6, 2\), but the model wants \(None, 4\)") as caught:
            use(data(), verbose=0)
        assert caught.value.__notes__ == [f"In batch {number} of the data, counted from 0."]
        assert not data_threads()
    with pytest.raises(ValueError) as caught:
        make().predict(data())
    assert caught.value.__notes__ == [f"In batch {number} of the data, counted from 0."]


class Misfit(Rows):
    """The rows, but for one batch that the model does not want."""

    def __init__(self, wide, workers=1):
        super().__init__(workers=workers)
        self.wide = wide

    def __getitem__(self, index):
        return WIDE if index == self.wide else super().__getitem__(index)


def test_an_error_of_the_data_carries_the_number_too():
    class Torn(Rows):
        def __getitem__(self, index):
            return super().__getitem__({0: 0, 1: 1}[index])

    model = make()
    with pytest.raises(KeyError) as caught:
        model.fit(Torn(workers=2), shuffle=False, verbose=0)
    assert caught.value.__notes__ == ["In batch 2 of the data, counted from 0."]
    assert any(entry.name == "__getitem__" for entry in caught.traceback) and int(model.train_state.step) == 2


@pytest.mark.every(3)
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("where", ["fit", "evaluate", "predict"])
def test_no_thread_outlives_a_run_that_breaks_off(workers, where):
    class Long(Rows):
        def __len__(self):
            return 400

        def __getitem__(self, index):
            return super().__getitem__(index % 4)

    def stop(batch, logs):
        raise Broken("callback")

    hook = {"fit": "on_train_batch_end", "evaluate": "on_test_batch_end", "predict": "on_predict_batch_end"}[where]
    rows = Long(workers=workers, max_queue_size=5)
    assert not data_threads()
    try:
        getattr(make(), where)(rows, verbose=0, callbacks=LambdaCallback(**{hook: stop}))
    except Broken:                          # while the error is held, and with it the frames of the run
        assert not data_threads()
    else:
        pytest.fail("the callback's error is lost")
    assert len(rows.threads) < 20           # what nobody asked for was not read


def test_a_generator_that_was_not_read_to_its_end_goes_on():
    rows = iter(batches() * 3)
    make().fit(rows, steps_per_epoch=2, verbose=0)
    assert len(list(rows)) == 10


def test_a_pass_stands_between_its_hooks():
    class Hooked(Rows):
        seen = ()

        def on_epoch_begin(self):
            self.seen += ("begin", len(self.threads))

        def on_epoch_end(self):
            self.seen += ("end", len(self.threads))

    rows = Hooked()
    make().fit(rows, epochs=2, verbose=0)
    assert rows.seen == ("begin", 1, "end", 5, "begin", 5, "end", 9)        # one batch is looked at before


def test_validation_by_a_loader_and_class_weight_beside_one(expected):
    weights = {0: 1.0, 1: 2.0, 2: 0.5}
    one, other = make(), make()
    words = {"epochs": 2, "verbose": 0, "shuffle": False, "class_weight": weights}
    history = one.fit(Sized(), validation_data=Sized(), **words).history
    arrays = other.fit(X, Y, batch_size=SIZE, validation_data=(X, Y), **words).history
    assert list(history) == list(arrays) and all(history[name] == pytest.approx(arrays[name], rel=1e-6) for name in arrays)
    assert one.fingerprint() == other.fingerprint()


def test_a_loader_of_tensorflow(expected):
    tensorflow = pytest.importorskip("tensorflow")
    model = make()
    model.fit(tensorflow.data.Dataset.from_tensor_slices((X, Y)).batch(SIZE).prefetch(2), epochs=3, verbose=0)
    assert model.fingerprint() == expected[0].fingerprint()


def test_a_loader_of_grain(expected):
    grain = pytest.importorskip("grain")
    rows = grain.MapDataset.source(list(zip(X, Y, strict=True))).batch(SIZE)
    for loader in rows, rows.to_iter_dataset():
        model = make()
        model.fit(loader, epochs=3, verbose=0)
        assert model.fingerprint() == expected[0].fingerprint()


def test_a_loader_of_torch(expected):
    torch = pytest.importorskip("torch")
    rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    model = make()
    model.fit(torch.utils.data.DataLoader(rows, batch_size=SIZE), epochs=3, verbose=0)
    assert model.fingerprint() == expected[0].fingerprint()


@pytest.mark.parametrize(("call", "message"), [
    (lambda model: model.fit(Loader(), Y, verbose=0), "x gives batches by itself, so y and sample_weight must come in them"),
    (lambda model: model.fit(Loader(), validation_split=0.1), "validation_split needs arrays: pass validation_data beside"),
    (lambda model: model.fit(iter([])), "The data are empty: they gave no batch."),
    (lambda model: model.fit(iter([(X, Y, Y, Y)])), "The data gave a tuple of 4: a batch is (x, y) or (x, y, sample_weight)."),
    (lambda model: model.fit(iter([X])), "y is missing: pass the targets, y, beside x."),
    (lambda model: model.evaluate(Loader(), Y), "x gives batches by itself, so y and sample_weight must come in them"),
    (lambda model: model.fit(iter([(X[:, :2], Y)])), "x has"),
])
def test_what_does_not_fit_is_told_before_the_first_step(call, message):
    model = make()
    before = model.fingerprint()
    with pytest.raises((ValueError, TypeError), match=message.replace("(", r"\(").replace(")", r"\)")):
        call(model)
    assert model.fingerprint() == before


def test_a_sequence_without_its_methods_says_which():
    with pytest.raises(NotImplementedError, match="Sequence needs __len__: the number of its batches"):
        make().fit(Sequence(), verbose=0)


def test_it_goes_by_both_of_its_names():
    assert PyDataset is Sequence


def forever():
    while True:
        yield from batches()


@pytest.mark.parametrize("data", [forever, Rows, Loader], ids=["generator", "Sequence", "iterable"])
def test_every_epoch_is_validated(data):
    history = make().fit(X, Y, epochs=4, validation_data=data(), validation_steps=2, verbose=0).history
    assert len(history["val_loss"]) == 4


def test_validation_data_that_end_too_soon_are_told():
    with pytest.warns(UserWarning, match="The validation data ended before epoch 2: a generator must give batches for all"):
        history = make().fit(X, Y, epochs=2, validation_data=iter(batches()), verbose=0).history
    assert len(history["val_loss"]) == 1


def test_an_object_that_is_no_sequence_of_ours_is_refused():
    class Forgot:
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return batches()[0]

    with pytest.raises(TypeError, match="or let it subclass jaxseq.utils.Sequence to be read batch by batch"):
        make().fit(Forgot(), verbose=0)


def test_an_error_in_the_first_batch_of_a_sequence_comes_as_it_is():
    class Wrong(Rows):
        def __getitem__(self, index):
            return [][index]

    with pytest.raises(IndexError, match="list index out of range"):
        make().fit(Wrong(), verbose=0)


@pytest.mark.parametrize("call", [
    lambda model: model.fit(iter(batches()), batch_size=4), lambda model: model.evaluate(Rows(), batch_size=4),
    lambda model: model.predict(Rows(), batch_size=4),
    lambda model: model.fit(X, Y, validation_data=Rows(), validation_batch_size=4)], ids=range(4))
def test_batches_have_their_own_size(call):
    with pytest.raises(ValueError, match=r"batch_size=4, and the data come in batches of their own: leave .*batch_size out\."):
        call(make())


def test_no_batch_of_a_validation_is_empty():
    with pytest.raises(ValueError, match="validation_batch_size=0"):
        make().fit(X, Y, validation_split=0.5, validation_batch_size=0)
