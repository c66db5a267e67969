"""What a notebook shows of a model and of a layer: tables without a script, a style sheet or anything from elsewhere."""

from __future__ import annotations

from typing import Any

from jaxseq.api.showing.described import lines, printable, totals
from jaxseq.api.showing.markup import Markup, join, table, tag

NOTE = "margin:.2em 0;color:inherit"
FAINT = "opacity:.7"


def of_model(model: Any) -> Markup:
    """A row for every layer, those of models within it too: name, class, output shape, weights, whether they are trained."""
    rows = [(_named(each.name, each.kind, each.depth), "?" if each.shape is None else each.shape, each.size, each.training)
            for each in lines(model, expand_nested=True)]
    shown = table(("Layer", "Output shape", "Weights", "Training"), rows, right={2}) if rows else tag("div", "No layers.")
    return tag("div", tag("div", tag("b", f'Model "{printable(model.name)}"'), style=NOTE), shown,
               tag("div", totals(model), style=NOTE))


def of_layer(model: Any, name: str, layer: Any) -> Markup:
    """The layer's declaration; its shapes, and its weights by name, in the model that it stands in."""
    head = tag("div", tag("code", printable(repr(layer), 600), style="color:inherit;background:transparent;"
                          "overflow-wrap:anywhere;white-space:normal"), style=NOTE)
    if model.input_shape is None:
        return tag("div", head)
    shapes = tag("div", f"{model.layer_shapes(name)[0]} → {model.layer_output(name)[0]}", style=NOTE)
    rows = [("/".join(slot[2:]), spec.shape, spec.dtype, "trained" if moves else "not trained")
            for slot, spec, moves in model.listed(name)]
    shown = table(("Weight", "Shape", "Dtype", "Training"), rows) if rows else Markup()
    return tag("div", head, shapes, shown)


def _named(name: str, kind: str, depth: int) -> Markup:
    inner = join([tag("b", printable(name)), " ", tag("span", printable(kind), style=FAINT)])
    return tag("span", inner, style=f"padding-left:{1.2 * depth:g}em")
