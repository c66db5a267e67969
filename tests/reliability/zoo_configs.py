"""Configs that mean harm: code, names of other people's functions, loaders within loaders, paths (Z1 to Z5)."""

import base64
import marshal

from .attack import Attack, bytes_of
from .rebuilding import with_config


def layer(config, place=1):
    """The node of a layer; 1 is the first Dense."""
    return config["config"]["layers"][place]


def code(trap):
    """A lambda as Keras 3 writes it down, which would make a file."""
    compiled = compile(f"open({str(trap.made)!r}, 'w')", "<file>", "exec")
    return {"class_name": "__lambda__", "config": {"code": encoded(compiled)}}


def encoded(compiled):
    return base64.b64encode(marshal.dumps(compiled)).decode()


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def node(module, name, config):
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def settings(config, **changed):
    layer(config)["config"].update(changed)


def instead(config, described):
    """Another layer in the place of the first Dense."""
    config["config"]["layers"][1] = described


def compiled(config, **changed):
    config["compile_config"].update(changed)


def optimizer(config, name, settings, module="keras.optimizers"):
    config["compile_config"]["optimizer"].update(module=module, class_name=name, config=settings)


def rate(config, value):
    config["compile_config"]["optimizer"]["config"]["learning_rate"] = value


def old_lambda(trap):
    """The code of a lambda as Keras 2 wrote it, which names no class."""
    raw = encoded(compile(f"open({str(trap.made)!r}, 'w')", "<file>", "exec"))
    return {"class_name": "Lambda", "config": {"function": [raw, None, None], "function_type": "lambda"}}


# change(config, trap), and what the refusal says. These change the layers alone, so that .h5 has them, too.
LAYERS = {
    "Z1 a Lambda": (lambda c, trap: instead(c, node("keras.layers", "Lambda", {"function": code(trap)})), "code of a lambda"),
    "Z1 a Lambda without a module": (lambda c, trap: instead(c, {"class_name": "Lambda", "config": {"function": code(trap)}}),
                                     "code of a lambda"),
    "Z1 a Lambda as Keras 2 wrote it": (lambda c, trap: instead(c, old_lambda(trap)), "a function that is no named function"),
    "Z1 code for an initializer": (lambda c, trap: settings(c, kernel_initializer=code(trap)), "code of a lambda"),
    "Z1 code for an activation": (lambda c, trap: settings(c, activation=code(trap)), "code of a lambda"),
    "Z1 code for a regularizer": (lambda c, trap: settings(c, kernel_regularizer=code(trap)), "code of a lambda"),
    "Z1 code for a constraint": (lambda c, trap: settings(c, bias_constraint=code(trap)), "code of a lambda"),
    "Z2 os.system for an activation": (lambda c, trap: settings(c, activation=function("os", "system")),
                                       "the activation 'system'"),
    "Z2 eval for an initializer": (lambda c, trap: settings(c, kernel_initializer=function("builtins", "eval")),
                                   "the initializer 'eval'"),
    "Z2 Popen for a regularizer": (lambda c, trap: settings(c, kernel_regularizer=node(
        "subprocess", "Popen", {"args": ["touch", str(trap.made)]})), "the regularizer 'Popen'"),
    "Z2 numpy.load for a constraint": (lambda c, trap: settings(c, kernel_constraint=function("numpy", "load")),
                                       "the constraint 'load'"),
    "Z2 a class out of runpy": (lambda c, trap: instead(c, node("runpy", "run_path", {"path_name": str(trap.made)})),
                                "the layer 'run_path'"),
    "Z2 our name, another's module": (lambda c, trap: layer(c).update(module="os"), "the layer 'Dense'"),
    "Z2 another's registered name": (lambda c, trap: layer(c).update(module="os", class_name="Dens",
                                                                     registered_name="os>system"), "the layer 'Dens'"),
    "Z2 a name with dots": (lambda c, trap: layer(c).update(class_name="os.system"), "the layer 'os.system'"),
    "Z3 keras.config.enable_unsafe_deserialization": (lambda c, trap: settings(c, activation=function(
        "keras.config", "enable_unsafe_deserialization")), "the activation 'enable_unsafe_deserialization'"),
    "Z3 keras.models.load_model": (lambda c, trap: settings(c, kernel_initializer=function("keras.models", "load_model")),
                                   "the initializer 'load_model'"),
    "Z3 keras.saving.register_keras_serializable": (lambda c, trap: settings(c, kernel_regularizer=function(
        "keras.saving", "register_keras_serializable")), "the regularizer 'register_keras_serializable'"),
    "Z3 keras.utils.save_img": (lambda c, trap: settings(c, bias_constraint=function("keras.utils", "save_img")),
                                "the constraint 'save_img'"),
    "Z3 keras.utils.get_file in a Lambda": (lambda c, trap: instead(c, node("keras.layers", "Lambda", {
        "function": function("keras.utils", "get_file"), "arguments": {"fname": str(trap.made), "origin": trap.url}})),
        "the function 'get_file'"),
    "Z3 our own load_model in a Lambda": (lambda c, trap: instead(c, node("keras.layers", "Lambda", {
        "function": function("jaxseq.models", "load_model"), "arguments": {"filepath": str(trap.secret)}})),
        "the function 'load_model'"),
    "Z4 TFSMLayer": (lambda c, trap: instead(c, node("keras.layers", "TFSMLayer", {"filepath": str(trap.folder)})),
                     "the layer 'TFSMLayer'"),
    "Z4 TorchModuleWrapper": (lambda c, trap: instead(c, node("keras.layers", "TorchModuleWrapper", {
        "module": encoded(compile("0", "", "eval"))})), "the layer 'TorchModuleWrapper'"),
    "Z4 FlaxLayer": (lambda c, trap: instead(c, node("keras.layers", "FlaxLayer", {"module": function("os", "system")})),
                     "the layer 'FlaxLayer'"),
    "Z4 JaxLayer": (lambda c, trap: instead(c, node("keras.layers", "JaxLayer", {"call_fn": function("os", "system")})),
                    "the layer 'JaxLayer'"),
    "Z5 a vocabulary out of a file": (lambda c, trap: instead(c, node("keras.layers", "StringLookup", {
        "vocabulary": str(trap.secret)})), "the layer 'StringLookup'"),
    "Z5 a vocabulary out of the net": (lambda c, trap: instead(c, node("keras.layers", "IntegerLookup", {
        "vocabulary": trap.url})), "the layer 'IntegerLookup'"),
    "Z5 a text's vocabulary": (lambda c, trap: instead(c, node("keras.layers", "TextVectorization", {
        "vocabulary": str(trap.secret)})), "the layer 'TextVectorization'"),
    "Z5 a path for a layer's weights": (lambda c, trap: settings(c, weights=str(trap.secret)), "weights"),
    "Z6 a path for a layer's name": (lambda c, trap: settings(c, name="../../x"), "the name becomes a key in files"),
    "Z6 a layer called ..": (lambda c, trap: settings(c, name=".."), "the name becomes a key in files"),
    "B1 escapes in a layer's name": (lambda c, trap: settings(c, name="\x1b[2J\x1b]8;;http://x\x07"), "the name becomes a key"),
    "B1 escapes in a class": (lambda c, trap: layer(c).update(class_name="\x1b[31mDense\r"), "is not one of this library"),
}

COMPILED = {
    "Z1 code for a loss": (lambda c, trap: compiled(c, loss=code(trap)), "code of a lambda"),
    "Z1 code for a metric": (lambda c, trap: compiled(c, metrics=[code(trap)]), "code of a lambda"),
    "Z1 code for a rate": (lambda c, trap: rate(c, code(trap)), "code of a lambda"),
    "Z2 subprocess.call for a loss": (lambda c, trap: compiled(c, loss=function("subprocess", "call")), "the loss 'call'"),
    "Z2 os.remove for a metric": (lambda c, trap: compiled(c, metrics=[function("os", "remove")]), "the metric 'remove'"),
    "Z2 an import for an optimizer": (lambda c, trap: optimizer(c, "import_module", {}, "importlib"),
                                      "the optimizer 'import_module'"),
    "Z2 open for a schedule": (lambda c, trap: rate(c, node("io", "open", {"file": str(trap.made), "mode": "w"})),
                               "the layer 'open'"),
    "Z3 keras.utils.get_file for a loss": (lambda c, trap: compiled(c, loss=function("keras.utils", "get_file")),
                                           "the loss 'get_file'"),
    "Z3 keras.utils.load_img for a metric": (lambda c, trap: compiled(c, metrics=[function("keras.utils", "load_img")]),
                                             "the metric 'load_img'"),
}


def config(change):
    return bytes_of(lambda good, trap: with_config(good, lambda config: change(config, trap)))


UNCHANGED = config(lambda config, trap: None)

ATTACKS = [Attack(name, "keras", told, config(change), UNCHANGED, ("load_model",))
           for name, (change, told) in {**LAYERS, **COMPILED}.items()]
