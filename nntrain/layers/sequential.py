"""Layers one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer, LayerLike
from nntrain.errors import ConfigError, quote


@LAYERS.register("sequential")
class Sequential(Layer):
    """Layers one after the other: y = f_n(... f_2(f_1(x))); without layers y = x.

    Args:
        layers: in the order of the forward pass.

    >>> Sequential(["relu", {"name": "dense", "units": 3}]).layers[1].units
    3
    """

    is_container = True

    def __init__(self, layers: list[LayerLike]) -> None:
        self.layers: list[Layer] = [LAYERS.build(layer) for layer in layers]

    @property
    def children(self) -> Sequence[Layer]:
        return self.layers

    def build(self, in_shape: Shape) -> Shape:
        shape = in_shape
        for layer in self.layers:
            shape = layer.set_up(shape)
            if not isinstance(shape, tuple):  # of a user's layer, which no type checker has seen
                raise _no_shape(layer, shape)
        for before, layer in itertools.pairwise(self.layers):
            layer.follow(before)
        return shape

    def forward(self, x: Array, ctx: Context) -> Array:
        for layer in self.layers:
            x = layer.forward(x, ctx)
        return x

    def backward(self, dy: Array) -> Array | None:
        for layer in reversed(self.layers):
            dx = layer.backward(dy)
            if dx is None:
                return None
            dy = dx
        return dy

    def skip_input_gradient(self) -> bool:
        self.needs_input_gradient = False
        return all(layer.skip_input_gradient() for layer in self.layers)


def _no_shape(layer: Layer, found: object) -> ConfigError:
    from nntrain.plugins import place_of_method

    message = f"layer {quote(LAYERS.name_of(layer))} ({layer.name}): build returned {quote(found)}, expected a tuple"
    return ConfigError(message, **place_of_method(type(layer), "build"))
