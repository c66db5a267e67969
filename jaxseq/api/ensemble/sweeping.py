"""The settings that a sweep goes over: where each stands, and a model with other values there."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import jax

from jaxseq.api.copies import clone_model
from jaxseq.api.distribution.strategies import spread_as
from jaxseq.api.ensemble.frozen import take_frozen
from jaxseq.api.sequential import Sequential
from jaxseq.core import regularizers, rng
from jaxseq.core.require import require, require_known
from jaxseq.core.settings import replaced

Chosen = dict[str, Any]                 # {setting as it was written: the value of one member}


OPTIMIZER = -1


class Place(NamedTuple):
    """layer: its number in the model, or OPTIMIZER. path: of fields, as ("kernel_regularizer", "l2")."""

    layer: int
    path: tuple[str, ...]


def grid(sweep: Mapping[str, Iterable[Any]] | None) -> list[Chosen]:
    """Every combination of the values, the last setting's changing fastest; one without settings where there is no sweep."""
    require(sweep is None or isinstance(sweep, Mapping), f"sweep={sweep!r}: write a dict of lists, sweep={{'learning_rate': "
            "[0.1, 0.01]}.", TypeError)
    values = {word: _listed(word, each) for word, each in (sweep or {}).items()}
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


def require_other_seeds(seeds: Sequence[Any]) -> None:
    """ValueError for a seed that stands there twice: its members would be the same, and their spread nothing of the kind."""
    known = []
    for seed in seeds:
        words = jax.random.key_data(rng.root_key(seed)).tolist()
        require(words not in known, f"seeds: {seed!r} stands there twice, and one member would count as two. Write it once.")
        known.append(words)


def all_places(model: Sequential, words: Iterable[str]) -> dict[str, list[Place]]:
    """{setting: its `places`}. ValueError for one place under two words."""
    found: dict[str, list[Place]] = {}
    for word in words:
        own = places(model, word)
        again = next((other for other, known in found.items() if known == own), None)
        require(again is None, f"sweep: {again!r} and {word!r} are the same setting: write one of them.")
        found[word] = own
    return found


def places(model: Sequential, word: str) -> list[Place]:
    """Where a setting stands: "momentum" in the optimizer, "dropout_1.rate" in the layer of that name, "Dropout.rate" in all
    layers of that class, "dense.kernel_regularizer.l2" in the regularizer there. ValueError for one that there is not."""
    require(isinstance(word, str), f"sweep has {word!r}: write the name of a setting, 'learning_rate' or 'dropout.rate'.",
            TypeError)
    owner, dot, rest = word.rpartition(".") if word.count(".") < 2 else _first_part(model, word)
    if not dot:
        word = "learning_rate" if word == "lr" else word
        _require_no_argument_of_fit(model, word)
        owned = [(Place(OPTIMIZER, _in_optimizer(model.declared_optimizer, word)), model.declared_optimizer)]
    else:
        owned = [(Place(number, tuple(rest.split("."))), layer) for number, (name, layer) in enumerate(model.named_layers)
                 if owner in (name, type(layer).__name__)]
        names = {each for name, layer in model.named_layers for each in (name, type(layer).__name__)}
        require_known(owner, names, f"sweep={{{word!r}: ...}}: there is no layer {owner!r}.")
    for place, declaration in owned:
        _require_there(word, declaration, place.path)
    return [place for place, _ in owned]


def made(model: Sequential, seed: Any, chosen: Mapping[Place, Any]) -> Sequential:
    """A model of the same layers, compiled alike, with first weights by another seed and other values at some places; what
    is frozen in it has the weights of `model`."""
    swaps = {id(layer): _with(layer, {place.path: value for place, value in chosen.items() if place.layer == number})
             for number, layer in enumerate(model.layers) if any(place.layer == number for place in chosen)}
    copied = lambda layer: swaps[id(layer)] if id(layer) in swaps else layer.with_models(clone_model)
    member = clone_model(model, copied, seed=seed)
    changes = {place.path: value for place, value in chosen.items() if place.layer == OPTIMIZER}
    optimizer = _with(model.declared_optimizer, changes)
    with spread_as(None):
        member.compile(**{**model.compile_arguments, "optimizer": optimizer, "distribution": None})
    take_frozen(member, model, member.task.frozen)
    return member


def _listed(word: str, values: Any) -> list[Any]:
    several = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping)
    require(several, f"sweep={{{word!r}: {values!r}}}: write the values in a list, {{{word!r}: [{values!r}]}}.", TypeError)
    values = list(values)
    require(values, f"sweep={{{word!r}: []}}: write one value at least.")
    again = [value for place, value in enumerate(values) if value in values[:place]]
    require(not again, f"sweep={{{word!r}: ...}}: {again[:1]} stands there twice, and its members would count as two. Write it "
            "once.")
    return values


def _first_part(model: Sequential, word: str) -> tuple[str, str, str]:
    """The owner, the dot and the rest. A layer's name may have dots in it, and is then the longest that fits."""
    names = [name for name, _ in model.named_layers if word.startswith(f"{name}.")]
    owner = max(names, key=len, default=word.split(".", 1)[0])
    return owner, ".", word[len(owner) + 1:]


def _require_no_argument_of_fit(model: Sequential, word: str) -> None:
    arguments = set(inspect.signature(type(model).fit).parameters) - {"self"}
    require(word not in arguments, f"sweep={{{word!r}: ...}}: {word} is an argument of fit, and all members are trained with "
            "the same. Write an Ensemble for each of its values.")


def _in_optimizer(optimizer: Any, word: str) -> tuple[str, ...]:
    inner = getattr(optimizer, "inner_optimizer", None)
    return (word,) if inner is None or word in {each.name for each in fields(optimizer)} else ("inner_optimizer", word)


def _require_there(word: str, declaration: Any, path: tuple[str, ...]) -> None:
    for name in path:
        cure = "Compile with one of jaxseq.optimizers." if len(path) == 1 else f"Write one that has {name!r} into the layer."
        require(is_dataclass(declaration), f"sweep={{{word!r}: ...}}: {declaration!r} has no settings. {cure}")
        known = {each.name for each in fields(declaration)}
        require_known(name, known, f"sweep={{{word!r}: ...}}: {declaration!r} has no {name!r}.")
        declaration = _inner(name, getattr(declaration, name))


def _inner(name: str, value: Any) -> Any:
    """What stands in a field, as a declaration: a regularizer may be written by its name."""
    return regularizers.get(value) if name.endswith("regularizer") and isinstance(value, str | Mapping) else value


def _with(declaration: Any, changes: Mapping[tuple[str, ...], Any]) -> Any:
    for path, value in changes.items():
        if len(path) > 1:
            declaration = replaced(declaration, path[:1], _inner(path[0], getattr(declaration, path[0])))
        declaration = replaced(declaration, path, value)
    return declaration
