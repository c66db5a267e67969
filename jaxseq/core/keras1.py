"""Keras 1's words for the settings of layers, which are not taken: the error says what they are called now."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from jaxseq.core.require import require

# What to write; of several the first whose setting the layer has.
OF_KERAS_1 = {
    "output_dim": ("units",), "nb_filter": ("filters",), "p": ("rate",), "sigma": ("stddev",), "bias": ("use_bias",),
    "filter_length": ("kernel_size",), "nb_row": ("kernel_size=(rows, columns)",), "nb_col": ("kernel_size=(rows, columns)",),
    "kernel_dim1": ("kernel_size=(depth, rows, columns)",), "kernel_dim2": ("kernel_size=(depth, rows, columns)",),
    "kernel_dim3": ("kernel_size=(depth, rows, columns)",),
    "pool_length": ("pool_size",), "length": ("size",), "subsample": ("strides",),
    "subsample_length": ("strides",), "atrous_rate": ("dilation_rate",), "border_mode": ("padding",),
    "dim_ordering": ('data_format="channels_last" for "tf", "channels_first" for "th"',),
    "init": ("kernel_initializer", "embeddings_initializer", "depthwise_initializer", "alpha_initializer"),
    "inner_init": ("recurrent_initializer",), "forget_bias_init": ("unit_forget_bias=True",),
    "beta_init": ("beta_initializer",), "gamma_init": ("gamma_initializer",), "inner_activation": ("recurrent_activation",),
    "W_regularizer": ("kernel_regularizer", "embeddings_regularizer", "depthwise_regularizer"),
    "U_regularizer": ("recurrent_regularizer",), "b_regularizer": ("bias_regularizer",),
    "W_constraint": ("kernel_constraint", "embeddings_constraint", "depthwise_constraint"),
    "U_constraint": ("recurrent_constraint",), "b_constraint": ("bias_constraint",),
    "dropout_W": ("dropout",), "dropout_U": ("recurrent_dropout",),
}


def require_none_of_keras_1(owner: str, words: Iterable[str], settings: Collection[str]) -> None:
    """TypeError for a word of Keras 1's that is none of the settings of `owner`, where one of them has taken its place."""
    for word in words:
        now = [each for each in OF_KERAS_1.get(word, ()) if each.partition("=")[0] in settings]
        require(word in settings or not now, f"{owner} takes no argument {word!r}, which is Keras 1's: write "
                f"{''.join(now[:1])}.", TypeError)
