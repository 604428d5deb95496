"""Where everything stands: a vertical chain, with side branches that leave it and come back.

Every piece has an axis, on which it is entered at its top and left at its bottom. Pieces are laid out from the inside
out, in whatever unit the renderer draws in: a character's cell, or a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

from nntrain.core.array import Shape
from nntrain.graph.model import Chain, Fork, Graph, Group, Node, Part, shape_text

Point: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Measures:
    """How large a renderer draws things, in its own unit.

    Attributes:
        node: width and height of a node.
        text: width of a label beside an edge, and of a group's title, with the distance to what they stand at.
        edge: length of an edge from one thing to the next, which has room for a label.
        turn: height in which a line turns aside to a branch, or back.
        bar: how far below the beginning of a turn the horizontal line runs.
        gap: between branches.
        side: from a group's content to its frame.
        top: height of a group's title.
        bottom: from a group's content to the frame below it.
    """

    node: Callable[[Node], tuple[int, int]]
    text: Callable[[str], int]
    edge: int
    turn: int
    bar: int
    gap: int
    side: int
    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Box:
    """A node at its place: its left upper corner and its size."""

    node: Node
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame around a group; its title begins at ``title_x``."""

    title: str
    title_x: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Line:
    """Straight pieces from point to point; ``enters`` says whether it ends at a node."""

    points: tuple[Point, ...]
    enters: bool


@dataclass(frozen=True, slots=True)
class Label:
    """A text beside the vertical line at x, from y to y + the length of an edge."""

    text: str
    x: int
    y: int


@dataclass
class Piece:
    """A part laid out with its axis at x = 0 and its top at y = 0; as a whole picture, with x from 0 to the width."""

    left: int = 0
    right: int = 0
    height: int = 0
    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    @property
    def width(self) -> int:
        return self.left + self.right

    def reach(self, left: int, right: int) -> None:
        """Take at least this much room on each side of the axis."""
        self.left, self.right = max(self.left, left), max(self.right, right)

    def add(self, other: Piece, x: int, y: int) -> None:
        """Put another piece in, with its axis at x and its top at y."""
        self.boxes += [replace(box, x=box.x + x, y=box.y + y) for box in other.boxes]
        for frame in other.frames:
            self.frames.append(replace(frame, x=frame.x + x, y=frame.y + y, title_x=frame.title_x + x))
        self.labels += [replace(label, x=label.x + x, y=label.y + y) for label in other.labels]
        for line in other.lines:
            self.lines.append(replace(line, points=tuple((px + x, py + y) for px, py in line.points)))
        self.reach(other.left - x, other.right + x)

    def connect(self, points: Sequence[Point], enters: bool) -> None:
        """Draw a line, without the points that are twice the same."""
        kept = [point for i, point in enumerate(points) if i == 0 or point != points[i - 1]]
        if len(kept) > 1:
            self.lines.append(Line(tuple(kept), enters))


def layout(graph: Graph, measures: Measures) -> Piece:
    """Return everything at its place, from x = 0 to the width and from y = 0 to the height."""
    found, whole = _Layout(measures).chain(graph.chain, ()), Piece()
    whole.add(found, found.left, 0)
    whole.left, whole.right, whole.height = 0, found.width, found.height
    return whole


class _Layout:
    """Lays parts out; ``shape`` is that of what flows into a part."""

    def __init__(self, measures: Measures) -> None:
        self.measures = measures

    def part(self, part: Part, shape: Shape) -> Piece:
        if isinstance(part, Node):
            return self.node(part)
        return self.group(part, shape) if isinstance(part, Group) else self.fork(part, shape)

    def node(self, node: Node) -> Piece:
        width, height = self.measures.node(node)
        left = width // 2
        return Piece(left, width - left, height, [Box(node, -left, 0, width, height)])

    def chain(self, chain: Chain, shape: Shape) -> Piece:
        piece = Piece()
        for i, part in enumerate(chain.parts):
            if i:
                start = piece.height
                self.label(piece, shape, 0, start)
                piece.height += self.measures.edge
                piece.connect([(0, start), (0, piece.height)], isinstance(part, Node))
            placed = self.part(part, shape)
            piece.add(placed, 0, piece.height)
            piece.height += placed.height
            shape = _shape_behind(part, shape)
        return piece

    def label(self, piece: Piece, shape: Shape, x: int, y: int) -> None:
        text = shape_text(shape)
        piece.labels.append(Label(text, x, y))
        piece.reach(0, x + self.measures.text(text))

    def group(self, group: Group, shape: Shape) -> Piece:
        inner, measures = self.chain(group.chain, shape), self.measures
        left, title = inner.left + measures.side, measures.text(group.title)
        title_x = -left
        if title > left:  # it would run over the line that comes in from above
            title_x = 0
            inner.reach(0, title)
        right = inner.right + measures.side
        height = measures.top + inner.height + measures.bottom
        frame = Frame(group.title, title_x, -left, 0, left + right, height)
        piece = Piece(left, right, height, frames=[frame])
        piece.connect([(0, 0), (0, measures.top)], _begins_with_node(group.chain))
        piece.add(inner, 0, measures.top)
        piece.connect([(0, height - measures.bottom), (0, height)], False)
        return piece

    def fork(self, fork: Fork, shape: Shape) -> Piece:
        measures, piece = self.measures, Piece()
        shapes = [_shape_behind(branch, shape) for branch in fork.branches]
        branches = [self.chain(branch, shape) for branch in fork.branches]
        for branch, behind in zip(branches, shapes, strict=True):
            branch.reach(0, measures.text(shape_text(behind)))
        axes = _axes(branches, measures.gap, straight=not all(branch.parts for branch in fork.branches))
        end = measures.turn + max(branch.height for branch in branches) + measures.edge
        for axis, branch, chain, behind in zip(axes, branches, fork.branches, shapes, strict=True):
            turn = [(0, 0), (0, measures.bar), (axis, measures.bar), (axis, measures.turn)]
            piece.connect(turn, _begins_with_node(chain))
            piece.add(branch, axis, measures.turn)
            back = [(axis, measures.turn + branch.height), (axis, end + measures.bar), (0, end + measures.bar)]
            piece.connect([*back, (0, end + measures.turn)], True)
            self.label(piece, behind, axis, end - measures.edge)
        join = self.node(fork.join)
        piece.add(join, 0, end + measures.turn)
        piece.height = end + measures.turn + join.height
        return piece


def _axes(branches: Sequence[Piece], gap: int, straight: bool) -> list[int]:
    """Return the branches' axes: from the fork's own to the right, or with the fork's own in their middle."""
    axes = [0]
    for before, branch in pairwise(branches):
        axes.append(axes[-1] + before.right + gap + branch.left)
    middle = 0 if straight else axes[-1] // 2
    return [axis - middle for axis in axes]


def _shape_behind(part: Part | Chain, shape: Shape) -> Shape:
    """Return the shape behind a part that a shape flows into."""
    if isinstance(part, Node):
        return part.shape
    if isinstance(part, Fork):
        return part.join.shape
    chain = part.chain if isinstance(part, Group) else part
    for inner in chain.parts:
        shape = _shape_behind(inner, shape)
    return shape


def _begins_with_node(chain: Chain) -> bool:
    return bool(chain.parts) and isinstance(chain.parts[0], Node)
