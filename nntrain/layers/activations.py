"""Element-wise activations."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer


class Activation(Layer):
    """Base of the activations: layers that keep the shape and have no say across rows."""

    def build(self, in_shape: Shape) -> Shape:
        return in_shape


@LAYERS.register("relu")
class Relu(Activation):
    """Rectified linear unit: y = max(x, 0), with derivative 0 at 0 (Nair and Hinton 2010).

    >>> Relu().forward(np.array([[-1.0, 2.0]], np.float32), Context()).tolist()
    [[0.0, 2.0]]
    """

    def forward(self, x: Array, ctx: Context) -> Array:
        self.y = np.maximum(x, 0, out=self.scratch("y", x.shape))
        return self.y

    def backward(self, dy: Array) -> Array:
        # A boolean mask made from the output is a quarter of the memory traffic of a float one.
        mask = np.greater(self.y, 0, out=self.scratch("mask", self.y.shape, np.bool_))
        return np.multiply(dy, mask, out=self.scratch("dx", dy.shape))
