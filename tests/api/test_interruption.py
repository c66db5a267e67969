"""Whatever breaks a run off, the model stands at its last whole step, tidy and ready to go on."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable

import jax
import numpy as np
import pytest
from jax.experimental import io_callback
from whole_steps import STEPS, assert_at_a_whole_step, assert_usable, fit, steps_of

from jaxseq.api import hosts, loop
from jaxseq.api.interrupt import Interrupt, at_step_boundary, keeping
from jaxseq.callbacks import Callback, EarlyStopping, LambdaCallback
from jaxseq.layers import Dense, Dropout, Layer
from jaxseq.models import Sequential


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def threads() -> list[threading.Thread]:
    """The threads that Python has started; those of XLA that have once called into Python are not among them."""
    return [each for each in threading.enumerate() if not isinstance(each, threading._DummyThread)]


@pytest.fixture(autouse=True)
def python_answers_ctrl_c(ctrl_c):
    """Python's own handler, which must be back in its place afterwards."""
    running = threads()
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert threads() == running


# ---- Ctrl-C

def interrupted(call: Callable[[], object], delay: float) -> bool:
    """Whether Ctrl-C, pressed `delay` seconds after the start, came before the call had ended."""
    timer = threading.Timer(delay, press_ctrl_c)
    ended = False
    try:
        timer.start()
        call()
        ended = True
        timer.join()
        time.sleep(0.001)                   # a signal is answered between two instructions of Python
    except KeyboardInterrupt:
        timer.join()
        return not ended
    raise AssertionError("Ctrl-C was pressed, and nobody answered.")


def test_the_model_is_whole_after_each_of_200_interruptions(first_day, data, whole_steps):
    fingerprints, uninterrupted = whole_steps
    model, start = first_day
    other = Sequential([Dense(8, input_shape=(4,)), Dense(3)], seed=1)
    other.build()
    optimizers = {"sgd": 0, "adam": 0}

    def compile_anew():
        for name in optimizers:
            other.compile(name, "mse")

    calls = {
        "fit": lambda: fit(model, data, validation_data=data),
        "evaluate": lambda: model.evaluate(data.x, data.y, batch_size=4, verbose=0),
        "predict": lambda: model.predict(data.x, batch_size=4),
        "train_on_batch": lambda: [model.train_on_batch(data.x[:8], data.y[:8]) for _ in range(3)],
        "compile": compile_anew,
    }
    batches = []
    model.train_state = start
    for _ in range(4):
        batches.append(model.fingerprint())
        model.train_on_batch(data.x[:8], data.y[:8])
    usual = {}
    for name, call in calls.items():
        model.train_state = start
        call()
        began = time.perf_counter()
        call()
        usual[name] = time.perf_counter() - began

    dice = random.Random(0)
    in_time = 0
    for _ in range(200):
        name = dice.choice(list(calls))
        model.train_state, model.history = start, None
        running = threads()
        in_time += interrupted(calls[name], dice.uniform(0, usual[name]))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert threads() == running
        assert_at_a_whole_step(model, batches if name == "train_on_batch" else fingerprints)
        if model.history is not None:
            done = len(model.history.epoch)
            assert model.history.epoch == list(range(done))
            assert model.history.history == {key: values[:done] for key, values in uninterrupted.items() if done}
        optimizer = other.optimizer.transform().init(other.params)
        assert jax.tree.structure(other.train_state.opt_state) == jax.tree.structure(optimizer)
    assert in_time > 50                     # the rest were pressed when the call had just ended
    assert_usable(model, data)
    assert np.isfinite(other.train_on_batch(data.x, data.x[:, :3]))


def test_a_first_ctrl_c_waits_for_the_step_that_is_running(model, data, whole_steps):
    press = LambdaCallback(on_train_batch_begin=lambda batch, logs: batch == 2 and press_ctrl_c())
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, press)
    assert assert_at_a_whole_step(model, whole_steps[0]) == 3
    assert_usable(model, data)


def test_a_second_ctrl_c_does_not_wait(model, data, whole_steps):
    reached = []

    def press_twice(batch, logs):
        if batch == 2:
            press_ctrl_c()
            reached.append("once")
            press_ctrl_c()
            reached.append("twice")

    with pytest.raises(KeyboardInterrupt):
        fit(model, data, LambdaCallback(on_train_batch_end=press_twice))
    assert reached == ["once"]
    assert assert_at_a_whole_step(model, whole_steps[0]) == 3


def test_ctrl_c_in_the_last_step_ends_the_epoch_first(model, data, whole_steps):
    press = LambdaCallback(on_train_batch_end=lambda batch, logs: batch == 4 and press_ctrl_c())
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, press, epochs=1)
    assert assert_at_a_whole_step(model, whole_steps[0]) == 5
    assert model.history.epoch == [0]


def test_history_keeps_the_epochs_before_ctrl_c(model, data, whole_steps):
    press = LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == 2 and press_ctrl_c())
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, press, validation_data=data)
    assert model.history.epoch == [0, 1]
    assert model.history.history == {name: values[:2] for name, values in whole_steps[1].items()}
    assert assert_at_a_whole_step(model, whole_steps[0]) == 10


def test_a_run_goes_on_where_ctrl_c_left_it(model, data, whole_steps):
    press = LambdaCallback(on_epoch_end=lambda epoch, logs: epoch == 1 and press_ctrl_c())
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, press)
    fit(model, data, initial_epoch=2)
    assert assert_at_a_whole_step(model, whole_steps[0]) == STEPS


def test_best_weights_are_put_back_after_ctrl_c(model, data):
    kept = []
    stop = EarlyStopping("loss", patience=9, restore_best_weights=True)
    after = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()) or epoch == 1 and press_ctrl_c())
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, stop, after)
    for weight, best in zip(model.get_weights(), kept[stop.best_epoch], strict=True):
        np.testing.assert_array_equal(weight, best)


def test_ctrl_c_in_a_run_within_a_run_ends_both(model, data, whole_steps):
    seen = []

    class Inner(Callback):
        def on_epoch_end(self, epoch, logs=None):
            press = LambdaCallback(on_test_batch_end=lambda batch, logs: seen.append(batch) or press_ctrl_c())
            self.model.evaluate(data.x, data.y, batch_size=8, verbose=0, callbacks=[press])

    with pytest.raises(KeyboardInterrupt):
        fit(model, data, Inner())
    assert seen == [0]
    assert assert_at_a_whole_step(model, whole_steps[0]) == 5


def test_ctrl_c_is_not_lost_when_an_error_comes_first(model, data):
    def fail(batch, logs):
        press_ctrl_c()
        raise ValueError("in between")

    with pytest.raises(KeyboardInterrupt) as caught:
        fit(model, data, LambdaCallback(on_train_batch_end=fail))
    assert isinstance(caught.value.__context__, ValueError)


def test_a_program_with_a_handler_of_its_own_keeps_it(model, data, whole_steps):
    heard = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        handler = signal.getsignal(signal.SIGINT)
        fit(model, data, LambdaCallback(on_train_batch_end=lambda batch, logs: press_ctrl_c()))
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [signal.SIGINT] * STEPS
    assert assert_at_a_whole_step(model, whole_steps[0]) == STEPS


def test_a_run_in_another_thread_leaves_ctrl_c_alone(model, data, whole_steps):
    handlers = []
    watch = LambdaCallback(on_train_batch_end=lambda batch, logs: handlers.append(signal.getsignal(signal.SIGINT)))
    thread = threading.Thread(target=fit, args=(model, data, watch))
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler] * STEPS
    assert assert_at_a_whole_step(model, whole_steps[0]) == STEPS


def test_an_interrupt_is_answered_once():
    with at_step_boundary() as interrupt:
        interrupt.check()
        press_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
        interrupt.check()
    interrupt = Interrupt()
    interrupt.handle(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interrupt.handle(signal.SIGINT, None)
    interrupt.check()


def test_ctrl_c_that_waits_is_answered_at_the_end():
    reached = []
    with pytest.raises(KeyboardInterrupt), at_step_boundary():
        press_ctrl_c()
        reached.append("the end")
    assert reached == ["the end"]


def test_whoever_takes_a_signal_meanwhile_has_it_no_longer():
    before = signal.getsignal(signal.SIGTERM)
    with keeping(signal.SIGTERM):
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_of_several_processes_all_end_where_they_agree(model, data, whole_steps, monkeypatch):
    """This one takes itself for one of two, the other of which is pressed Ctrl-C after three steps."""
    steps = []

    def agreed(seconds, signum):
        steps.append(signum)
        return seconds, signal.SIGINT if len(steps) == 3 else 0

    monkeypatch.setattr(loop.Pacer, "joint", property(lambda pacer: True, lambda pacer, joint: None), raising=False)
    monkeypatch.setattr(hosts, "agreed", agreed)
    press = LambdaCallback(on_train_batch_end=lambda batch, logs: press_ctrl_c() if batch == 1 else None)
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, press)
    assert steps == [0, 0, signal.SIGINT] and assert_at_a_whole_step(model, whole_steps[0]) == 3


# ---- errors in callbacks

class Mishap(Exception):
    """What a user's callback may raise."""


IN_FIT = ["on_train_begin", "on_epoch_begin", "on_batch_begin", "on_train_batch_begin", "on_batch_end", "on_train_batch_end",
          "on_steps_end", "on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end", "on_epoch_end",
          "on_train_end"]
CALLED_BY = {"on_batch_begin": "on_train_batch_begin", "on_batch_end": "on_train_batch_end"}


def raising(hook: str, error: type[BaseException], times: int = 1) -> LambdaCallback:
    """A callback whose hook raises the first `times` times."""
    left = [times]

    def function(*about):
        if left[0]:
            left[0] -= 1
            raise error("on purpose")

    return LambdaCallback(**{hook: function})


class Witness(Callback):
    """Notes every hook of the run's edges."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_begin(self, logs=None):
        self.seen.append("begin")

    def on_train_end(self, logs=None):
        self.seen.append("end")


@pytest.mark.parametrize("error", [Mishap, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("hook", IN_FIT)
def test_an_error_in_a_hook_of_fit_leaves_everything_tidy(hook, error, model, data, whole_steps):
    before, after = Witness(), Witness()
    with pytest.raises(error) as caught:
        fit(model, data, before, raising(hook, error), after, validation_data=data)
    assert caught.value.__notes__ == [f"In {CALLED_BY.get(hook, hook)} of the callback LambdaCallback."]
    assert before.seen == ["begin", "end"]
    assert after.seen == ([] if hook == "on_train_begin" else ["begin", "end"])     # what never began does not end
    assert_at_a_whole_step(model, whole_steps[0])
    assert_usable(model, data)


@pytest.mark.parametrize("error", [Mishap, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("hook", ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_steps_end", "on_test_end"])
def test_an_error_in_a_hook_of_evaluate_leaves_everything_tidy(hook, error, model, data):
    before = model.fingerprint()
    ended = []
    with pytest.raises(error) as caught:
        model.evaluate(data.x, data.y, batch_size=8, verbose=0,
                       callbacks=[raising(hook, error), LambdaCallback(on_test_end=lambda logs: ended.append(1))])
    assert caught.value.__notes__ == [f"In {hook} of the callback LambdaCallback."]
    assert ended == ([] if hook == "on_test_begin" else [1])
    assert model.fingerprint() == before
    assert_usable(model, data)


@pytest.mark.parametrize("error", [Mishap, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("hook", ["on_predict_begin", "on_predict_batch_begin", "on_predict_batch_end", "on_steps_end",
                                  "on_predict_end"])
def test_an_error_in_a_hook_of_predict_leaves_everything_tidy(hook, error, model, data):
    before = model.fingerprint()
    with pytest.raises(error) as caught:
        model.predict(data.x, batch_size=8, callbacks=[raising(hook, error)])
    assert caught.value.__notes__ == [f"In {hook} of the callback LambdaCallback."]
    assert model.fingerprint() == before
    assert_usable(model, data)


def test_all_callbacks_end_even_when_several_fail_at_the_end(model, data):
    witness = Witness()
    with pytest.raises(Mishap) as caught:
        fit(model, data, raising("on_epoch_end", ZeroDivisionError), raising("on_train_end", LookupError),
            raising("on_train_end", Mishap), witness)
    assert witness.seen == ["begin", "end"]
    assert isinstance(caught.value.__context__, LookupError)                        # no error is lost
    assert isinstance(caught.value.__context__.__context__, ZeroDivisionError)


@pytest.mark.parametrize("hook, made", [("on_train_batch_begin", 7), ("on_train_batch_end", 8)])
def test_an_error_in_a_batch_hook_leaves_exactly_the_steps_made(hook, made, model, data, whole_steps):
    calls = []

    def fail(batch, logs):
        calls.append(batch)
        if len(calls) == 8:
            raise Mishap

    with pytest.raises(Mishap):
        fit(model, data, LambdaCallback(**{hook: fail}))
    assert assert_at_a_whole_step(model, whole_steps[0]) == made


# ---- errors in the step itself

class Fuse(Layer):
    """Hands x on, and tells the host of every training step, which may object."""

    blow: Callable

    def apply(self, params, state, x, ctx):
        if ctx.train:
            io_callback(self.blow, None, x[0, 0])
        return x, state


class Burn:
    """The host's side of a Fuse: it fails at the step number `fatal`, counted from 1."""

    fatal, steps = 0, 0

    def __call__(self, _):
        self.steps += 1
        if self.steps == self.fatal:
            raise RuntimeError("the fuse blew")


@pytest.mark.parametrize("hooked", [True, False], ids=["step by step", "many steps at once"])
def test_an_error_within_the_step_leaves_the_last_whole_step(hooked, data):
    burn = Burn()
    model = Sequential([Fuse(burn, input_shape=(4,)), Dense(8), Dropout(0.25), Dense(3, activation="softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    start = model.train_state
    fingerprints = steps_of(model, data)
    model.train_state, burn.fatal, burn.steps = start, 13, 0
    each_step = [LambdaCallback(on_train_batch_end=lambda batch, logs: None)] if hooked else []
    with pytest.raises(jax.errors.JaxRuntimeError, match="the fuse blew"):
        fit(model, data, *each_step)
    made = assert_at_a_whole_step(model, fingerprints)
    assert made == 12 if hooked else 10 <= made <= 12           # a dispatch of many steps is made whole or not at all
    assert model.history.epoch == [0, 1]
    burn.fatal = 0
    fit(model, data, initial_epoch=2)
    assert_usable(model, data)


def test_an_error_while_tracing_leaves_the_model_as_it_was(data):
    broken = [True]

    def loss(y_true, y_pred):
        if broken[0]:
            raise Mishap("while tracing")
        return (y_true - y_pred) ** 2

    model = Sequential([Dense(4, input_shape=(4,))], seed=0)
    model.compile("adam", loss)
    before = model.fingerprint()
    with pytest.raises(Mishap, match="while tracing"):
        model.fit(data.x, data.x, verbose=0)
    assert model.fingerprint() == before
    broken[0] = False
    assert np.isfinite(model.fit(data.x, data.x, verbose=0).history["loss"]).all()
