"""One number for each channel of a whole sequence or image."""

from __future__ import annotations

import math

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import clear_padding, without_padding
from nntrain.layers.rows import reshaped


class GlobalPool(Layer):
    """Base: all positions of an example in one; of a padded sequence the true steps only, and 0 where it has none."""

    keeps_output = True

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) < 2 or min(in_shape) < 1:
            raise self.shape_error("examples of shape (..., features) with an axis of positions at least", in_shape)
        self._known: tuple[Array, Array] | None = None
        return in_shape[-1:]

    def enter(self, x: Array, ctx: Context) -> None:
        """Begin a forward pass: note lengths and shape; what comes out has no steps."""
        self.lengths, self.shape = ctx.lengths, x.shape
        ctx.lengths = None

    def positions(self, x: Array) -> Array:
        """Return x as (B, positions, F)."""
        return reshaped(self, x, (len(x), math.prod(x.shape[1:-1]), x.shape[-1]), "positions")

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return math.prod(in_shape)


@LAYERS.register("global_max_pool")
class GlobalMaxPool(GlobalPool):
    """The largest value of each channel: y_c = max_i x_ic over all positions i, with x (B, ..., F) and y (B, F).

    Backward, dy goes to the place of the largest value, to the first one in row-major order where several are equal.
    Of a padded sequence only the true steps are candidates; a sequence of length 0 gives 0.

    Raises:
        ConfigError: the examples have features only, and no positions.

    >>> GlobalMaxPool().build((7, 7, 64))
    (64,)
    """

    def forward(self, x: Array, ctx: Context) -> Array:
        self.enter(x, ctx)
        self.x = self.positions(without_padding(self, x, self.lengths, "x", -np.inf))
        self.largest = np.maximum.reduce(self.x, axis=1, out=self.scratch("y", (len(x), x.shape[-1])))
        return self._without_empty(self.largest)

    def _without_empty(self, values: Array) -> Array:
        """Write 0 over the rows of sequences without a step."""
        if self.lengths is not None:
            empty = np.equal(self.lengths, 0, out=self.scratch("empty", self.lengths.shape, np.bool_))
            np.copyto(values, 0, where=empty[:, None])
        return values

    def backward(self, dy: Array) -> Array | None:
        if not self.needs_input_gradient:
            return None
        # The largest of (positions - i) over all i with the largest value tells the first such i.
        rows, positions, width = self.x.shape
        corners, descending = self._tables(rows, positions, width)
        found = np.equal(self.x, self.largest[:, None], out=self.scratch("found", self.x.shape, np.bool_))
        order = np.multiply(found, descending, out=self.scratch("order", found.shape, np.int32))
        first = np.maximum.reduce(order, axis=1, initial=1, out=self.scratch("first", dy.shape, np.int32))
        index = np.subtract(positions, first, out=self.scratch("index", dy.shape, np.int64))
        np.multiply(index, width, out=index)
        np.add(index, corners, out=index)
        dx, share = self.scratch("dx", self.shape), self.scratch("share", dy.shape)
        dx.fill(0)
        np.copyto(share, dy)
        dx.reshape(-1)[index.reshape(-1)] = self._without_empty(share).reshape(-1)
        return dx

    def _tables(self, rows: int, positions: int, width: int) -> tuple[Array, Array]:
        """Return where each row's first position (rows, width) stands in x, and positions, positions - 1, ..., 1."""
        if self._known is None or len(self._known[1]) != positions or len(self._known[0]) < rows:
            corners = np.arange(rows)[:, None] * (positions * width) + np.arange(width)
            self._known = corners, np.arange(positions, 0, -1, dtype=np.int32)[:, None]
        corners, descending = self._known
        return corners[:rows], descending


@LAYERS.register("global_average_pool")
class GlobalAveragePool(GlobalPool):
    """The mean of each channel: y_c = mean_i x_ic over all positions i, with x (B, ..., F) and y (B, F).

    Of a padded sequence only the true steps count; a sequence of length 0 gives 0 (Lin et al. 2014, section 3.2).

    Raises:
        ConfigError: the examples have features only, and no positions.

    >>> GlobalAveragePool().build((7, 7, 64))
    (64,)
    """

    def forward(self, x: Array, ctx: Context) -> Array:
        self.enter(x, ctx)
        values = self.positions(without_padding(self, x, self.lengths, "x"))
        y = np.add.reduce(values, axis=1, out=self.scratch("y", (len(x), x.shape[-1])))
        return self._divided(y, y)

    def backward(self, dy: Array) -> Array | None:
        if not self.needs_input_gradient:
            return None
        share = self._divided(dy, self.scratch("share", dy.shape))
        dx = self.scratch("dx", self.shape)
        np.copyto(dx, share.reshape(len(dy), *(1,) * (len(self.shape) - 2), dy.shape[-1]))
        return clear_padding(self, dx, self.lengths)

    def _divided(self, values: Array, out: Array) -> Array:
        """Write values divided by the number of true positions of their row into ``out``."""
        positions = math.prod(self.shape[1:-1])
        if self.lengths is None:
            return np.multiply(values, 1.0 / positions, out=out)
        count = np.maximum(self.lengths, 1, out=self.scratch("count", self.lengths.shape, np.int64))
        share = np.divide(self.shape[1] / positions, count, out=self.scratch("row", count.shape))
        np.multiply(values, share[:, None], out=out)
        return out
