"""What each layer of a network takes, gives and keeps in memory, found out by passes over a twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context, Layer

if TYPE_CHECKING:
    from nntrain.core.network import Network


@dataclass(frozen=True, slots=True)
class Trace:
    """What passes have shown of one layer.

    Attributes:
        layer: of the twin, built as in the network.
        in_shape: of one example.
        out_shape: of one example.
        activation_bytes: how much its scratch memory grows with a row of the batch, forward and backward together.
    """

    layer: Layer
    in_shape: Shape
    out_shape: Shape
    activation_bytes: int


def trace(network: Network) -> list[Trace]:
    """Return what is found of each layer of the tree, depth first, the network itself unchanged.

    Memory is measured as what training passes of three rows take beyond passes of two; with a single row batch norm
    takes another way. A container's own memory, such as the sum of a residual block, counts with its last layer.

    >>> from nntrain.core.network import Network
    >>> from nntrain.layers.dense import Dense
    >>> [found] = trace(Network(Dense(3), (4,), input_gradient=True))
    >>> found.in_shape, found.out_shape, found.activation_bytes == 4 * (3 + 4)
    ((4,), (3,), True)
    """
    twin = network.replica()
    shapes: dict[int, tuple[Shape, Shape]] = {}
    for layer in twin.root.walk():
        _record_shapes(layer, shapes)
    statistics = network.store.buffer.copy()
    try:
        before = _memory_after(twin, 2)
        grown = {key: size - before[key] for key, size in _memory_after(twin, 3).items()}
    finally:
        network.store.buffer[...] = statistics  # the twin shares them
    for layer in twin.root.walk():
        within = list(leaves(layer))
        if layer.is_container and within:
            grown[id(within[-1])] += grown.pop(id(layer))
    return [
        Trace(layer, *shapes[id(layer)], sum(grown.get(id(inner), 0) for inner in layer.walk()))
        for layer in twin.root.walk()
        if id(layer) in shapes
    ]


def leaves(layer: Layer) -> Iterator[Layer]:
    """Yield the layers that are no mere containers, in order; a layer within one of them is part of it."""
    if not layer.is_container:
        yield layer
        return
    for child in layer.children:
        yield from leaves(child)


def tap(layer: Layer, output: Callable[[Array], object], gradient: Callable[[Array], object]) -> None:
    """Let a layer show its output at each forward pass, and its input's gradient at each backward pass.

    Where a max pool does the layer's bias and activation, that is what the pool leaves.
    """
    if getattr(layer, "hands_over", False):
        _tap_finish(layer, output, gradient)
        return
    forward, backward = layer.forward, layer.backward

    def shown_forward(x: Array, ctx: Context) -> Array:
        y = forward(x, ctx)
        output(y)
        return y

    def shown_backward(dy: Array) -> Array | None:
        dx = backward(dy)
        if dx is not None:
            gradient(dx)
        return dx

    layer.forward, layer.backward = shown_forward, shown_backward  # type: ignore[method-assign]


def _tap_finish(layer: Any, output: Callable[[Array], object], gradient: Callable[[Array], object]) -> None:
    finish, before_finish = layer.finish, layer.before_finish

    def shown_finish(x: Array, out: Array) -> None:
        finish(x, out)
        output(out)

    def shown_before_finish(dy: Array) -> Array:
        dx: Array = before_finish(dy)
        gradient(dx)
        return dx

    layer.finish, layer.before_finish = shown_finish, shown_before_finish


def _record_shapes(layer: Layer, shapes: dict[int, tuple[Shape, Shape]]) -> None:
    forward = layer.forward

    def recorded(x: Array, ctx: Context) -> Array:
        y = forward(x, ctx)
        shapes[id(layer)] = (x.shape[1:], y.shape[1:])
        return y

    layer.forward = recorded  # type: ignore[method-assign]


def _memory_after(twin: Network, rows: int) -> dict[int, int]:
    """Return the bytes of scratch memory of each layer after a training step on this many rows."""
    with np.errstate(all="ignore"):
        twin.store.begin_step()
        twin.forward(np.zeros((rows, *twin.in_shape), twin.dtype), Context(training=True))
        twin.backward(np.zeros((rows, *twin.out_shape), twin.dtype))
    return {id(layer): layer.scratch_bytes for layer in twin.root.walk()}
