"""Configs that ask for more than there is (Z12), or for what nobody can make sense of (Z13)."""

import numpy as np

from .attack import Attack
from .rebuilding import with_config, with_weights
from .zoo_configs import UNCHANGED, compiled, config, instead, layer, node, optimizer, rate, settings


def metrics(c, *names, **told):
    compiled(c, metrics=[node("keras.metrics", name, told) for name in names])


def shape(c, *sizes):
    layer(c, 0)["config"].update(batch_shape=list(sizes))


def keras(c, name, **told):
    instead(c, node("keras.layers", name, told))


def wrapped(times):
    """A layer in a layer in a layer."""
    inner = node("keras.layers", "Dense", {"units": 6})
    for _ in range(times):
        inner = node("keras.layers", "TimeDistributed", {"layer": inner})
    return inner


def both_ways(times):
    """Each reads what is within it twice."""
    inner = node("keras.layers", "LSTM", {"units": 3})
    for _ in range(times):
        inner = node("keras.layers", "Bidirectional", {"layer": inner})
    return inner


def nested(c, times):
    """A model in a model in a model."""
    inner = c["config"]["layers"][1:]
    for _ in range(times):
        inner = [node("keras", "Sequential", {"layers": inner, "name": "x"})]
    c["config"]["layers"][1:] = inner


def array(value, kind):
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": kind}}


BOMBS = {
    "other weights than the layer's": (lambda c: settings(c, units=10**9), "another model"),
    "units of 4,000 digits": (lambda c: settings(c, units=10**4000), ""),
    "a table of 2^60": (lambda c: keras(c, "Embedding", input_dim=2**40, output_dim=2**20), ""),
    "a table of 3.9 GiB": (lambda c: keras(c, "Embedding", input_dim=2**25, output_dim=31), ""),
    "a state of 2^40": (lambda c: (shape(c, 2**31, 3, 4), keras(c, "LSTM", units=6, stateful=True)), ""),
    "a batch of 2^70": (lambda c: shape(c, 2**70, 4), ""),
    "an input of 100,000 axes": (lambda c: shape(c, None, *[1] * 100_000), ""),
    "an input of 10^12 features": (lambda c: shape(c, None, 10**12), ""),
    "a shape of 100,000 axes": (lambda c: keras(c, "Reshape", target_shape=[4] + [1] * 100_000), ""),
    "axes turned 100,000 times": (lambda c: keras(c, "Permute", dims=list(range(1, 100_001))), ""),
    "rows repeated 2^60 times": (lambda c: keras(c, "RepeatVector", n=2**60), ""),
    "a border of 2^62": (lambda c: (shape(c, None, 3, 4), keras(c, "ZeroPadding1D", padding=2**62)), ""),
    "pictures 2^40 times as large": (lambda c: (shape(c, None, 3, 3, 4), keras(c, "UpSampling2D", size=[2**40, 2**40])), ""),
    "a kernel of 2^20 squared": (lambda c: (shape(c, None, 3, 3, 4), keras(c, "Conv2D", filters=6, kernel_size=[2**20, 2**20],
                                                                           padding="same")), ""),
    "a kernel of 4,000 digits": (lambda c: (shape(c, None, 3, 4), keras(c, "Conv1D", filters=6, kernel_size=10**4000)), ""),
    "an array of text": (lambda c: settings(c, kernel_initializer=node("keras.initializers", "Constant", {
        "value": array(["a"], "U1000000000")})), "something else than"),
    "an array of a kind that is a list": (lambda c: settings(c, kernel_initializer=node("keras.initializers", "Constant", {
        "value": array([1], [])})), "something else than"),
    "an array of ragged rows": (lambda c: keras(c, "Rescaling", scale=array([[1], [1, 2]], "float32")), ""),
    "quantized": (lambda c: settings(c, quantization_config={"x": 1}), "quantization_config"),
    "thresholds without end": (lambda c: metrics(c, "AUC", num_thresholds=10**10),
                               "AUC wants to count in more than 4,194,304 numbers."),
    "classes without end": (lambda c: metrics(c, "MeanIoU", num_classes=10**9),
                            "MeanIoU wants to count in more than 4,194,304 numbers."),
    "many metrics": (lambda c: metrics(c, *["IoU"] * 9, num_classes=1000, target_class_ids=[0]),
                     "IoU wants to count in more than 4,194,304 numbers."),
    "a loop without end": (lambda c: keras(c, "SpectralNormalization", layer=node("keras.layers", "Dense", {"units": 6}),
                                           power_iterations=10**9), "wants a loop of"),
    "a window without end": (lambda c: instead(c, node("jaxseq.layers", "LocallyConnected1D", {
        "filters": 1, "kernel_size": [10**6]})), "wants a loop of more than"),
    "an optimizer's loop": (lambda c: optimizer(c, "Muon", {"ns_steps": 10**9}),
                            "wants a loop of more than"),
    "a pattern that takes for ever": (lambda c: optimizer(c, "Muon", {"exclude_layers": ["(a+)+$"]}),
                                      "patterns are not read from files"),
    "layers without end": (lambda c: c["config"]["layers"].extend([layer(c)] * 1000), "layers."),
    "as many layers as are read": (lambda c: c["config"]["layers"].extend([node("keras.layers", "Dense", {
        "units": 3})] * 990), "layers."),
    "cells without end": (lambda c: (shape(c, None, 3, 4), keras(c, "RNN", cell=[node("keras.layers", "LSTMCell", {
        "units": 1})] * 2000)), "layers."),
    "a layer in a layer, 15 times": (lambda c: instead(c, wrapped(15)), ""),
    "both ways of both ways, 12 times": (lambda c: (shape(c, None, 3, 4), instead(c, both_ways(12))), ""),
    "a model in a model, 9 times": (lambda c: nested(c, 9), ""),
}

NONSENSE = {
    "a class that is a list": (lambda c: layer(c).update(class_name=[]), "a layer that is no"),
    "settings that are a number": (lambda c: layer(c).update(config=3), "a layer that is no"),
    "settings of a wrong kind": (lambda c: settings(c, units={"a": [1]}), "its Dense cannot be made"),
    "a name that is a list": (lambda c: settings(c, name=[1]), ""),
    "an activation that is a list": (lambda c: settings(c, activation=["relu"]), "an activation that is no"),
    "an unknown setting": (lambda c: settings(c, unitz=3), "Dense takes no argument 'unitz'"),
    "layers that are a number": (lambda c: c["config"].update(layers=5), "without a list of layers"),
    "another kind of model": (lambda c: c.update(class_name="System"), "a model of the class 'System'"),
    "no shape": (lambda c: layer(c, 0)["config"].update(batch_shape="abc"), "without a shape"),
    "a number of the wrong size": (lambda c: settings(c, units=-1), "units"),
    "a number format of no kind": (lambda c: settings(c, dtype="mixed_int4"), "Unknown dtype 'mixed_int4'"),
    "a number format that is a formula": (lambda c: layer(c, 0)["config"].update(dtype="(2**9,)f4"), "of the dtype '(2**9"),
    "a number format that is a number": (lambda c: layer(c, 0)["config"].update(dtype=2**31), "an InputLayer of the dtype"),
    "a model's number format": (lambda c: c["config"].update(dtype=[3]), "its settings: Unknown dtype '[3]'"),
    "a model that is trained sometimes": (lambda c: c["config"].update(trainable=3), "trainable=3: write True"),
    "a rate that is a list": (lambda c: rate(c, [1]), "compile_config"),
    "a loss that is a list of lists": (lambda c: compiled(c, loss=[[{"class_name": 3}]]), "a loss that is no"),
    "a class of 5,000,000 letters": (lambda c: layer(c).update(class_name="x" * 5_000_000), "text of more than"),
    "a setting of 5,000,000 letters": (lambda c: layer(c)["config"].update({"x" * 5_000_000: 1}), "text of more than"),
    "300,000 numbers for a number": (lambda c: settings(c, units=[1] * 300_000), "its Dense cannot be made"),
}


def remembering(place, good, trap):
    """A model whose weights are there, and that would carry a gigabyte from batch to batch."""
    def config(c):
        shape(c, 2**27, 3, 4)
        c["config"]["layers"][1:] = [node("keras.layers", "LSTM", {"units": 1, "stateful": True})]

    def weights(root):
        del root["layers"]
        for number, size in enumerate(((4, 4), (1, 4), (4,))):
            root.create_dataset(f"layers/lstm/cell/vars/{number}", data=np.zeros(size, "f4"))

    place.write_bytes(with_config(good, config))
    place.write_bytes(with_weights(place, weights))


ATTACKS = [Attack("Z12 a state of 1 GiB", "keras", "bytes beside the weights", remembering, UNCHANGED, ("load_model",))]
ATTACKS += [Attack(f"{rule} {name}", "keras", told, config(lambda c, trap, change=change: (change(c), None)[1]), UNCHANGED,
                  ("load_model",))
           for rule, table in (("Z12", BOMBS), ("Z13", NONSENSE)) for name, (change, told) in table.items()]
