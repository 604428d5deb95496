"""What each layer of a network takes, gives and keeps in memory, found out by passes over a twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context, Layer
from nntrain.core.memory import most_memory
from nntrain.core.scratch import limited_scratch
from nntrain.errors import Problem, ResourceError

if TYPE_CHECKING:
    from nntrain.core.network import Network

BYTES_TO_MEASURE = 32 << 20
"""Memory is measured on so many rows that they take about so much: the pieces in which layers go through a batch have
then their whole size, and none of it grows with further rows."""

MOST_TO_MEASURE = 2048
"""Rows that are enough for any layer."""

SMALLER = "make the layers smaller"


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


@dataclass(frozen=True, slots=True)
class Measurement:
    """What training passes of few and of more rows have shown of a network.

    Attributes:
        layers: what is found of each layer of the tree, depth first.
        few: rows of the smaller pass.
        more: rows of the larger one.
        before: bytes of scratch memory after the smaller pass.
        after: bytes of it after the larger one.
    """

    layers: list[Trace]
    few: int
    more: int
    before: int
    after: int


def measure(network: Network) -> Measurement:
    """Return what passes over a twin show, the network itself unchanged.

    A layer's memory is what the larger pass takes beyond the smaller one. A container's own memory, such as the sum of
    a residual block, counts with its last layer.

    >>> from nntrain.core.network import Network
    >>> from nntrain.layers.dense import Dense
    >>> [found] = measure(Network(Dense(3), (4,), input_gradient=True)).layers
    >>> found.in_shape, found.out_shape, found.activation_bytes == 4 * (3 + 4)
    ((4,), (3,), True)

    Raises:
        ConfigError: three rows take more memory than the machine has; the message names a layer.
        ResourceError: they take more than there is for this process.
    """
    twin = network.replica()
    shapes: dict[int, tuple[Shape, Shape]] = {}
    for layer in twin.root.walk():
        _record_shapes(layer, shapes)
    with _passing(twin, network):
        before = _memory_after(twin, 2)  # with a single row batch norm takes another way
        few, more = _rows_to_measure(sum(before.values()) // 2)
        before = before if few == 2 else _memory_after(twin, few)
        after = _memory_after(twin, more)
    for layer in twin.root.walk():
        layer.release()
    grown = {key: max(0, size - before[key]) // (more - few) for key, size in after.items()}
    for layer in twin.root.walk():
        within = list(leaves(layer))
        if layer.is_container and within:
            grown[id(within[-1])] += grown.pop(id(layer))
    found = [
        Trace(layer, *shapes[id(layer)], sum(grown.get(id(inner), 0) for inner in layer.walk()))
        for layer in twin.root.walk()
        if id(layer) in shapes
    ]
    return Measurement(found, few, more, sum(before.values()), sum(after.values()))


def step_bytes(network: Network, rows: int) -> int:
    """Return about how much scratch memory a training step of so many rows takes, the network itself unchanged.

    Few rows are passed through a twin; what many take follows from what passes of fewer rows have taken.

    >>> from nntrain.core.network import Network
    >>> from nntrain.layers.dense import Dense
    >>> step_bytes(Network(Dense(3), (4,), input_gradient=True), 1_000_000)
    28000000
    """
    known = network.measured
    if rows >= known.more:
        return known.after + (rows - known.more) * (known.after - known.before) // (known.more - known.few)
    twin = network.replica()
    with _passing(twin, network):
        return sum(_memory_after(twin, rows).values())


def leaves(layer: Layer) -> Iterator[Layer]:
    """Yield the layers that are no mere containers, in order; a layer within one of them is part of it."""
    if not layer.is_container:
        yield layer
        return
    for child in layer.children:
        yield from leaves(child)


def tap(layer: Layer, output: Callable[[Array], object], gradient: Callable[[Array], object]) -> None:
    """Let a layer show its output at each forward pass, and its input's gradient at each backward pass.

    Where a max pool does the layer's bias and activation, that is what the pool leaves. A gradient that is only there
    piece by piece is shown so.
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
        if dx is not None and dx is not getattr(layer, "unread", None):
            gradient(dx)
        return dx

    layer.forward, layer.backward = shown_forward, shown_backward  # type: ignore[method-assign]
    if hasattr(layer, "give"):
        _tap_give(layer, gradient)


def _tap_give(layer: Any, gradient: Callable[[Array], object]) -> None:
    give = layer.give

    def shown_give(rows: slice) -> Array:
        dx: Array = give(rows)
        gradient(dx)
        return dx

    layer.give = shown_give


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


@contextmanager
def _passing(twin: Network, network: Network) -> Iterator[None]:
    """Let a twin make passes: in no more memory than there is, and with nothing of the network changed by them."""
    weights, most = 2 * network.store.value.nbytes, most_memory()
    twin.refuse_rows(3, training=True, beside=weights)
    for layer in twin.root.walk():
        _tell_of_memory(layer)
    statistics = network.store.buffer.copy()
    try:
        with limited_scratch(None if most is None else most - weights):
            yield
    finally:
        network.store.buffer[...] = statistics  # the twin shares them


def _tell_of_memory(layer: Layer) -> None:
    """Let a layer say that it is the one for which memory is too small."""
    for name in ("forward", "backward"):
        setattr(layer, name, _telling(layer, getattr(layer, name)))


def _telling(layer: Layer, method: Callable[..., Array | None]) -> Callable[..., Array | None]:
    def told(*arguments: Any) -> Array | None:
        try:
            return method(*arguments)
        except MemoryError as error:
            place = f"{layer.name}: " if layer.name else ""
            problem = Problem(f"{place}out of memory: {error}", help=SMALLER, at=layer.key_path())
            raise ResourceError([problem]) from None

    return told


def _rows_to_measure(each: int) -> tuple[int, int]:
    """Return on how many rows to measure memory, of which each takes so many bytes where rows are few."""
    rows = 2
    while 2 * rows * each <= BYTES_TO_MEASURE and rows < MOST_TO_MEASURE:
        rows *= 2
    return (rows // 2, rows) if rows > 2 else (2, 3)


def _memory_after(twin: Network, rows: int) -> dict[int, int]:
    """Return the bytes of scratch memory of each layer after a training step on this many rows."""
    with np.errstate(all="ignore"):
        twin.store.begin_step()
        twin.forward(np.zeros((rows, *twin.in_shape), twin.dtype), Context(training=True))
        twin.backward(np.zeros((rows, *twin.out_shape), twin.dtype))
    return {id(layer): layer.scratch_bytes for layer in twin.root.walk()}
