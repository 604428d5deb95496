"""Activations over the last axis that make scores into probabilities."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.layers.activation import Activation
from nntrain.layers.columns import Unbuffered
from nntrain.layers.rows import as_rows


class OverLastAxis(Activation):
    """Base: the numbers of the last axis belong together. Everything is done on rows (N, F)."""

    cost = 4

    def build(self, in_shape: Shape) -> Shape:
        if not in_shape or in_shape[-1] < 1:
            raise self.shape_error("examples of shape (..., scores)", in_shape)
        self.ones = np.ones(in_shape[-1], self.dtype)
        self.unbuffered = Unbuffered(in_shape[-1])
        return super().build(in_shape)

    def shifted(self, x: Array, out: Array) -> None:
        """Write rows minus their largest number, which keeps exp from overflowing, into ``out``."""
        largest = np.maximum.reduce(x, axis=1, out=self.scratch("column", (len(x),)))
        np.subtract(x, largest[:, None], out)

    def row_sum(self, values: Array) -> Array:
        """Return the sums of rows (N,): a product with ones takes a third of the time of ``np.add.reduce``."""
        return values.dot(self.ones, self.scratch("column", (len(values),)))


@LAYERS.register("softmax")
class Softmax(OverLastAxis):
    """Probabilities along the last axis: y_i = exp(x_i) / sum_j exp(x_j), dx_i = y_i (dy_i - sum_j dy_j y_j).

    >>> layer = Softmax()
    >>> layer.build((4,)), layer.forward(np.zeros((1, 4), np.float32), Context()).tolist()
    ((4,), [[0.25, 0.25, 0.25, 0.25]])
    """

    def forward(self, x: Array, ctx: Context) -> Array:
        rows, y = as_rows(self, x, "x"), self.scratch("y", x.shape)
        self.y = out = y.reshape(rows.shape)
        with self.unbuffered:
            self.shifted(rows, out)
            np.exp(out, out)
            total = self.row_sum(out)
            np.divide(self.number(1.0), total, total)
            np.multiply(out, total[:, None], out)
        return y

    def backward(self, dy: Array) -> Array:
        rows, dx = as_rows(self, dy, "dy"), self.scratch("dx", dy.shape)
        out = dx.reshape(rows.shape)
        with self.unbuffered:
            np.multiply(rows, self.y, out)
            np.subtract(rows, self.row_sum(out)[:, None], out)
            np.multiply(out, self.y, out)
        return dx


@LAYERS.register("log_softmax")
class LogSoftmax(OverLastAxis):
    """Logarithms of the softmax: y_i = x_i - log sum_j exp(x_j), dx_i = dy_i - exp(y_i) sum_j dy_j.

    >>> layer = LogSoftmax()
    >>> layer.build((2,)), layer.forward(np.zeros((1, 2), np.float32), Context()).round(4)
    ((2,), array([[-0.6931, -0.6931]], dtype=float32))
    """

    def forward(self, x: Array, ctx: Context) -> Array:
        rows, y = as_rows(self, x, "x"), self.scratch("y", x.shape)
        self.y = out = y.reshape(rows.shape)
        with self.unbuffered:
            self.shifted(rows, out)
            total = self.row_sum(np.exp(out, self.scratch("exponential", rows.shape)))
            np.subtract(out, np.log(total, total)[:, None], out)
        return y

    def backward(self, dy: Array) -> Array:
        rows, dx = as_rows(self, dy, "dy"), self.scratch("dx", dy.shape)
        out = dx.reshape(rows.shape)
        with self.unbuffered:
            np.exp(self.y, out)
            np.multiply(out, self.row_sum(rows)[:, None], out)
            np.subtract(rows, out, out)
        return dx
