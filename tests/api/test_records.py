"""Records outside of the process: the CSV file against Keras's, what a server is sent, what TensorBoard reads."""

import copy
import http.server
import json
import socket
import threading
import urllib.parse

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import jaxseq
from jaxseq.callbacks import CSVLogger, RemoteMonitor, TensorBoard

EPOCHS = [{"loss": 0.5, "accuracy": 0.25, "val_loss": 0.75}, {"loss": 0.25, "accuracy": 0.5, "val_loss": 0.5}]


def written(callback, start=0, logs=EPOCHS):
    callback.on_train_begin()
    for epoch, each in enumerate(logs, start):
        callback.on_epoch_end(epoch, dict(each))
    callback.on_train_end()


@pytest.mark.parametrize("separator", [",", ";"])
def test_the_file_is_that_of_keras(tmp_path, separator):
    for library, name in (CSVLogger, "ours"), (keras.callbacks.CSVLogger, "theirs"):
        written(library(str(tmp_path / name), separator))
        written(library(str(tmp_path / name), separator, append=True), start=2)
    assert (tmp_path / "ours").read_text().splitlines() == (tmp_path / "theirs").read_text().splitlines()
    assert len((tmp_path / "ours").read_text().splitlines()) == 5


def test_a_new_run_begins_a_new_file(tmp_path):
    for _ in range(2):
        written(CSVLogger(tmp_path / "log.csv"))
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    written(CSVLogger(tmp_path / "other.csv", append=True))                 # nothing there to go on with
    assert (tmp_path / "other.csv").read_text().startswith("epoch,accuracy,loss,val_loss")


def test_a_line_is_on_the_disk_when_its_epoch_ends(tmp_path):
    logger = CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin()
    logger.on_epoch_end(0, EPOCHS[0])
    assert (tmp_path / "log.csv").read_text().splitlines() == ["epoch,accuracy,loss,val_loss", "0,0.25,0.5,0.75"]
    logger.on_epoch_end(1, {"loss": 0.25})
    logger.on_train_end()
    assert (tmp_path / "log.csv").read_text().splitlines()[-1] == "1,NA,0.25,NA"


@pytest.fixture
def server():
    """(address, what came in): a server on this machine."""
    came = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            came.append((self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Nothing is printed."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", came
        running.shutdown()


def test_a_server_gets_the_logs(server):
    address, came = server
    written(RemoteMonitor(address, headers={"X-Run": "7"}))
    written(RemoteMonitor(address, "/there", send_as_json=True), logs=EPOCHS[:1])
    (path, headers, body), _, (other_path, other_headers, other_body) = came
    assert path == "/publish/epoch/end/" and headers["X-Run"] == "7"
    assert json.loads(urllib.parse.parse_qs(body)["data"][0]) == {"epoch": 0, **EPOCHS[0]}
    assert other_path == "/there" and other_headers["Content-Type"] == "application/json"
    assert json.loads(other_body) == {"epoch": 0, **EPOCHS[0]}


def test_a_server_that_is_not_there_costs_a_warning():
    with pytest.warns(UserWarning, match=r"^RemoteMonitor could not reach http://127\.0\.0\.1:9/publish"):
        written(RemoteMonitor("http://127.0.0.1:9"), logs=EPOCHS[:1])


def test_a_server_that_answers_nonsense_costs_a_warning():
    with socket.create_server(("127.0.0.1", 0)) as running:
        def answer():
            there, _ = running.accept()
            with there:
                there.sendall(b"nonsense\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.warns(UserWarning, match="RemoteMonitor could not reach"):
            written(RemoteMonitor(f"http://127.0.0.1:{running.getsockname()[1]}"), logs=EPOCHS[:1])


def test_a_logger_may_be_copied_when_it_has_ended(tmp_path):
    logger = CSVLogger(tmp_path / "log.csv")
    written(logger)
    assert copy.deepcopy(logger).filename == logger.filename


def test_an_evaluation_by_itself_writes_no_steps(model, data, tmp_path):
    model.evaluate(*data, callbacks=[TensorBoard(tmp_path, update_freq="batch")], verbose=0)
    assert [each.name for each in tmp_path.iterdir()] == ["validation"]


def test_an_address_needs_its_protocol():
    with pytest.raises(ValueError, match="write an address that begins with http"):
        RemoteMonitor("localhost:9000")


def scalars(folder):
    """{tag: [(step, value), ...]} of all event files in a folder, read with another library than wrote them."""
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {tag: [(each.step, each.value) for each in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}, reader.Tags()


def test_tensorboard_reads_what_was_written(model, data, tmp_path):
    x, y = data
    history = model.fit(x, y, epochs=3, verbose=0, validation_split=0.5,
                        callbacks=[TensorBoard(tmp_path, histogram_freq=2, update_freq=1)])
    train, tags = scalars(tmp_path / "train")
    validation, _ = scalars(tmp_path / "validation")
    assert [value for _, value in train["epoch_loss"]] == pytest.approx(history.history["loss"])
    assert [value for _, value in validation["epoch_loss"]] == pytest.approx(history.history["val_loss"])
    assert len(train["batch_loss"]) >= 3
    assert tags["histograms"] == [f"{layer}/{weight}" for layer, weights in model.params.items() for weight in weights]


def test_tensorboard_writes_the_rate_evaluations_speed_and_pictures(model, data, tmp_path):
    x, y = data
    model.learning_rate = 0.25
    board = TensorBoard(tmp_path, histogram_freq=1, write_images=True, write_steps_per_second=True)
    for _ in range(2):                                              # the second run begins new files beside the first
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, validation_split=0.5, callbacks=[board])
    model.train_on_batch(x, y)
    measured = model.evaluate(x, y, verbose=0, callbacks=[board])
    train, tags = scalars(tmp_path / "train")
    validation, _ = scalars(tmp_path / "validation")
    assert train["epoch_learning_rate"] == [(0, 0.25), (1, 0.25)] * 2           # of one second, and none overwrites the other
    assert len(train["epoch_steps_per_second"]) == 4 and all(value > 0 for _, value in train["epoch_steps_per_second"])
    assert set(tags["images"]) == {f"{layer}/{weight}/image" for layer, each in model.params.items() for weight in each}
    evaluations = dict(validation["evaluation_loss_vs_iterations"])
    assert list(evaluations) == [3, 6, 9, 12, 13]
    assert [evaluations[12], evaluations[13]] == pytest.approx([history.history["val_loss"][-1], measured[0]])


def test_a_metric_of_several_numbers_is_recorded(tmp_path, server):
    logs = [{"loss": 0.5, "f1_score": np.array([0.25, 0.5], np.float32)}]
    written(CSVLogger(tmp_path / "log.csv"), logs=logs)
    assert (tmp_path / "log.csv").read_text().splitlines() == ["epoch,f1_score,loss", '0,"[0.25, 0.5]",0.5']
    address, came = server
    written(RemoteMonitor(address, send_as_json=True), logs=logs)
    assert json.loads(came[0][2]) == {"epoch": 0, "loss": 0.5, "f1_score": [0.25, 0.5]}


def test_a_validation_that_comes_later_has_its_columns(model, data, tmp_path):
    x, y = data
    model.fit(x, y, epochs=3, verbose=0, validation_split=0.5, validation_freq=2, callbacks=[CSVLogger(tmp_path / "log.csv")])
    header, *rows = (line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines())
    assert header == ["epoch", "accuracy", "loss", "val_loss", "val_accuracy"]
    assert [row[3] == "NA" for row in rows] == [True, False, True]


@pytest.mark.parametrize("argument", ["write_grads", "embeddings_freq"])
def test_what_tensorboard_does_not_write_is_said(argument):
    with pytest.warns(UserWarning, match=rf"^TensorBoard\({argument}=1\): jaxseq does not write these\.$"):
        TensorBoard(**{argument: 1})


def test_update_freq_is_checked():
    with pytest.raises(ValueError, match="write 'epoch', 'batch', or a number of steps"):
        TensorBoard(update_freq="hour")


def test_tensorboard_shows_the_weights_of_models_within_and_single_numbers(tmp_path):
    class Factor(jaxseq.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight("scale", (), initializer="ones")

        def call(self, x):
            return x * self.scale

    inner = jaxseq.Sequential([jaxseq.layers.Dense(3, input_shape=(4,)), Factor()], "inner")
    model = jaxseq.Sequential([inner, jaxseq.layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4)), np.ones(8), verbose=0, callbacks=[TensorBoard(tmp_path, histogram_freq=1, write_images=True)])
    _, tags = scalars(tmp_path / "train")
    assert set(tags["histograms"]) == {"inner/dense/kernel", "inner/dense/bias", "inner/factor/scale", "dense/kernel",
                                       "dense/bias"}
    assert set(tags["images"]) == {f"{name}/image" for name in tags["histograms"]}
