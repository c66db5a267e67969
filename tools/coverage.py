"""Writes docs/coverage.md: every name of Keras 2.2.4 and Keras 3 that a Sequential can use, and what it is here.

    python tools/coverage.py            writes the page
    python tools/coverage.py --check    says whether the page is what would be written

Keras 3's names are read from the installed Keras, Keras 2's stand in KERAS2 below. A name works if it is found at the door of
the same name; it differs if a row of docs/differences.md is about it; if it is absent, ABSENT says why, or this stops.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, DIFFERENCES = ROOT / "docs" / "coverage.md", ROOT / "docs" / "differences.md"

KERAS2 = {
    "layers": """Dense Activation Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D Flatten Input InputLayer Reshape
        Permute
        RepeatVector Lambda ActivityRegularization Masking Conv1D Conv2D Conv3D Convolution1D Convolution2D Convolution3D
        SeparableConv1D SeparableConv2D DepthwiseConv2D Conv2DTranspose Conv3DTranspose Cropping1D Cropping2D Cropping3D
        UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D MaxPooling1D MaxPooling2D MaxPooling3D
        AveragePooling1D AveragePooling2D AveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
        GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D LocallyConnected1D LocallyConnected2D RNN
        SimpleRNN GRU
        LSTM ConvLSTM2D SimpleRNNCell GRUCell LSTMCell StackedRNNCells CuDNNGRU CuDNNLSTM Embedding LeakyReLU PReLU ELU
        ThresholdedReLU Softmax ReLU BatchNormalization GaussianNoise GaussianDropout AlphaDropout TimeDistributed Bidirectional
        Layer Wrapper Add Subtract Multiply Average Maximum Minimum Concatenate Dot""",
    "losses": """mean_squared_error mse MSE mean_absolute_error mae MAE mean_absolute_percentage_error mape MAPE
        mean_squared_logarithmic_error msle MSLE squared_hinge hinge categorical_hinge logcosh categorical_crossentropy
        sparse_categorical_crossentropy binary_crossentropy kullback_leibler_divergence kld KLD poisson cosine_proximity
        cosine get
        serialize deserialize""",
    "metrics": """binary_accuracy categorical_accuracy sparse_categorical_accuracy top_k_categorical_accuracy
        sparse_top_k_categorical_accuracy mse mae mape msle cosine get serialize deserialize""",
    "optimizers": """SGD RMSprop Adagrad Adadelta Adam Adamax Nadam Optimizer sgd rmsprop adagrad adadelta adam adamax nadam get
        serialize deserialize TFOptimizer""",
    "callbacks": """Callback BaseLogger TerminateOnNaN ProgbarLogger History ModelCheckpoint EarlyStopping RemoteMonitor
        LearningRateScheduler TensorBoard ReduceLROnPlateau CSVLogger LambdaCallback CallbackList""",
    "initializers": """Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling Orthogonal Identity
        lecun_uniform lecun_normal glorot_uniform glorot_normal he_uniform he_normal zeros ones constant zero one uniform normal
        random_uniform random_normal truncated_normal identity orthogonal get serialize deserialize""",
    "regularizers": "Regularizer L1L2 l1 l2 l1_l2 get serialize deserialize",
    "constraints": """Constraint MaxNorm NonNeg UnitNorm MinMaxNorm max_norm non_neg unit_norm min_max_norm maxnorm nonneg
        unitnorm
        get serialize deserialize""",
    "activations": """softmax elu selu softplus softsign relu tanh sigmoid hard_sigmoid exponential linear get serialize
        deserialize""",
    "models": """Sequential load_model save_model model_from_json model_from_yaml model_from_config clone_model Model""",
    "utils": """to_categorical normalize get_file Sequence GeneratorEnqueuer OrderedEnqueuer Progbar CustomObjectScope
        custom_object_scope get_custom_objects serialize_keras_object deserialize_keras_object plot_model print_summary
        multi_gpu_model convert_all_kernels_in_model HDF5Matrix""",
    "preprocessing.sequence": "pad_sequences skipgrams make_sampling_table TimeseriesGenerator",
    "preprocessing.text": "Tokenizer text_to_word_sequence one_hot hashing_trick tokenizer_from_json",
    "wrappers.scikit_learn": "KerasClassifier KerasRegressor",
    **dict.fromkeys(("datasets.boston_housing", "datasets.cifar10", "datasets.cifar100", "datasets.fashion_mnist",
                     "datasets.mnist"), "load_data"),
    **dict.fromkeys(("datasets.imdb", "datasets.reuters"), "load_data get_word_index"),
    "preprocessing.image": """ImageDataGenerator Iterator NumpyArrayIterator DirectoryIterator array_to_img img_to_array
        load_img save_img list_pictures apply_affine_transform apply_brightness_shift apply_channel_shift flip_axis
        random_brightness random_channel_shift random_rotation random_shear random_shift random_zoom""",
    "Sequential": """add pop build layers get_layer compile fit evaluate predict predict_classes predict_proba train_on_batch
        test_on_batch predict_on_batch fit_generator evaluate_generator predict_generator summary save save_weights load_weights
        weights trainable_weights non_trainable_weights get_weights set_weights count_params get_config from_config to_json
        to_yaml
        reset_states metrics_names optimizer loss inputs outputs input_shape output_shape history stop_training losses updates
        stateful trainable name""",
}
KERAS3 = ["layers", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks", "initializers", "regularizers",
          "constraints", "activations", "models", "utils", "preprocessing.sequence", "wrappers", "datasets.boston_housing",
          "datasets.california_housing", "datasets.cifar10", "datasets.cifar100", "datasets.fashion_mnist", "datasets.imdb",
          "datasets.mnist", "datasets.reuters", "Sequential"]

# why a name is absent -> the names
ABSENT = {
    "takes several inputs, and a Sequential has one": """layers.Add layers.Average layers.Concatenate layers.Dot layers.Maximum
        layers.Minimum layers.Multiply layers.Subtract layers.add layers.average layers.concatenate layers.dot layers.maximum
        layers.minimum layers.multiply layers.subtract layers.AdditiveAttention layers.Attention layers.GroupQueryAttention
        layers.MultiHeadAttention models.Model Sequential.inputs Sequential.outputs Sequential.input Sequential.output
        utils.get_source_inputs utils.is_keras_tensor utils.FeatureSpace optimizers.MultiOptimizer optimizers.OptimizerMap
        metrics.clone_metric metrics.clone_metrics""",
    "prepares data, and is not in this version": """layers.AugMix layers.AutoContrast layers.CategoryEncoding
        layers.ContrastLimitedAdaptiveHistogramEqualization layers.CutMix layers.Discretization layers.Equalization
        layers.HashedCrossing layers.Hashing layers.MaxNumBoundingBoxes layers.MelSpectrogram layers.MixUp
        layers.Pipeline layers.RandAugment layers.RandomElasticTransform layers.RandomErasing layers.RandomGaussianBlur
        layers.RandomPerspective layers.RandomPosterization layers.Resizing layers.STFTSpectrogram
        initializers.STFT initializers.STFTInitializer initializers.stft utils.audio_dataset_from_directory
        utils.HDF5Matrix""",
    "holds a layer of another library": "layers.FlaxLayer layers.JaxLayer layers.TFSMLayer layers.TorchModuleWrapper "
                                        "optimizers.TFOptimizer",
    "shares its matrix with another layer of the model": "layers.ReversibleEmbedding",
    "is a base without use of its own: derive from Layer": "layers.Wrapper",
    "configs go through get_config, to_json and files": """layers.serialize layers.deserialize optimizers.schedules.serialize
        optimizers.schedules.deserialize models.model_from_yaml models.model_from_config Sequential.to_yaml
        utils.deserialize_keras_object utils.serialize_keras_object Sequential.build_from_config Sequential.compile_from_config
        Sequential.get_build_config Sequential.get_compile_config Sequential.load_own_variables
        Sequential.save_own_variables""",
    "is a switch for the whole program, and there are none: pass custom_objects=, verbose= or dtype= where it counts": """
        utils.CustomObjectScope utils.custom_object_scope utils.get_custom_objects utils.get_registered_name
        utils.get_registered_object utils.register_keras_serializable utils.Config utils.disable_interactive_logging
        utils.enable_interactive_logging utils.is_interactive_logging_enabled utils.clear_session utils.standardize_dtype""",
    "is not in this version": """callbacks.OrbaxCheckpoint utils.model_to_dot
        utils.split_dataset utils.print_summary utils.pack_x_y_sample_weight utils.unpack_x_y_sample_weight
        utils.GeneratorEnqueuer utils.OrderedEnqueuer utils.multi_gpu_model utils.convert_all_kernels_in_model
        Sequential.quantize Sequential.quantization_mode Sequential.quantized_build Sequential.quantized_call
        Sequential.get_quantization_layer_structure Sequential.rematerialized_call""",
    "is counted within the programs: metrics_names, evaluate and the History tell of it": """Sequential.metrics
        Sequential.metrics_variables Sequential.get_metrics_result Sequential.reset_metrics""",
    "comes of ImageDataGenerator.flow and flow_from_directory": """preprocessing.image.DirectoryIterator
        preprocessing.image.NumpyArrayIterator preprocessing.image.list_pictures""",
    "is for subclasses that make steps of their own: `functional()` gives the model as pure functions": """Sequential.add_loss
        Sequential.add_metric Sequential.add_variable Sequential.add_weight Sequential.call Sequential.compute_loss
        Sequential.compute_loss_and_updates Sequential.compute_mask Sequential.compute_metrics Sequential.compute_output_shape
        Sequential.compute_output_spec Sequential.get_state_tree Sequential.input_spec
        Sequential.jax_state_sync Sequential.jit_compile Sequential.make_predict_function Sequential.make_test_function
        Sequential.make_train_function Sequential.path Sequential.predict_step
        Sequential.set_state_tree Sequential.stateless_call Sequential.stateless_compute_loss
        Sequential.supports_masking Sequential.symbolic_call Sequential.test_step Sequential.train_step Sequential.losses
        Sequential.updates Sequential.stateful""",
}


def names(module: str) -> tuple[set[str], set[str]]:
    """(those of Keras 2, those of Keras 3) in a module, or of Sequential."""
    found: set[str] = set()
    if module in KERAS3:
        owner = _at("keras", module)
        found = {name for name in dir(owner) if not name.startswith("_") and not inspect.ismodule(getattr(owner, name, None))}
    return set(KERAS2.get(module, "").split()), found


def _at(package: str, module: str):
    if module == "Sequential":
        return getattr(importlib.import_module(package), module)
    return importlib.import_module(f"{package}.{module}")


def reasons() -> dict[str, str]:
    """{module.name: why it is absent}"""
    return {name: why for why, listed in ABSENT.items() for name in listed.split()}


# What is about a whole name: it bare, its keywords, a method of it, what is assigned. `save("m.h5")` is about one spelling.
NAMED = r"(?:model\.)?(\w+)(?:\(\)|\(.*\w=.*\)|\(\.\.\.\)\.\w+| = .*)?"


def differing() -> dict[str, str]:
    """{name: why it differs}, of the names that rows of docs/differences.md are about."""
    found: dict[str, str] = {}
    for row in re.findall(r"^\| (.+) \|$", DIFFERENCES.read_text(), re.MULTILINE):
        what, *_, why = row.split(" | ")
        for code, plain in re.findall(r"`([^`]+)`|\b([A-Z]\w+)", what):
            about = re.fullmatch(NAMED, code or plain)
            if about:
                found.setdefault(about[1], why)
    return found


def rows(module: str) -> Iterator[tuple[str, str, str]]:
    """(name, where Keras has it, what it is here)"""
    second, third = names(module)
    owner, absent, differs = _at("jaxseq", module), reasons(), differing()
    here = {*dir(owner), *(vars(owner()) if module == "Sequential" else ())}
    for name in sorted(second | third, key=lambda name: (name.lower(), name)):
        where = "2 and 3" if name in second & third else "2" if name in second else "3"
        if name in here and f"{module}.{name}" in absent:
            raise SystemExit(f"{module}.{name} is here, and in ABSENT: take it out.")
        if name not in here:
            if f"{module}.{name}" not in absent:
                raise SystemExit(f"{module}.{name} is neither here nor in ABSENT: say why.")
            yield name, where, f"not: {absent[f'{module}.{name}']}"
        else:
            yield name, where, f"differs: {differs[name]}" if name in differs else "works"


HEAD = """# What of Keras is here

Written by `python tools/coverage.py`. Every name of Keras 2.2.4 and of Keras 3.15.1 that a Sequential can use: it *works* as
there; it *differs*, as [differences.md](differences.md) tells; or it is *not* here. Behind the colon stands why. The tests
hold what is here to the installed Keras 3.
"""


def page() -> str:
    """docs/coverage.md."""
    counts = {"works": 0, "differs": 0, "not": 0}
    tables: list[str] = []
    for module in dict.fromkeys([*KERAS3, *KERAS2]):
        title = module if module == "Sequential" else f"keras.{module}"
        tables += [f"## {title}", "", "| name | Keras | here |", "|---|---|---|"]
        for name, where, what in rows(module):
            counts[what.split(":")[0]] += 1
            tables.append(f"| `{name}` | {where} | {what} |")
        tables.append("")
    told = f"{counts['works']} work, {counts['differs']} differ, {counts['not']} are not here."
    return "\n".join([HEAD, f"{sum(counts.values())} names: {told}", "", *tables]).rstrip() + "\n"


def main() -> None:
    os.environ["KERAS_BACKEND"] = "jax"
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            raise SystemExit("docs/coverage.md is not what the code says: run python tools/coverage.py")
        return
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
