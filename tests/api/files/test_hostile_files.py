"""Files that mean harm, each built here: every one is refused with a clear error, and nothing of it is run, opened or made.

Each attack has its harmless twin in the other tests of this folder, so that refusing everything would not pass.
"""

import base64
import io
import json
import marshal
import re
import sys
import time
import tracemalloc
import zipfile
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
from small import parts, perceptron, with_config, with_weights, zipped

from jaxseq.api.files import plain_json
from jaxseq.layers import AdaptiveAveragePooling1D, AdaptiveMaxPooling1D
from jaxseq.models import FileRejected, Sequential, load_model

KERNEL = "layers/dense/vars/0"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A sound file, and the model it came from."""
    path = tmp_path_factory.mktemp("good") / "good.keras"
    model = perceptron()
    model.save(path)
    return path, model


@contextmanager
def cheap(seconds=2, megabytes=64):
    """Fails where what is done inside takes longer, or more memory of the process, than a refusal may."""
    about = lambda word: int(re.search(rf"{word}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    Path("/proc/self/clear_refs").write_text("5")                     # the peak begins anew
    before, began = about("VmRSS"), time.process_time()
    yield
    assert time.process_time() - began < seconds and about("VmHWM") - before < megabytes


def layer(config, place=1):
    """The node of a layer; 1 is the first Dense."""
    return config["config"]["layers"][place]


def code(canary):
    """A lambda as Keras 3 writes it down, which would make a file."""
    compiled = compile(f"open({str(canary)!r}, 'w')", "<file>", "exec")
    return {"class_name": "__lambda__", "config": {"code": base64.b64encode(marshal.dumps(compiled)).decode()}}


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def node(module, name, config):
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def settings(**changed):
    return lambda config: layer(config)["config"].update(changed)


def metric(*names, **told):
    described = [node("keras.metrics", name, told) for name in names]
    return lambda config: config["compile_config"].update(metrics=described)


def instead(described):
    return lambda config: config["config"]["layers"].__setitem__(1, described)


CONFIGS = {
    "Lambda": (lambda config, spot: instead(node("keras.layers", "Lambda", {"function": code(spot)}))(config),
               "code of a lambda"),
    "lambda in a slot": (lambda config, spot: settings(kernel_initializer=code(spot))(config), "code of a lambda"),
    "lambda as loss": (lambda config, spot: config["compile_config"].update(loss=code(spot)), "code of a lambda"),
    "os.system": (lambda config, spot: settings(activation=function("os", "system"))(config), "the activation 'system'"),
    "eval": (lambda config, spot: settings(kernel_initializer=function("builtins", "eval"))(config), "the initializer 'eval'"),
    "Popen": (lambda config, spot: settings(kernel_regularizer=node("subprocess", "Popen", {"args": ["touch", str(spot)]}))(
        config), "the regularizer 'Popen'"),
    "the name of ours in another's module": (lambda config, spot: layer(config).update(module="os"), "the layer 'Dense'"),
    "a loader": (lambda config, spot: config["compile_config"].update(loss=function("keras.utils", "get_file")),
                 "the loss 'get_file'"),
    "an import": (lambda config, spot: config["compile_config"]["optimizer"].update(
        class_name="import_module", module="importlib"), "the optimizer 'import_module'"),
    "a nested loader": (lambda config, spot: instead(node("keras.layers", "TFSMLayer", {"filepath": str(spot)}))(config),
                        "the layer 'TFSMLayer'"),
    "a path": (lambda config, spot: instead(node("keras.layers", "StringLookup", {"vocabulary": str(spot)}))(config),
               "the layer 'StringLookup'"),
    "a path for a name": (lambda config, spot: settings(name="../../x")(config), "the name becomes a key in files"),
    "other weights than the layer's": (lambda config, spot: settings(units=10**9)(config), "another model"),
    "a table of 2^60": (lambda config, spot: instead(node("keras.layers", "Embedding", {
        "input_dim": 2**40, "output_dim": 2**20}))(config), ""),
    "a state of 2^40": (lambda config, spot: (
        config["config"]["layers"][0]["config"].update(batch_shape=[2**31, 3, 4]),
        instead(node("keras.layers", "LSTM", {"units": 6, "stateful": True}))(config))[1], ""),
    "an array of text": (lambda config, spot: settings(kernel_initializer=node("keras.initializers", "Constant", {
        "value": {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "U1000000000"}}}))(config),
        "something else than"),
    "a class that is a list": (lambda config, spot: layer(config).update(class_name=[]), "a layer that is no"),
    "settings that are a number": (lambda config, spot: layer(config).update(config=3), "a layer that is no"),
    "settings of a wrong kind": (lambda config, spot: settings(units={"a": [1]})(config), "its Dense cannot be made"),
    "an unknown setting": (lambda config, spot: settings(unitz=3)(config), "Dense takes no argument 'unitz'"),
    "layers that are a number": (lambda config, spot: config["config"].update(layers=5), "without a list of layers"),
    "another kind of model": (lambda config, spot: config.update(class_name="System"), "a model of the class 'System'"),
    "no shape": (lambda config, spot: config["config"]["layers"][0]["config"].update(batch_shape="abc"), "without a shape"),
    "a number of the wrong size": (lambda config, spot: settings(units=-1)(config), "units"),
    "quantized": (lambda config, spot: settings(quantization_config={"x": 1})(config), "quantization_config"),
    "thresholds without end": (lambda config, spot: metric("AUC", num_thresholds=10**10)(config),
                               "AUC wants to count in more than 4,194,304 numbers."),
    "classes without end": (lambda config, spot: metric("MeanIoU", num_classes=10**9)(config),
                            "MeanIoU wants to count in more than 4,194,304 numbers."),
    "many metrics": (lambda config, spot: metric(*["IoU"] * 9, num_classes=1000, target_class_ids=[0])(config),
                     "IoU wants to count in more than 4,194,304 numbers."),
    "a loop without end": (lambda config, spot: instead(node("keras.layers", "SpectralNormalization", {
        "layer": node("keras.layers", "Dense", {"units": 6}), "power_iterations": 10**9}))(config), "wants a loop of"),
    "a window without end": (lambda config, spot: instead(node("jaxseq.layers", "LocallyConnected1D", {
        "filters": 1, "kernel_size": [10**6]}))(config), "wants a loop of more than"),
    "an optimizer's loop": (lambda config, spot: config["compile_config"]["optimizer"].update(
        class_name="Muon", config={"ns_steps": 10**9}), "wants a loop of more than"),
    "a pattern that takes for ever": (lambda config, spot: config["compile_config"]["optimizer"].update(
        class_name="Muon", config={"exclude_layers": ["(a+)+$"]}), "patterns are not read from files"),
    "layers without end": (lambda config, spot: config["config"]["layers"].extend([config["config"]["layers"][1]] * 1000),
                           "more than 1,000 layers"),
    "a number format of no kind": (lambda config, spot: settings(dtype="mixed_int4")(config), "Unknown dtype 'mixed_int4'"),
    "a model's number format": (lambda config, spot: config["config"].update(dtype=[3]), "its settings: Unknown dtype '[3]'"),
    "a model that is trained sometimes": (lambda config, spot: config["config"].update(trainable=3), "trainable=3: write True"),
}


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")        # JAX's, of a table that only 64 bits can count
@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_mean_harm(good, tmp_path, name):
    change, told = CONFIGS[name]
    path, canary = tmp_path / "bad.keras", tmp_path / "canary"
    path.write_bytes(with_config(good[0], lambda config: change(config, canary)))
    modules = set(sys.modules)
    with cheap(), pytest.raises(FileRejected) as caught:
        load_model(path)
    assert told in str(caught.value) and str(caught.value).startswith(str(path))
    assert not canary.exists()
    assert not {each.split(".")[0] for each in set(sys.modules) - modules} & {"keras", "tensorflow", "pickle", "dill"}


def members(good):
    return dict(parts(good[0]))


def linked(name, mode=0o120777):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def archive(change, method=zipfile.ZIP_STORED):
    return lambda good: zipped(change(members(good)), method)


def patched(good, name, place, size, value):
    """The file with some bytes of a member's entry in the table of contents changed."""
    content = bytearray(good[0].read_bytes())
    start = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))
    content[start + place:start + place + size] = value.to_bytes(size, "little")
    return bytes(content)


ARCHIVES = {
    "traversal": (archive(lambda m: [*m.items(), ("../../evil", b"x")]), "the member '../../evil'"),
    "absolute": (archive(lambda m: [*m.items(), ("/abs/evil", b"x")]), "the member '/abs/evil'"),
    "backslashes": (archive(lambda m: [*m.items(), ("a\\..\\evil", b"x")]), "the member"),
    "assets": (archive(lambda m: [*m.items(), ("assets/x", b"x")]), "the member 'assets/x'"),
    "a link": (archive(lambda m: [(linked("metadata.json"), b"/etc/passwd"), *list(m.items())[1:]]),
               "a link, a folder or a device"),
    "a pipe": (archive(lambda m: [(linked("metadata.json", 0o010666), b""), *list(m.items())[1:]]),
               "a link, a folder or a device"),
    "twice": (archive(lambda m: [*m.items(), ("config.json", b"{}")]), "a member that is there twice"),
    "another case": (archive(lambda m: [*m.items(), ("Config.json", b"{}")]), "the member 'Config.json'"),
    "nothing": (archive(lambda m: []), "it does not begin as a zip archive"),
    "no weights": (archive(lambda m: list(m.items())[:2]), "there is no model.weights.h5"),
    "a bomb of blanks": (archive(lambda m: list({**m, "config.json": b" " * 30_000_000 + m["config.json"]}.items()),
                                 zipfile.ZIP_DEFLATED), "declares 30,"),
    "a bomb of zeros": (archive(lambda m: list({**m, "model.weights.h5": bytes(30_000_000)}.items()), zipfile.ZIP_DEFLATED),
                        "model.weights.h5': declares 30,000,000 bytes"),
    "a bomb of another kind": (archive(lambda m: list({**m, "model.weights.h5": bytes(30_000_000)}.items()), zipfile.ZIP_BZIP2),
                               "is compressed in the way 12"),
    "encrypted": (lambda good: patched(good, "config.json", 8, 2, 1), "is encrypted"),
    "a lie about the size": (lambda good: patched(good, "model.weights.h5", 24, 4, 10), ""),
    "a lie about the place": (lambda good: patched(good, "config.json", 42, 4, 0), "members that lie in each other"),
    "something in front": (lambda good: b"#!/bin/sh\n" + good[0].read_bytes(), "it does not begin as a zip archive"),
    "empty": (lambda good: b"", "it does not begin as a zip archive"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_mean_harm(good, tmp_path, name):
    build, told = ARCHIVES[name]
    path = tmp_path / "bad.keras"
    path.write_bytes(build(good))
    model, before = good[1], good[1].fingerprint()
    for load in load_model, model.load_weights:
        with cheap(), pytest.raises(FileRejected) as caught:
            load(path)
        assert told in str(caught.value)
    assert model.fingerprint() == before and [each.name for each in tmp_path.iterdir()] == ["bad.keras"]


def texts(content):
    return lambda good: zipped({**members(good), "config.json": content}.items())


@pytest.mark.parametrize(("content", "told"), [
    (b'{"a": ' * 70 + b"1" + b"}" * 70, "more than 64 levels deep"), (b"[" * 1_000_000, "more than 64 levels deep"),
    (b'{"a": 1, "a": 2}', "a key that is written twice"), (b'{"a": NaN}', "NaN in the place of a number"),
    (b'{"a": ' + b"9" * 10_000 + b"}", "config.json is no JSON that can be read"), (b"[1]", "JSON that is no object"),
    (b"\xff\xfe{}", "config.json is no JSON that can be read"), (b"{", "config.json is no JSON"),
    (b"{}", "a model that is no")])
def test_json_that_means_harm(good, tmp_path, content, told):
    path = tmp_path / "bad.keras"
    path.write_bytes(texts(content)(good))
    with pytest.raises(FileRejected, match=told):
        load_model(path)


def test_depth_is_counted_outside_of_text():
    assert plain_json.depth(b'{"a[[[": [1, "\\"[[[{{", {"b": []}]}') == 4


def elsewhere(root, secret):
    del root[KERNEL]
    root.create_dataset(KERNEL, (4, 6), "f4", external=[(secret, 0, 96)])


def virtual(root, secret):
    del root[KERNEL]
    layout = h5py.VirtualLayout((4, 6), "f4")
    layout[:] = h5py.VirtualSource(secret, "data", (4, 6))
    root.create_virtual_dataset(KERNEL, layout)


def replaced(path, link):
    def change(root, secret):
        del root[path]
        root[path] = link(secret)
    return change


def array(**how):
    def change(root, secret):
        del root[KERNEL]
        root.create_dataset(KERNEL, **how)
    return change


def plugin(root, secret):
    del root[KERNEL]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4, 6))
    plan.set_filter(40000, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((4, 6))
    h5py.h5d.create(root["layers/dense/vars"].id, b"0", h5py.h5t.IEEE_F32LE, space, plan)


def many(root, secret):
    for number in range(1000):
        root.create_dataset(f"layers/more/{number}", data=np.float32(0))


def one_in_many_places(root, secret):
    for number in range(100):
        root[f"layers/more/{number}"] = root[KERNEL]


def swollen(root, secret):
    for number in range(30):
        root.create_dataset(f"layers/more/{number}", (2**20,), "f4", chunks=(2**20,), compression="gzip")[:] = 0


TREES = {
    "another file's bytes": (elsewhere, "an array whose numbers lie in another file"),
    "a virtual array": (virtual, "an array whose numbers lie in another file"),
    "a link to another file": (replaced(KERNEL, lambda secret: h5py.ExternalLink(secret, "/data")), "ExternalLink"),
    "a soft link": (replaced(KERNEL, lambda secret: h5py.SoftLink("/layers/dense/vars/1")), "SoftLink"),
    "a soft link to a group": (replaced("layers/dense", lambda secret: h5py.SoftLink("/layers/dense_1")), "SoftLink"),
    "a link for the optimizer": (replaced("optimizer", lambda secret: h5py.ExternalLink(secret, "/")), "ExternalLink"),
    "a circle": (lambda root, secret: root["layers"].__setitem__("loop", root["/"]), "groups that contain themselves"),
    "depth": (lambda root, secret: root.create_group("/".join("a" * 40)), "too deep"),
    "a shape with nothing behind it": (array(shape=(2**38,), dtype="f4"), "declares 1,099,511,627,776 bytes"),
    "a packed shape": (array(shape=(2**40,), dtype="f4", chunks=(2**20,), compression="gzip"),
                       "declares 4,398,046,511,104 bytes"),
    "another shape": (array(data=np.zeros((6, 4), "f4")), "another model"),
    "one number": (array(data=np.float32(1)), "another model"),
    "one weight more": (lambda root, secret: root.create_dataset("layers/dense/vars/2", data=np.zeros(6, "f4")),
                        "layers/dense/vars/2 (6,) is not in the model"),
    "one layer more": (lambda root, secret: root.create_dataset("layers/dense_2/vars/0", data=np.zeros(6, "f4")),
                       "is not in the model"),
    "a layer less": (lambda root, secret: root["layers"].__delitem__("dense_1"), "layers/dense_1/vars/0 is missing"),
    "a group for an array": (lambda root, secret: (root.__delitem__(KERNEL), root.create_group(KERNEL)), "is missing"),
    "objects": (array(shape=(4, 6), dtype=h5py.string_dtype()), "not of numbers"),
    "references": (array(shape=(4, 6), dtype=h5py.ref_dtype), "not of numbers"),
    "complex numbers": (array(data=np.zeros((4, 6), "c8")), "not of numbers"),
    "whole numbers": (array(data=np.zeros((4, 6), "i4")), "int32 numbers for weights of float32"),
    "a type for an array": (lambda root, secret: (root.__delitem__(KERNEL), root.__setitem__(KERNEL, np.dtype("f4"))),
                            "neither"),
    "a filter out of a plugin": (plugin, "the filter 40000"),
    "a large piece": (array(shape=(4, 6), maxshape=(None, None), dtype="f4", chunks=(2**12, 2**12), compression="gzip",
                            data=np.ones((4, 6), "f4")), "is packed in pieces of"),
    "many arrays": (many, "more than 588 groups and arrays"),
    "one array in many places": (one_in_many_places, "an array that stands in two places"),
    "arrays that swell": (swollen, "declares 125,"),
    "updates below none": (lambda root, secret: root["optimizer/vars/0"].__setitem__((), -5), "-5 updates"),
}


@pytest.mark.parametrize("name", TREES)
def test_trees_that_mean_harm(good, tmp_path, name):
    change, told = TREES[name]
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as root:
        root["data"] = np.full((4, 6), 7, "f4")
    held = with_weights(good[0], lambda root: change(root, str(secret)))
    (tmp_path / "bad.keras").write_bytes(held)
    (tmp_path / "bad.weights.h5").write_bytes(zipfile.ZipFile(io.BytesIO(held)).read("model.weights.h5"))
    model, before = good[1], good[1].fingerprint()
    for load, path in (load_model, "bad.keras"), (model.load_weights, "bad.keras"), (model.load_weights, "bad.weights.h5"):
        with cheap(), pytest.raises(FileRejected) as caught:
            load(tmp_path / path)
        assert told in str(caught.value)
    assert model.fingerprint() == before


def test_a_file_that_ends_too_soon_is_refused(good, tmp_path):
    model, before = good[1], good[1].fingerprint()
    held = parts(good[0])["model.weights.h5"]
    for content, name in (good[0].read_bytes(), "bad.keras"), (held, "bad.weights.h5"):
        for end in range(0, len(content) - 1, len(content) // 24):
            (tmp_path / name).write_bytes(content[:end])
            with pytest.raises(FileRejected):
                model.load_weights(tmp_path / name)
    assert model.fingerprint() == before


@pytest.mark.parametrize("name", ["bad.keras", "bad.weights.h5"])
def test_no_flipped_bit_gives_other_weights(good, tmp_path, name):
    """Every file with one bit of it turned round is refused, or gives exactly the weights that were saved."""
    model = perceptron(seed=1)
    wanted = good[1].fingerprint()
    content = good[0].read_bytes() if name.endswith(".keras") else parts(good[0])["model.weights.h5"]
    draw, outcomes = np.random.Generator(np.random.Philox(5)), []
    for _ in range(150):
        changed = bytearray(content)
        changed[draw.integers(len(content))] ^= 1 << draw.integers(8)
        (tmp_path / name).write_bytes(changed)
        try:
            model.load_weights(tmp_path / name)
        except FileRejected:
            outcomes.append("refused")
        else:
            outcomes.append("the same" if same(model, good[1]) else "other")
    assert set(outcomes) == {"refused", "the same"}, {each: outcomes.count(each) for each in outcomes}
    assert good[1].fingerprint() == wanted


def same(one, other):
    return all(mine.tobytes() == theirs.tobytes() for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True))


def test_nan_is_told(good, tmp_path):
    (tmp_path / "m.keras").write_bytes(with_weights(good[0], lambda root: root[KERNEL].__setitem__((0, 0), np.nan)))
    with pytest.warns(UserWarning, match=f"{KERNEL}: holds NaN or infinity"):
        load_model(tmp_path / "m.keras")


def test_numbers_of_other_widths_and_orders_are_read(good, tmp_path):
    for kind in "<f8", ">f4", "<f2":
        def change(root, kind=kind):
            values = root[KERNEL][()]
            del root[KERNEL]
            root[KERNEL] = values.astype(kind)

        (tmp_path / "m.keras").write_bytes(with_weights(good[0], change))
        assert np.abs(load_model(tmp_path / "m.keras").get_weights()[0] - good[1].get_weights()[0]).max() < 1e-3


def test_a_file_that_is_not_there_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "m.keras")
    with pytest.raises(FileNotFoundError):
        perceptron().load_weights(tmp_path / "m.weights.h5")


def test_json_is_written_as_keras_writes_it(good):
    held = parts(good[0])
    assert list(held) == ["metadata.json", "config.json", "model.weights.h5"]
    assert set(json.loads(held["metadata.json"])) == {"keras_version", "date_saved"}


def test_a_pooling_of_any_size_makes_no_table_before_it_is_used(good, tmp_path):
    path = tmp_path / "m.keras"
    model = Sequential([AdaptiveAveragePooling1D(3, input_shape=(7, 1)), AdaptiveMaxPooling1D(2)])
    model.save(path)
    path.write_bytes(with_config(path, lambda config: (layer(config)["config"].update(output_size=10**9),
                                                       layer(config, 2)["config"].update(output_size=10**8))[2:]))
    tracemalloc.start()
    again = load_model(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert again.output_shape == (None, 10**8, 1) and peak < 2**24


JSON = {"lists": b'{"a":[' + b"[]," * 5_000_000 + b"[]]}", "objects": b'{"a":[' + b"{}," * 200_000 + b"{}]}",
        "quotes": b'{"a":[' + b'"",' * 1_100_000 + b'""]}'}


@pytest.mark.parametrize("name", JSON)
def test_json_of_many_values_is_refused_before_it_is_parsed(good, tmp_path, name):
    path = tmp_path / "bad.keras"
    path.write_bytes(zipped({**members(good), "config.json": JSON[name]}.items(), zipfile.ZIP_DEFLATED))
    with cheap(), pytest.raises(FileRejected, match="JSON of more than"):
        load_model(path)


def test_a_long_table_of_contents_is_not_read(tmp_path):
    path = tmp_path / "bad.keras"
    path.write_bytes(zipped([(str(number), b"") for number in range(20_000)]))
    with cheap(), pytest.raises(FileRejected, match="20,000 members in a table of contents"):
        load_model(path)


def test_no_more_is_inflated_than_is_declared(good, tmp_path):
    held = {**members(good), "model.weights.h5": bytes(2**27)}
    path = tmp_path / "bad.keras"
    path.write_bytes(zipped(held.items(), zipfile.ZIP_DEFLATED))
    path.write_bytes(patched((path, None), "model.weights.h5", 24, 4, 1000))
    with cheap(), pytest.raises(FileRejected):
        load_model(path)
