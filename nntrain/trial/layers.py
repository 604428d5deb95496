"""A trial of plug-ins' layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.network import Network
from nntrain.errors import quote
from nntrain.plugins import plugin_of
from nntrain.trial.lending import Lender, Owner

ROWS = 2


def try_layers(network: Network) -> None:
    """Pass zeros forward and backward through a twin of a network and look at what plug-ins' layers return.

    Raises:
        ConfigError: a shape or type is not what the layer itself said, at the line of its method, or it writes or locks
            what belongs to others.
    """
    root = network.unbuilt()
    own = [layer for layer in root.walk() if plugin_of(type(layer)) is not None]
    if not own:
        return
    lender = Lender()
    for layer in own:
        _watch(layer, lender)
    options: dict[str, Any] = {"seed": network.seed, "dtype": network.dtype, "input_gradient": network.input_gradient}
    twin = Network(root, network.in_shape, shared=network.store, **options)
    statistics = network.store.buffer.copy()
    x, dy = (np.zeros((ROWS, *shape), twin.dtype) for shape in (twin.in_shape, twin.out_shape))
    try:
        with np.errstate(all="ignore"):
            for lender.writable in (True, False):
                twin.forward(x)
                twin.store.begin_step()
                twin.forward(x, Context(training=True))
                twin.backward(dy)
    finally:
        network.store.buffer[...] = statistics  # the twin shares them


def _watch(layer: Layer, lender: Lender) -> None:
    build, forward, backward = layer.build, layer.forward, layer.backward
    shapes: dict[str, Shape] = {}

    def watched_build(in_shape: Shape) -> Shape:
        shapes["out"] = build(in_shape)
        return shapes["out"]

    def watched_forward(x: Array, ctx: Context) -> Array:
        y = lender.call(_owner(layer), "forward", lambda x: forward(x, ctx), x=x)
        _require(layer, "forward", y, (len(x), *shapes["out"]), "build said")
        shapes["x"] = x.shape
        return y  # type: ignore[no-any-return]

    def watched_backward(dy: Array) -> Array | None:
        dx = lender.call(_owner(layer), "backward", backward, dy=dy)
        if dx is not None or layer.needs_input_gradient:
            _require(layer, "backward", dx, shapes["x"], "x has")
        return dx  # type: ignore[no-any-return]

    layer.build, layer.forward = watched_build, watched_forward  # type: ignore[method-assign]
    layer.backward = watched_backward  # type: ignore[method-assign]


def _owner(layer: Layer) -> Owner:
    return Owner(f"layer {quote(LAYERS.name_of(layer))} ({layer.name})", type(layer))


def _require(layer: Layer, method: str, found: Any, shape: Shape, source: str) -> None:
    if type(found) is not np.ndarray:  # a masked array or a matrix does otherwise than an array
        raise _owner(layer).fault(method, f"returned {type(found).__name__}, expected an array")
    if found.shape != shape:
        raise _owner(layer).fault(method, f"returned shape {found.shape}, {source} {shape}")
    if found.dtype != layer.dtype:
        raise _owner(layer).fault(method, f"returned {found.dtype}, and the network computes in {layer.dtype}")
