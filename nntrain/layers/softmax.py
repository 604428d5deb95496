"""Activations over the last axis that make scores into probabilities."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.layers.activation import Activation


class OverLastAxis(Activation):
    """Base: the numbers of the last axis belong together."""

    cost = 4

    def build(self, in_shape: Shape) -> Shape:
        if not in_shape or in_shape[-1] < 1:
            raise self.shape_error("examples of shape (..., scores)", in_shape)
        return super().build(in_shape)

    def shifted(self, x: Array, out: Array) -> Array:
        """Write x minus its largest number along the last axis, which keeps exp from overflowing, into ``out``."""
        largest = np.maximum.reduce(x, axis=-1, keepdims=True, out=self.scratch("row", (*x.shape[:-1], 1)))
        return np.subtract(x, largest, out=out)

    def row_sum(self, values: Array) -> Array:
        """Return the sums over the last axis, with the axis kept."""
        return np.add.reduce(values, axis=-1, keepdims=True, out=self.scratch("row", (*values.shape[:-1], 1)))


@LAYERS.register("softmax")
class Softmax(OverLastAxis):
    """Probabilities along the last axis: y_i = exp(x_i) / sum_j exp(x_j), dx_i = y_i (dy_i - sum_j dy_j y_j).

    >>> Softmax().forward(np.zeros((1, 4)), Context()).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    def forward(self, x: Array, ctx: Context) -> Array:
        y = self.shifted(x, self.scratch("y", x.shape))
        np.exp(y, out=y)
        self.y = np.divide(y, self.row_sum(y), out=y)
        return self.y

    def backward(self, dy: Array) -> Array:
        dx = np.multiply(dy, self.y, out=self.scratch("dx", dy.shape))
        np.subtract(dy, self.row_sum(dx), out=dx)
        return np.multiply(dx, self.y, out=dx)


@LAYERS.register("log_softmax")
class LogSoftmax(OverLastAxis):
    """Logarithms of the softmax: y_i = x_i - log sum_j exp(x_j), dx_i = dy_i - exp(y_i) sum_j dy_j.

    >>> LogSoftmax().forward(np.zeros((1, 2)), Context()).round(4)
    array([[-0.6931, -0.6931]], dtype=float32)
    """

    def forward(self, x: Array, ctx: Context) -> Array:
        y = self.shifted(x, self.scratch("y", x.shape))
        total = self.row_sum(np.exp(y, out=self.scratch("exponential", x.shape)))
        self.y = np.subtract(y, np.log(total, out=total), out=y)
        return self.y

    def backward(self, dy: Array) -> Array:
        dx = np.exp(self.y, out=self.scratch("dx", dy.shape))
        np.multiply(dx, self.row_sum(dy), out=dx)
        return np.subtract(dy, dx, out=dx)
