"""The one signature: a layer is a frozen declaration with a pure `init` and a pure `apply`."""

from __future__ import annotations

import functools
import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from jaxseq.core import activations, constraints, given, initializers, policy, regularizers, rng
from jaxseq.core.declared import as_data, in_python, same, told
from jaxseq.core.handle import Handle, answer
from jaxseq.core.keras1 import require_none_of_keras_1
from jaxseq.core.precision import total, widened
from jaxseq.core.require import known_words, require
from jaxseq.core.types import Array, Ctx, Key, Params, Shape, Spec, State

C = TypeVar("C", bound=type)


def _declare(cls: C) -> C:
    """dataclass(frozen=True), with Handle's rule about what may change, and a constructor that knows Keras's words."""
    dataclass(frozen=True, repr=False, eq=False)(cls)
    del cls.__setattr__, cls.__delattr__
    cls.__init__ = _in_keras_words(cls.__init__)
    return cls


def _in_keras_words(init: Callable[..., None]) -> Callable[..., None]:
    """The same constructor, with all of Keras's words for the input shape, and a hint for a misspelt keyword."""

    @functools.wraps(init)
    def constructor(self: Layer, *values: Any, **words: Any) -> None:
        own = {each.name for each in fields(self) if each.init}
        require_none_of_keras_1(type(self).__name__, words, own)
        known_words(type(self).__name__, words, own | {"weights", *INPUT_WORDS, *self.unused_words})
        first = None if "weights" in own else given.arrays(type(self).__name__, words.pop("weights", None))
        for word in self.unused_words:
            words.pop(word, None)
        values, words = in_python(values), {word: in_python(value) for word, value in words.items()}
        about_input = {word: words.pop(word) for word in INPUT_WORDS if word in words and word not in own}
        if "dtype" in words:
            words["dtype"] = self.read_dtype(words["dtype"])
        if about_input:
            words["batch_input_shape"] = declared_shape(type(self), words.pop("batch_input_shape", None), **about_input)
        init(self, *values, **words)
        if first is not None:
            object.__setattr__(self, "_brought", first)
        require(isinstance(self.trainable, bool), f"trainable={self.trainable!r}: write True or False.", TypeError)
        for each in fields(self):
            interpret = _INTERPRETERS.get(each.name.rsplit("_", 1)[-1])
            if interpret is not None:
                interpret(getattr(self, each.name))         # an unknown name is refused here, not at the first step

    return constructor


_INTERPRETERS = {"activation": activations.get, "initializer": initializers.get, "regularizer": regularizers.get,
                 "constraint": constraints.get}
INPUT_WORDS = "input_shape", "input_dim", "input_length", "batch_size", "batch_shape"


def declared_shape(cls: type[Layer], batch_input_shape: Any = None, *, input_shape: Any = None, input_dim: Any = None,
                   input_length: Any = None, batch_size: Any = None, batch_shape: Any = None) -> Shape:
    """The one shape, batch axis first, that Keras's words for a first layer's input describe.

    `batch_input_shape` wins over `input_shape`, and that over `input_dim` and `input_length`, as in Keras 2.
    """
    whole = batch_input_shape if batch_input_shape is not None else batch_shape
    if whole is not None:
        return checked_shape("batch_input_shape", whole)
    in_words = cls.shape_in_words(input_length, input_dim)
    rest = in_words if input_shape is None else checked_shape("input_shape", input_shape)
    require(rest is not None, f"{cls.__name__}(batch_size={batch_size!r}) says the batch size alone. Add the rest: "
            f"batch_size={batch_size!r}, input_shape=(...).")
    return checked_shape("batch_input_shape", (batch_size, *(rest or ())))


def checked_shape(argument: str, shape: Any) -> Shape:
    """`shape` as a tuple of whole numbers from 1 on, or None for any length; else a ValueError."""
    usable = isinstance(shape, tuple | list) and all(
        each is None or (hasattr(each, "__index__") and not isinstance(each, bool) and int(each) >= 1) for each in shape)
    hint = f" Write {argument}=({shape},)." if hasattr(shape, "__index__") else ""
    require(usable, f"{argument}={shape!r}: write a tuple of whole numbers, None where any length fits." + hint)
    return tuple(None if each is None else int(each) for each in shape)


class Style(ABCMeta):
    """Tells the two ways to write a layer apart, once, where the class is made.

    What defines `apply` is a declaration. What defines `call`, or `build` or a constructor and no `apply`, is written in
    Keras's way, and gets the adapter (core/keras_style.py) between itself and Layer: a class's bases are chosen before it is
    made, and `__init_subclass__` comes after.
    """

    adapter: type | None = None

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any], **options: Any) -> Any:
        if cls.adapter is not None and not any(issubclass(base, cls.adapter) for base in bases) and "apply" not in members:
            place = next(place for place, base in enumerate(bases) if isinstance(base, cls))
            written = {word for word in ("call", "build", "__init__") if word in members or _has(bases[:place], word)}
            inner = next((base.__name__ for base in bases if isinstance(base, cls) and _is_concrete(base)), None)
            require(inner is None or "call" not in written, f"{name} defines call, and {inner} works by apply, so call would "
                    "never be asked. Define apply(self, params, state, x, ctx), or write a layer that holds the other: "
                    f"self.inner = {inner}(...).", TypeError)
            if written and inner is None:
                bases = *bases[:place], cls.adapter, *bases[place:]
        return super().__new__(cls, name, bases, members, **options)

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the constructor, for help() and editors."""
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    if not TYPE_CHECKING:       # a type checker reads the constructor itself

        def __call__(cls, *values: Any, **words: Any) -> Any:
            """The new layer, once its whole constructor is over."""
            return super().__call__(*values, **words)._made()


def _has(bases: tuple[type, ...], word: str) -> bool:
    """Whether one of the classes, or of those under it but object, defines `word`."""
    return any(word in vars(each) for base in bases for each in base.__mro__[:-1])


def _is_concrete(layer: Any) -> bool:
    return not getattr(layer.apply, "__isabstractmethod__", False)


class Layer(Handle, metaclass=Style):
    """A step of a model: its fields are its configuration, and it holds no arrays.

    A class that defines `call` is written in Keras's way: see `jaxseq.core.keras_style.KerasStyle`. Any other subclass is a
    frozen dataclass without being told so; its fields are what the user writes, in order:

        class Scale(Layer):
            factor: float = 1.0

            def apply(self, params, state, x, ctx):
                return x * self.factor, state

    Fields of every layer (by keyword):
        name: unique in its model; chosen from the class when absent.
        trainable: the one field that may be changed later; read when programs are built.
        dtype: the number format: "mixed_bfloat16", "mixed_float16", "bfloat16", "float16", "float32" or "float64". None: the
            model's, and where nothing is said, float32.
        batch_input_shape: the input when the layer stands first. Keras's other words for it (input_shape, input_dim,
            input_length, batch_size, batch_shape) are understood and end up here.
    weights=[...] gives the first weights, in the order of get_weights, as in Keras 2. They are no field: the declaration
    that is compared, shown and written as JSON does without them.
    """

    name: str | None = field(default=None, kw_only=True, compare=False)
    trainable: bool = field(default=True, kw_only=True, compare=False)
    dtype: Any = field(default=None, kw_only=True)
    batch_input_shape: Shape | None = field(default=None, kw_only=True, compare=False)

    if TYPE_CHECKING:       # Keras's other words, for editors and type checkers: `_in_keras_words` reads them
        input_shape: Any = field(default=None, kw_only=True)
        input_dim: Any = field(default=None, kw_only=True)
        input_length: Any = field(default=None, kw_only=True)
        batch_size: Any = field(default=None, kw_only=True)
        batch_shape: Any = field(default=None, kw_only=True)

    input_dtype: ClassVar[str] = "float32"      # what the data become when this layer stands first
    autocast: ClassVar[bool] = True             # False: it takes weights and input as they are, and widens them itself
    read_dtype: ClassVar[Callable[[Any], Any]] = staticmethod(policy.named)
    unused_words: ClassVar[tuple[str, ...]] = ()    # Keras's keywords that are understood and mean nothing here
    statistics: ClassVar[tuple[str, ...]] = ()  # the entries of the state that Keras counts among the weights
    row_of: ClassVar[tuple[tuple[str, Layer], ...]] = ()    # the named layers that it is a row of: see core/row.py

    _brought: ClassVar[given.Arrays | None] = None    # of an instance: what weights=[...] said

    def __init_subclass__(cls, declared: bool = True, **options: Any) -> None:
        super().__init_subclass__(**options)
        if declared:
            _declare(cls)
            taken = sorted((words_of_layers() - MAY_BE_FIELDS) & {each.name for each in fields(cls)} - {*BASE})
            require(not taken, f"{cls.__name__}.{', '.join(taken)}: every layer has something else under this name. Give the "
                    "field another one.", TypeError)

    def __repr__(self) -> str:
        in_order = sorted(self._written_fields(), key=lambda each: bool(each.kw_only))     # what is written by position first
        shown = [f"{each.name}={told(getattr(self, each.name))}" for each in in_order]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(same(getattr(self, each.name), getattr(other, each.name))
                                                 for each in fields(self) if each.compare)

    def __hash__(self) -> int:
        return hash((type(self), *(each.name for each in self._written_fields() if each.compare)))

    def get_config(self) -> dict[str, Any]:
        """Every field that was written, as JSON can hold it; functions by their names. TypeError where that cannot be."""
        where = type(self).__name__
        return {each.name: as_data(getattr(self, each.name), f"{where}({each.name})") for each in self._written_fields()}

    def _written_fields(self) -> list[Field[Any]]:
        """The fields that are not at their defaults."""
        return [each for each in fields(self) if each.default is MISSING or not same(getattr(self, each.name), each.default)]

    def _made(self) -> Self:
        """The layer itself, when its constructor has come to its end."""
        return self

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The layer that `get_config` described."""
        return cls(**config)

    def replaced(self, **changes: Any) -> Self:
        """A new layer like this one, first weights included, with other settings where `changes` names some."""
        brought = {} if self._brought is None else {"weights": self._brought}
        return replace(self, **brought | changes)

    @staticmethod
    def shape_in_words(length: int | None, dim: int | None) -> Shape | None:
        """The input without its batch axis that `input_length` and `input_dim` describe: one row, (dim,)."""
        width = dim if dim is not None else length
        return None if width is None else (width,)

    def init(self, key: Key, x: Spec) -> tuple[Params, State]:
        """The first params and state for an input like `x` (batch axis included)."""
        return {}, {}

    def first_weights(self, key: Key, x: Spec) -> tuple[Params, State]:
        """`init`, with the arrays of weights=[...] in the place of those it drew."""
        params, state = self.init(key, x)
        first = self._brought
        return (params, state) if first is None else given.placed(first, params, state, self.statistics)

    def draw(self, key: Key, weights: dict[str, tuple[int, ...]]) -> dict[str, Array]:
        """Each weight w of the given shape, drawn by the field <w>_initializer. For use in `init`."""
        draws = {weight: initializers.get(self._about(weight, "initializer")) for weight in weights}
        dtype = self.variable_dtype
        return {weight: draws[weight](rng.fold_in(key, weight), shape, dtype) for weight, shape in weights.items()}

    def under(self, dtype: str | None) -> Self:
        """The same layer where it has a dtype of its own, or none is given; else a copy with that one."""
        return self if dtype is None or self.dtype is not None else self.replaced(dtype=dtype)

    @property
    def stands_still(self) -> bool:
        """Whether its weights are left as they are: what `trainable` says, and in layers of layers the parts."""
        return not self.trainable

    def frozen_within(self) -> frozenset[str]:
        """Of a layer that is trained: the paths of what within it stands still."""
        return frozenset()

    def dtypes_within(self) -> set[str]:
        """The dtypes that are written in it, at any depth."""
        return set() if self.dtype is None else {self.dtype}

    def models_within(self) -> dict[str, Any]:
        """{prefix of their weights' names: model} of the models that are parts of the layer, at any depth."""
        return {}

    def inputs_of_models(self, x: Spec) -> dict[str, Spec]:
        """{prefix: what the model there is given}, for an input like `x`; without the models that are given nothing."""
        return {}

    def with_models(self, swap: Callable[[Any], Any]) -> Self:
        """A new layer like this one, with swap(model) in the place of each model that is a part of it."""
        return self.replaced()

    @property
    def dtype_policy(self) -> policy.DTypePolicy:
        """Its own; else that of the model it stands in; else float32."""
        return policy.DTypePolicy(self.dtype or getattr(self.owner, "dtype", None) or "float32")

    @property
    def compute_dtype(self) -> str:
        """What the layer computes in."""
        return self.dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """What the layer's weights are drawn and kept in."""
        return self.dtype_policy.variable_dtype

    @abstractmethod
    def apply(self, params: Params, state: State, x: Array, ctx: Ctx) -> tuple[Array, State]:
        """The layer's output and its new state, which has the structure of the old one."""

    def forward(self, params: Params, state: State, x: Array, ctx: Ctx) -> tuple[Array, State, Array | None]:
        """`apply`, and the mask that goes with the output."""
        return *self.apply(params, state, x, ctx), self.out_mask(x, ctx.mask)

    def out_mask(self, x: Array, mask: Array | None) -> Array | None:
        """The mask of the output, given the input and its mask. Passed on unchanged by default."""
        return mask

    def by_row(self, train: bool) -> bool:
        """Whether each row is worked on by itself, so that a batch may be filled up with rows that do not count.

        Taken for granted of the layers here, with activations from the table; any other function may look at the whole batch.
        """
        return all(_ours(part) for part in (type(self), *filter(callable, vars(self).values())))

    def reset(self, state: State) -> State:
        """The state after `reset_states()`. Only stateful layers have something to forget."""
        return state

    def without_activation(self) -> tuple[Layer, Callable[[Array], Array]] | None:
        """(the same layer without its last function, that function), or None when they cannot be told apart."""
        return None

    def penalty(self, params: Params) -> Array:
        """The weight regularizers' share of the loss: the sum over weights w of self.<w>_regularizer(w)."""
        rules = {weight: regularizers.get(self._about(weight, "regularizer")) for weight in params}
        return total(rule(params[weight]) for weight, rule in rules.items() if rule is not None)

    def activity_penalty(self, y: Array) -> Array | None:
        """The activity regularizer's share of the loss, per row as in Keras 3; None without such a regularizer."""
        regularizer = regularizers.get(getattr(self, "activity_regularizer", None))
        return None if regularizer is None else widened(regularizer(y)) / max(y.shape[0], 1)

    def constrain(self, params: Params) -> Params:
        """The weights after an update, each w put back where self.<w>_constraint wants it."""
        return {weight: self._rule(weight)(value) for weight, value in params.items()}

    def _rule(self, weight: str) -> Callable[[Array], Array]:
        return constraints.get(self._about(weight, "constraint")) or (lambda value: value)

    def _about(self, weight: str, what: str) -> Any:
        """The field about a weight: kernel -> kernel_regularizer, recurrent_kernel -> recurrent_regularizer."""
        return getattr(self, f"{weight.removesuffix('_kernel')}_{what}", None)


_declare(Layer)


def _ours(part: Any) -> bool:
    """Whether it is an activation from the table, or a class or declaration of this package."""
    made_of = part if isinstance(part, type) else type(part)
    return made_of.__module__.startswith("jaxseq.") or any(part is each for each in activations.TABLE.values())


BASE = tuple(each.name for each in fields(Layer))       # name, trainable, dtype, batch_input_shape
ANSWERS = frozenset(name for name, member in vars(Handle).items() if isinstance(member, answer))     # a field may hide them
MAY_BE_FIELDS = ANSWERS | {"input_dtype", "autocast", "unused_words", "statistics"}     # what a class says of itself


@functools.cache
def words_of_layers() -> frozenset[str]:
    """The names, without those that begin with "_", under which every layer has something."""
    return frozenset(name for name in {**vars(Handle), **vars(Layer)} if not name.startswith("_"))


def sequence_in_words(length: int | None, dim: int | None) -> Shape | None:
    """`shape_in_words` of the layers that read sequences: (length or any, dim)."""
    return None if dim is None else (length, dim)
