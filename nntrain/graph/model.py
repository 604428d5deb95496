"""What is drawn of a network: a chain of layers from input to output, which forks and joins.

Containers vanish: their layers are drawn, a shortcut as a fork whose one branch is empty. What keeps a name of its own,
such as a transformer block, becomes a :class:`Group`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nntrain.core.array import Shape
from nntrain.core.layer import LAYERS, Layer
from nntrain.core.network import Network
from nntrain.layers.bidirectional import Bidirectional
from nntrain.layers.branch import Branch
from nntrain.layers.residual import Residual
from nntrain.layers.sequential import Sequential


@dataclass(frozen=True, slots=True)
class Node:
    """One thing that is drawn.

    Attributes:
        key: path of the layer; ``input``, ``output``, or for a join the path of its container with `` (join)``.
        kind: ``input``, ``layer``, ``join`` or ``output``.
        title: what is written on it.
        shape: of an example behind it.
        parameters: how many numbers the layer holds.
    """

    key: str
    kind: str
    title: str
    shape: Shape
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Fork:
    """Branches side by side and where they come together; an empty branch is a shortcut."""

    branches: tuple[Chain, ...]
    join: Node


@dataclass(frozen=True, slots=True)
class Group:
    """A chain with a name."""

    title: str
    chain: Chain


Part: TypeAlias = Node | Fork | Group


@dataclass(frozen=True, slots=True)
class Chain:
    """Parts one after the other."""

    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two nodes; what flows along it has the shape of the first one's output."""

    source: Node
    target: Node

    @property
    def shape(self) -> Shape:
        """The shape of one example on this edge."""
        return self.source.shape


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole network, from its input node to its output node, and how many numbers training moves."""

    chain: Chain
    parameters: int

    @property
    def caption(self) -> str:
        """What is written below the picture."""
        return f"{self.parameters:,} trainable parameter{'' if self.parameters == 1 else 's'}"

    @property
    def nodes(self) -> list[Node]:
        """All nodes, in the order of the forward pass."""
        return list(nodes_of(self.chain))

    @property
    def edges(self) -> list[Edge]:
        """All edges, in the order of the forward pass."""
        first, *others = self.chain.parts
        assert isinstance(first, Node), "a graph begins with its input"
        edges: list[Edge] = []
        _connect(Chain(tuple(others)), first, edges)
        return edges


def nodes_of(part: Part | Chain) -> Iterator[Node]:
    """Yield the nodes of a part, in the order of the forward pass."""
    if isinstance(part, Node):
        yield part
    elif isinstance(part, Chain):
        for inner in part.parts:
            yield from nodes_of(inner)
    elif isinstance(part, Group):
        yield from nodes_of(part.chain)
    else:
        for branch in part.branches:
            yield from nodes_of(branch)
        yield part.join


def _connect(part: Part | Chain, source: Node, edges: list[Edge]) -> Node:
    """Add the edges of a part that follows ``source``; return its last node."""
    if isinstance(part, Node):
        edges.append(Edge(source, part))
        return part
    if isinstance(part, Group):
        return _connect(part.chain, source, edges)
    if isinstance(part, Chain):
        for inner in part.parts:
            source = _connect(inner, source, edges)
        return source
    edges.extend([Edge(_connect(branch, source, edges), part.join) for branch in part.branches])
    return part.join


def shape_text(shape: Shape) -> str:
    """Return a shape as people read it.

    >>> shape_text((12, 3)), shape_text((5,)), shape_text(())
    ('12 × 3', '5', 'scalar')
    """
    return " × ".join(map(str, shape)) or "scalar"


def parameters_text(count: int) -> str:
    """Return a number of parameters in words, or nothing where there are none.

    >>> parameters_text(1), parameters_text(1234), parameters_text(0)
    ('1 parameter', '1,234 parameters', '')
    """
    return f"{count:,} parameter{'' if count == 1 else 's'}" if count else ""


def graph_of(network: Network) -> Graph:
    """Return what is drawn of a network.

    >>> from nntrain.layers.dense import Dense
    >>> graph = graph_of(Network(Sequential([Dense(3, activation="relu")]), (4,)))
    >>> [(node.title, node.shape, node.parameters) for node in graph.nodes]
    [('input', (4,), 0), ('dense_1 + relu', (3,), 15), ('output', (3,), 0)]
    """
    traced = network.measured.layers
    reader = _Reader({id(found.layer): found.out_shape for found in traced})
    root = traced[0].layer
    parts = reader.layers(root.layers) if type(root) is Sequential else reader.parts(root)
    first = Node("input", "input", "input", network.in_shape)
    last = Node("output", "output", "output", network.out_shape)
    return Graph(Chain((first, *parts, last)), network.store.size)


class _Reader:
    """Reads layers as parts.

    Args:
        shapes: of the layers' outputs, by their ids.
    """

    def __init__(self, shapes: dict[int, Shape]) -> None:
        self.shapes = shapes

    def layers(self, layers: Sequence[Layer]) -> tuple[Part, ...]:
        return tuple(part for layer in layers for part in self.parts(layer))

    def parts(self, layer: Layer) -> tuple[Part, ...]:
        if isinstance(layer, Residual):
            return (self.fork(layer, [self.layers(layer.layers), self.around(layer)], "+"),)
        if isinstance(layer, Branch):
            branches = [self.layers(branch.layers) for branch in layer.branches]
            if len(branches) == 1:
                return branches[0]
            title = {"add": "+", "multiply": "×"}.get(layer.merge, layer.merge)
            return (self.fork(layer, branches, title),)
        if isinstance(layer, Bidirectional):
            return (self.fork(layer, [(self.node(child),) for child in layer.children], "concatenate"),)
        if isinstance(layer, Sequential):
            return (Group(_own_name(layer), Chain(self.layers(layer.layers))),)
        return (self.node(layer),)

    def around(self, layer: Residual) -> tuple[Part, ...]:
        """Return what stands on the shortcut of a residual block."""
        if layer.shortcut is not None:
            return self.layers(layer.shortcut.layers)
        return () if layer.projection is None else (self.node(layer.projection),)

    def fork(self, layer: Layer, branches: Sequence[tuple[Part, ...]], title: str) -> Fork:
        join = Node(f"{layer.name} (join)", "join", title, self.shapes[id(layer)])
        return Fork(tuple(Chain(parts) for parts in branches), join)

    def node(self, layer: Layer) -> Node:
        within = "" if layer.is_container else "".join(f" + {LAYERS.name_of(child)}" for child in layer.children)
        parameters = sum(parameter.size for inner in layer.walk() for parameter in inner.parameters)
        title = f"{_own_name(layer)}{within}"
        return Node(layer.name or title, "layer", title, self.shapes[id(layer)], parameters)


def _own_name(layer: Layer) -> str:
    """Return the last part of a layer's path."""
    return layer.name.rpartition(".")[2] or LAYERS.name_of(layer)
