"""The picture for a terminal, in box characters."""

from __future__ import annotations

from nntrain.graph.layout import Frame, Line, Measures, Piece, layout
from nntrain.graph.model import Graph, Node, parameters_text

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8

# The character with lines in these directions.
CHARACTERS = dict(
    zip(
        (
            *(UP, DOWN, UP | DOWN, LEFT, RIGHT, LEFT | RIGHT),
            *(DOWN | RIGHT, DOWN | LEFT, UP | RIGHT, UP | LEFT),
            *(UP | DOWN | RIGHT, UP | DOWN | LEFT, DOWN | LEFT | RIGHT, UP | LEFT | RIGHT, UP | DOWN | LEFT | RIGHT),
        ),
        "│││───┌┐└┘├┤┬┴┼",
        strict=True,
    )
)


def as_text(graph: Graph) -> str:
    """Return a network drawn in box characters, with shapes beside the edges and the parameters of each layer.

    >>> from nntrain.core.network import Network
    >>> from nntrain.graph.model import graph_of
    >>> from nntrain.layers.residual import Residual
    >>> print(as_text(graph_of(Network(Residual(["tanh"]), (3,)))), end="")
       input
         │ 3
         ├──────┐
    ┌────┴───┐  │
    │ tanh_1 │  │
    └────┬───┘  │
         │ 3    │ 3
         ├──────┘
        (+)
         │ 3
      output
    <BLANKLINE>
    0 trainable parameters
    """
    return f"{_Canvas(layout(graph, MEASURES)).drawn()}\n\n{graph.caption}\n"


def _words(node: Node) -> str:
    if node.kind == "join":
        return f"({node.title})"
    return "  ".join(filter(None, (node.title, parameters_text(node.parameters))))


def _size(node: Node) -> tuple[int, int]:
    width = len(_words(node))
    return (width + 4, 3) if node.kind == "layer" else (width, 1)


MEASURES = Measures(
    node=_size,
    text=lambda words: len(words) + 3,
    edge=1,
    turn=1,
    bar=0,
    gap=2,
    side=2,
    top=1,
    bottom=1,
)


class _Canvas:
    """Cells of characters; lines and borders that meet in a cell become one character."""

    def __init__(self, piece: Piece) -> None:
        self.lines = [[0] * (piece.width + 1) for _ in range(piece.height + 1)]
        self.texts = [[""] * (piece.width + 1) for _ in range(piece.height + 1)]
        for frame in piece.frames:
            self.frame(frame)
        for line in piece.lines:
            self.line(line)
        for box in piece.boxes:
            self.box(box.node, box.x, box.y, box.width)
        for label in piece.labels:
            self.write(label.x + 2, label.y, label.text)

    def write(self, x: int, y: int, words: str) -> None:
        for i, character in enumerate(words):
            self.texts[y][x + i] = character

    def frame(self, frame: Frame) -> None:
        right, bottom = frame.x + frame.width - 1, frame.y + frame.height - 1
        for y in range(frame.y + 1, bottom):
            self.texts[y][frame.x] = self.texts[y][right] = "┆"
        for y, corners in ((frame.y, "╭╮"), (bottom, "╰╯")):
            self.write(frame.x, y, f"{corners[0]}{'┄' * (frame.width - 2)}{corners[1]}")
        self.write(frame.title_x + 1, frame.y, f" {frame.title} ")

    def line(self, line: Line) -> None:
        (x, y), *others = line.points
        self.draw(x, y - 1, x, y)  # from the lower border of what stands above
        for next_x, next_y in others:
            self.draw(x, y, next_x, next_y)
            x, y = next_x, next_y

    def draw(self, x: int, y: int, next_x: int, next_y: int) -> None:
        """Draw a straight line; what a frame has written in its cells gives way."""
        forth, back, dx, dy = (DOWN, UP, 0, 1) if x == next_x else (RIGHT, LEFT, 1, 0)
        if (next_x, next_y) < (x, y):
            x, y, next_x, next_y = next_x, next_y, x, y
        while (x, y) != (next_x, next_y):
            self.mark(x, y, forth)
            x, y = x + dx, y + dy
            self.mark(x, y, back)

    def mark(self, x: int, y: int, direction: int) -> None:
        self.lines[y][x] |= direction
        self.texts[y][x] = ""

    def box(self, node: Node, x: int, y: int, width: int) -> None:
        if node.kind != "layer":
            self.write(x, y, _words(node))
            return
        for height in (y, y + 2):
            self.draw(x, height, x + width - 1, height)
        for side in (x, x + width - 1):
            self.draw(side, y, side, y + 2)
        self.write(x + 2, y + 1, _words(node))

    def drawn(self) -> str:
        rows = (
            "".join(words or CHARACTERS.get(lines, " ") for words, lines in zip(*row, strict=True)).rstrip()
            for row in zip(self.texts, self.lines, strict=True)
        )
        return "\n".join(rows).rstrip("\n")
