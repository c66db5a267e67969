"""The graph of a model. A Sequential is a row of boxes, so no library has to lay it out; models within are frames."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jaxseq.api.files.atomic import replacing
from jaxseq.api.showing import needed
from jaxseq.api.showing.described import Line, lines, printable
from jaxseq.api.showing.markup import Markup, tag
from jaxseq.core.require import one_of, positive_int, require, spelled

LETTER, ROW, PAD, GAP = 7.25, 16, 10, 26            # of a letter, a line of text, around it, between two boxes; in pixels
INCH = 96                                           # pixels
FILL, STILL, EDGE, INK, ARROW = "#e8f0fe", "#ececec", "#5b7db1", "#1b2733", "#808080"
FONT = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"


class Box(NamedTuple):
    """Lines of text in a rectangle. fill: its color; None for a frame around others, with its title at the top."""

    text: tuple[str, ...]
    fill: str | None
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


class Group(NamedTuple):
    """A frame and what stands in it."""

    title: str
    inner: tuple[Any, ...]


@dataclass(frozen=True)
class Diagram:
    """A picture of a model, which shows itself in a notebook. boxes: frames before what stands in them."""

    boxes: tuple[Box, ...]
    width: float
    height: float
    down: bool

    @property
    def arrows(self) -> list[tuple[float, float, float, float]]:
        """(x1, y1, x2, y2) from every box to the next."""
        full = [box for box in self.boxes if box.fill]
        middle = lambda box: (box.x + box.width / 2, box.y + box.height / 2)
        ends = lambda one, two: ((middle(one)[0], one.y + one.height, middle(two)[0], two.y) if self.down else
                                 (one.x + one.width, middle(one)[1], two.x, middle(two)[1]))
        return [ends(one, two) for one, two in zip(full, full[1:], strict=False)]

    @property
    def svg(self) -> Markup:
        """The picture as SVG, which brings its own colors and can be read on light and on dark pages."""
        return tag("svg", tag("title", "The layers of a model"), *map(_arrow, self.arrows), *map(_box, self.boxes),
                   xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {self.width:g} {self.height:g}", width=self.width,
                   height=self.height, style=f"max-width:100%;height:auto;font:12px {FONT}", role="img")

    def save(self, to_file: Any, dpi: int = 200) -> None:
        """Writes the picture: .svg by itself, .png and .pdf by matplotlib, .png with `dpi` dots per inch."""
        ending = Path(to_file).suffix.lower()
        require(ending in (".svg", ".png", ".pdf"), f"{str(to_file)!r}: write a name that ends in .svg, .png or .pdf.")
        content = self.svg.encode() if ending == ".svg" else _by_matplotlib(self.figure(), ending[1:], dpi)
        with replacing(to_file) as file:
            file.write(content)

    def figure(self) -> Any:
        """The picture as a figure of matplotlib."""
        figure = needed.picture(self.width / INCH, self.height / INCH, layout=None)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, self.width), ylim=(self.height, 0))
        axes.set_axis_off()
        for x1, y1, x2, y2 in self.arrows:
            axes.annotate("", (x2, y2), (x1, y1), arrowprops={"arrowstyle": "-|>", "color": ARROW, "shrinkA": 0, "shrinkB": 0})
        for box in self.boxes:
            _patch(axes, box)
        return figure

    def __repr__(self) -> str:
        return f"<Diagram of {sum(box.fill is not None for box in self.boxes)} boxes>"

    def _repr_svg_(self) -> str:
        return self.svg


@spelled
def plot_model(model: Any, to_file: Any = "model.svg", show_shapes: bool = False, show_dtype: bool = False,
               show_layer_names: bool = False, rankdir: str = "TB", expand_nested: bool = False, dpi: int = 200,
               show_layer_activations: bool = False, show_trainable: bool = False, splines: str = "ortho") -> Diagram:
    """The graph of a model, as a picture that shows itself in a notebook, and in a file.

    to_file: a name that ends in .svg, or in .png or .pdf, for which matplotlib is needed; None: no file.
    show_...: what stands in the boxes besides the class: (shape of what comes in → of what goes out), the dtype of what goes
        out, the name, the activation, whether the weights are trained. rankdir: "TB" from top to bottom, or "LR" from left
        to right. expand_nested: the layers of a model within, in a frame. dpi: dots per inch of a .png.
    splines: accepted; arrows are straight.
    Differs from Keras, which needs graphviz and pydot, writes model.png, and gives an IPython Image.
    """
    down = one_of("rankdir", rankdir, ("TB", "LR")) == "TB"
    positive_int("dpi", dpi)
    shown = _Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    nodes = [_input(model, shown), *_nodes(model, shown, [*lines(model, expand_nested)], 0)]
    diagram = _laid_out(nodes, down)
    if to_file is not None:
        diagram.save(to_file, dpi)
    return diagram


class _Shown(NamedTuple):
    shapes: bool
    dtype: bool
    names: bool
    activations: bool
    trainable: bool


def _input(model: Any, shown: _Shown) -> Box:
    known = model.input_shape is not None
    text = ["Input", *([str(model.input_shape) if known else "?"] if shown.shapes else []),
            *([model.input_dtype if known else "?"] if shown.dtype else [])]
    return Box(tuple(text), FILL)


def _nodes(model: Any, shown: _Shown, told: list[Line], depth: int) -> Iterator[Box | Group]:
    """A box for each line of this depth, or a group with the boxes of the deeper lines that follow it."""
    places = [place for place, line in enumerate(told) if line.depth == depth]
    for place, end in zip(places, [*places[1:], len(told)], strict=False):
        line, deeper = told[place], told[place + 1:end]
        if deeper:
            title = f"{line.name} ({line.kind})" if shown.names else line.kind
            yield Group(printable(title), tuple(_nodes(line.layer, shown, deeper, depth + 1)))
        else:
            yield Box(tuple(map(printable, _text(model, line, shown))), STILL if shown.trainable and line.frozen else FILL)


def _text(model: Any, line: Line, shown: _Shown) -> Iterator[str]:
    yield f"{line.name} ({line.kind})" if shown.names else line.kind
    activation = getattr(line.layer, "activation", None)
    if shown.activations and activation is not None:
        yield activation if isinstance(activation, str) else getattr(activation, "__name__", type(activation).__name__)
    if shown.shapes:
        yield "?" if line.shape is None else f"{model.layer_shapes(line.name)[0]} → {line.shape}"
    if shown.dtype:
        yield line.dtype or "?"
    if shown.trainable and (line.count or line.frozen):
        yield "frozen" if line.frozen else "trained"


# ---- where everything stands


def _laid_out(nodes: Iterable[Box | Group], down: bool) -> Diagram:
    whole = Group("", tuple(nodes))
    width, height = _inside(whole.inner, down)
    boxes = tuple(_placed(whole.inner, PAD, PAD, width, height, down))
    return Diagram(boxes, width + 2 * PAD, height + 2 * PAD, down)


def _size(node: Box | Group, down: bool) -> tuple[float, float]:
    """(width, height). A frame has its title at the left of the arrow; from left to right it has room for it below as well, so
    that the boxes stay in a line."""
    if isinstance(node, Box):
        return LETTER * max(map(len, node.text)) + 2 * PAD, ROW * len(node.text) + 2 * PAD - 4
    width, height = _inside(node.inner, down)
    title = LETTER * len(node.title)
    return max(width, 2 * title + PAD if down else title) + 2 * PAD, height + 2 * PAD + ROW * (1 if down else 2)


def _inside(nodes: tuple[Any, ...], down: bool) -> tuple[float, float]:
    widths, heights = zip(*(_size(node, down) for node in nodes), strict=True)
    gaps = GAP * (len(nodes) - 1)
    return (max(widths), sum(heights) + gaps) if down else (sum(widths) + gaps, max(heights))


def _placed(nodes: tuple[Any, ...], x: float, y: float, width: float, height: float, down: bool) -> Iterator[Box]:
    """Every node in its place within a field, one after the other, and in the middle of the other direction."""
    for node in nodes:
        wide, high = _size(node, down)
        left, top = (x + (width - wide) / 2, y) if down else (x, y + (height - high) / 2)
        if isinstance(node, Box):
            yield node._replace(x=left, y=top, width=wide, height=high)
        else:
            yield Box((node.title,), None, left, top, wide, high)
            yield from _placed(node.inner, left + PAD, top + PAD + ROW, wide - 2 * PAD,
                               high - 2 * PAD - ROW * (1 if down else 2), down)
        x, y = (x, y + high + GAP) if down else (x + wide + GAP, y)


# ---- as SVG, and by matplotlib


def _arrow(ends: tuple[float, float, float, float]) -> Markup:
    x1, y1, x2, y2 = ends
    corners = [(-4, -7), (4, -7), (0, 0)] if x1 == x2 else [(-7, -4), (-7, 4), (0, 0)]
    head = " ".join(f"{x2 + right:g},{y2 + low:g}" for right, low in corners)
    return tag("g", tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=ARROW, stroke_width=1.5),
               tag("polygon", points=head, fill=ARROW))


def _box(box: Box) -> Markup:
    place = {"x": box.x, "y": box.y, "width": box.width, "height": box.height, "rx": 5}
    if box.fill is None:
        return tag("g", tag("rect", **place, fill="none", stroke=ARROW, stroke_dasharray="4 3"),
                   tag("text", box.text[0], x=box.x + PAD, y=box.y + ROW, fill=ARROW))
    middle, first = box.x + box.width / 2, box.y + PAD + 10
    words = [tag("text", text, x=middle, y=first + ROW * row, text_anchor="middle", fill=INK, font_weight=None if row else 700)
             for row, text in enumerate(box.text)]
    return tag("g", tag("rect", **place, fill=box.fill, stroke=EDGE), *words)


def _by_matplotlib(figure: Any, kind: str, dpi: int) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=dpi)
    return out.getvalue()


def _patch(axes: Any, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = {"facecolor": box.fill, "edgecolor": EDGE} if box.fill else {"facecolor": "none", "edgecolor": ARROW, "ls": "--"}
    axes.add_patch(FancyBboxPatch((box.x, box.y), box.width, box.height, boxstyle="round,pad=0,rounding_size=5", **style))
    words = {"family": "monospace", "size": 12 * 72 / INCH, "va": "baseline"}
    if box.fill is None:
        axes.text(box.x + PAD, box.y + ROW, box.text[0], color=ARROW, **words)
    for row, text in enumerate(box.text if box.fill else ()):
        axes.text(box.x + box.width / 2, box.y + PAD + 10 + ROW * row, text, color=INK, ha="center",
                  weight="normal" if row else "bold", **words)
