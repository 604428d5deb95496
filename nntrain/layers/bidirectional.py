"""A recurrent layer in both directions."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer, LayerLike
from nntrain.errors import ConfigError
from nntrain.layers.recurrent import Recurrent


@LAYERS.register("bidirectional")
class Bidirectional(Layer):
    """A recurrent layer, and a second one with weights of its own that reads the steps the other way round.

    Their outputs stand side by side (Schuster and Paliwal 1997): the final states (B, 2 H), each direction's after its
    own last step, or with ``return_sequences`` the states of each step (B, T, 2 H), where the one knows the steps up to
    this one and the other those from it on.

    Args:
        layer: a recurrent layer.

    Raises:
        ConfigError: the layer is not recurrent.

    >>> Bidirectional({"name": "lstm", "units": 8, "return_sequences": True}).build((12, 3))
    (12, 16)
    """

    is_container = True

    def __init__(self, layer: LayerLike) -> None:
        first = LAYERS.build(layer)
        if not isinstance(first, Recurrent):
            raise ConfigError(f"bidirectional: layer: expected a recurrent layer, got {LAYERS.name_of(first)}")
        self.layer = first
        self.other = copy.deepcopy(first)
        self.other.reverse = not first.reverse

    @property
    def children(self) -> Sequence[Layer]:
        return (self.layer, self.other)

    def build(self, in_shape: Shape) -> Shape:
        out_shape = self.layer.set_up(in_shape)
        self.other.set_up(in_shape)
        return (*out_shape[:-1], 2 * self.layer.units)

    def forward(self, x: Array, ctx: Context) -> Array:
        lengths, units = ctx.lengths, self.layer.units
        first = self.layer.forward(x, ctx)
        ctx.lengths = lengths
        other = self.other.forward(x, ctx)
        y = self.scratch("y", (*first.shape[:-1], 2 * units))
        np.copyto(y[..., :units], first)
        np.copyto(y[..., units:], other)
        return y

    def backward(self, dy: Array) -> Array | None:
        units = self.layer.units
        first, other = self.layer.backward(dy[..., :units]), self.other.backward(dy[..., units:])
        if first is None or other is None:
            return None
        return np.add(first, other, out=self.scratch("dx", first.shape))

    def skip_input_gradient(self) -> bool:
        self.needs_input_gradient = False
        # Both stand at the input, so both are told before any answer counts.
        answers = [layer.skip_input_gradient() for layer in self.children]
        return all(answers)
