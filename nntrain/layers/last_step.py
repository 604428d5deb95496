"""The last step of a sequence."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.layers.rows import as_rows


@LAYERS.register("last_step")
class LastStep(Layer):
    """Picks each sequence's last step: y = x[length - 1], from x (B, T, F) to y (B, F).

    In a padded batch that is the last step which is there; a sequence without steps gives zeros.

    Raises:
        ConfigError: the examples are no sequences.

    >>> LastStep().build((12, 3))
    (3,)
    """

    keeps_output = True

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 2 or 0 in in_shape:
            raise self.shape_error("sequences of shape (steps, features)", in_shape)
        return in_shape[1:]

    def forward(self, x: Array, ctx: Context) -> Array:
        self.in_shape, lengths, ctx.lengths = x.shape, ctx.lengths, None
        rows, steps, features = x.shape
        y = self.scratch("y", (rows, features))
        self.places: Array | None = None
        if lengths is None:
            np.copyto(y, x[:, -1])
            return y
        self.missing = np.equal(lengths, 0, out=self.scratch("missing", (rows,), np.bool_))
        self.places = np.arange(-1, rows * steps - 1, steps) + np.maximum(lengths, 1)
        np.take(as_rows(self, x, "x"), self.places, axis=0, out=y, mode="clip")
        np.copyto(y, 0, where=self.missing[:, None])
        return y

    def backward(self, dy: Array) -> Array | None:
        if not self.needs_input_gradient:
            return None
        dx = self.scratch("dx", self.in_shape)
        dx.fill(0)
        if self.places is None:
            np.copyto(dx[:, -1], dy)
            return dx
        rows = dx.reshape(-1, self.in_shape[2])
        rows[self.places] = dy
        rows[self.places[self.missing]] = 0
        return dx

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 0
