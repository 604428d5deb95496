"""The picture as an SVG: one file without references to others, readable on light and dark screens."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape as entities

from nntrain.errors import escape
from nntrain.graph.layout import Box, Frame, Label, Line, Measures, Point, layout
from nntrain.graph.model import Graph, Node, parameters_text, shape_text

MARGIN = 24
CORNER = 8
"""Radius of the corners where a line turns."""

LARGE, SMALL = 14, 12
"""Font sizes: of titles, and of what is written smaller."""

STYLE = """
  .ground { fill: #ffffff }
  text { fill: #1c2128; font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace }
  .title { font-size: 14px; text-anchor: middle }
  .count, .shape, .group, .total { font-size: 12px; fill: #57606a }
  .count { text-anchor: middle }
  .layer { fill: #f3f5f8; stroke: #8c959f }
  .learned { fill: #ddebfb; stroke: #2f6db5 }
  .end, .join { fill: #ffffff; stroke: #57606a }
  .line { fill: none; stroke: #57606a; stroke-width: 1.4 }
  .arrow { fill: #57606a }
  .frame { fill: none; stroke: #8c959f; stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0f1319 }
    text { fill: #e8ecf1 }
    .count, .shape, .group, .total { fill: #a5afbb }
    .layer { fill: #20262e; stroke: #6b7684 }
    .learned { fill: #14304f; stroke: #5b9be0 }
    .end, .join { fill: #0f1319; stroke: #a5afbb }
    .line { stroke: #a5afbb }
    .arrow { fill: #a5afbb }
    .frame { stroke: #6b7684 }
  }
"""


def as_svg(graph: Graph) -> str:
    """Return a network as an SVG, with shapes beside the edges and the parameters of each layer.

    >>> from nntrain.core.network import Network
    >>> from nntrain.graph.model import graph_of
    >>> from nntrain.layers.dense import Dense
    >>> as_svg(graph_of(Network(Dense(3), (4,)))).startswith("<svg xmlns=")
    True
    """
    piece = layout(graph, MEASURES)
    caption = graph.caption
    width = max(piece.width, _width(caption, SMALL)) + 2 * MARGIN
    height = piece.height + 2 * MARGIN + 2 * SMALL
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{_entities(f"network, {caption}")}">',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
        f'<g transform="translate({(width - piece.width) // 2} {MARGIN})">',
        *(line for frame in piece.frames for line in _frame(frame)),
        *(line for edge in piece.lines for line in _edge(edge)),
        *(_label(label) for label in piece.labels),
        *(line for box in piece.boxes for line in _box(box)),
        "</g>",
        f'<text class="total" x="{MARGIN}" y="{height - MARGIN + SMALL // 2}">{_entities(caption)}</text>',
        "</svg>",
    ]
    return "\n".join(drawn) + "\n"


def _width(words: str, size: int) -> int:
    """Return how many pixels a text takes at most in a font of fixed width."""
    return -(-len(words) * size * 61 // 100)


def _size(node: Node) -> tuple[int, int]:
    if node.kind == "join" and len(node.title) == 1:
        return 26, 26
    count = parameters_text(node.parameters)
    width = max(_width(node.title, LARGE), _width(count, SMALL)) + 28
    return max(width, 80) // 2 * 2, 48 if count else 32


MEASURES = Measures(
    node=_size,
    text=lambda words: _width(words, SMALL) + 16,
    edge=38,
    turn=32,
    bar=12,
    gap=24,
    side=16,
    top=34,
    bottom=16,
)


def _entities(words: str) -> str:
    return entities(escape(words))


def _frame(frame: Frame) -> Iterator[str]:
    place = f'x="{frame.x}" y="{frame.y}" width="{frame.width}" height="{frame.height}"'
    yield f'<rect class="frame" {place} rx="10"/>'
    yield f'<text class="group" x="{frame.title_x + 12}" y="{frame.y + 18}">{_entities(frame.title)}</text>'


def _edge(line: Line) -> Iterator[str]:
    yield f'<path class="line" d="{_path(line.points)}"/>'
    if line.enters:
        x, y = line.points[-1]
        yield f'<path class="arrow" d="M{x} {y}l-4 -8h8z"/>'


def _path(points: tuple[Point, ...]) -> str:
    """Return the path through points, round where it turns."""
    steps = [f"M{points[0][0]} {points[0][1]}"]
    for before, corner, behind in zip(points, points[1:], points[2:], strict=False):
        near, far = _towards(corner, before), _towards(corner, behind)
        steps.append(f"L{near[0]} {near[1]}Q{corner[0]} {corner[1]} {far[0]} {far[1]}")
    return "".join([*steps, f"L{points[-1][0]} {points[-1][1]}"])


def _towards(corner: Point, other: Point) -> Point:
    """Return the point at which the arc of a corner begins, on the way to the next point."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)  # lines are horizontal or vertical
    radius = min(CORNER, length // 2)
    return corner[0] + dx * radius // length, corner[1] + dy * radius // length


def _label(label: Label) -> str:
    words = _entities(label.text)
    return f'<text class="shape" x="{label.x + 8}" y="{label.y + MEASURES.edge // 2 + 2}">{words}</text>'


def _box(box: Box) -> Iterator[str]:
    node, middle = box.node, box.x + box.width // 2
    kind = {"layer": "learned" if node.parameters else "layer", "join": "join"}.get(node.kind, "end")
    radius = 6 if node.kind == "layer" else box.height // 2
    count = parameters_text(node.parameters)
    place = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"'
    told = ", ".join(filter(None, (node.key, shape_text(node.shape), count)))
    yield f"<g><title>{_entities(told)}</title>"
    yield f'<rect class="{kind}" {place} rx="{radius}"/>'
    yield f'<text class="title" x="{middle}" y="{box.y + (20 if count else box.height // 2 + 5)}">' + (
        f"{_entities(node.title)}</text>"
    )
    if count:
        yield f'<text class="count" x="{middle}" y="{box.y + 38}">{count}</text>'
    yield "</g>"
