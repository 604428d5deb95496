"""The base of the element-wise activations."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context, Layer
from nntrain.layers.left_to_pool import LeftToPool, TakesPieces
from nntrain.layers.rows import parts_of

ROW_WORTH_ITS_LOOP = 16
"""From this width on a row of a constant is a faster operand than the bare number; see :func:`row_of`."""

NUMBERS_OF_A_LINE = 256
"""From so many numbers on NumPy's loops are not faster on longer ones."""

NUMBERS_OF_A_WHOLE = 1 << 15
"""Up to so many numbers a constant is written out for all of them: one loop, a third of the time of loops over rows
where numbers are few, and half of it where they are many."""

NUMBERS_OF_A_PIECE = 1 << 16
"""So many numbers at a time pass through a backward pass, so that its mask stays in the processor's cache."""


@lru_cache(maxsize=64)
def whole_of(number: float, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an array of a shape, filled with a number; the same at every call, and it cannot be written."""
    whole = np.full(shape, number, dtype)
    whole.flags.writeable = False
    return whole


@lru_cache(maxsize=1024)
def row_of(number: float, width: int, dtype: np.dtype[Any]) -> Array:
    """Return a number as an operand of ``np.maximum`` and ``np.minimum``: a row of it, or a scalar array.

    Their vectorized loop runs for two arrays only: three times as fast with a row as with a scalar. For narrow rows it
    is the other way round. The array is the same at every call and cannot be written.
    """
    row = np.full((width,) if width >= ROW_WORTH_ITS_LOOP else (), number, dtype)
    row.flags.writeable = False
    return row


class Activation(Layer):
    """Base of the activations: layers that keep the shape and treat every number alone.

    ``forward`` keeps what ``backward`` needs, x or y, by reference: x belongs to the layer before, which keeps it
    until its own next forward.

    Attributes:
        cost: floating-point operations for one number, as ``flops`` counts them; exp and tanh count as one.
    """

    keeps_output = True
    cost: ClassVar[int] = 1

    width: int = 1

    def build(self, in_shape: Shape) -> Shape:
        self.width = in_shape[-1] if in_shape else 1
        return in_shape

    def constant(self, number: float) -> Array:
        """Return a number as an operand for outputs of the layer: see :func:`row_of`."""
        return row_of(number, self.width, self.dtype)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return self.cost * math.prod(out_shape)


class InPlaceActivation(LeftToPool, Activation):
    """Base of the activations whose derivative follows from y, so that they can go over an output part by part.

    They never fall where x rises. A layer before such an activation may apply it to parts of its own output while these
    are in the processor's cache; afterwards it sets ``y``. A subclass writes :meth:`apply` and :meth:`pull_back`.

    Attributes:
        y: the latest output (B, \\*shape).
        before: the layer right before this one, where both leave their work to a max pool; else None.
    """

    y: Array
    line: int = 1
    before: LeftToPool | None = None
    _preceding: Layer | None = None

    def build(self, in_shape: Shape) -> Shape:
        super().build(in_shape)
        self.line, axis = self.width, len(in_shape) - 1
        while 0 < self.line < NUMBERS_OF_A_LINE and axis > 0:
            axis -= 1
            self.line *= in_shape[axis]
        return in_shape

    def apply(self, x: Array, out: Array) -> None:
        """Write the output for a part of a batch into ``out``, which may be x itself."""
        raise TypeError(f"{type(self).__name__} does not implement apply")

    def pull_back(self, dy: Array, y: Array, out: Array) -> Array:
        """Write the gradient for a part of a batch into ``out``, and return it."""
        raise TypeError(f"{type(self).__name__} does not implement pull_back")

    def bind(self, name: str, dtype: np.dtype[Any], seed: int) -> None:
        super().bind(name, dtype, seed)
        self.before = self._preceding = None

    def hand_over(self, shape: Shape) -> bool:
        self.build(shape)
        self.hands_over = True
        if isinstance(self._preceding, LeftToPool) and self._preceding.hand_over(shape):
            self.before = self._preceding
        return True

    def feed(self, taker: TakesPieces) -> bool:
        return self.before is not None and self.before.feed(taker)

    def follow(self, before: Layer) -> None:
        self._preceding = before

    def finish(self, x: Array, out: Array) -> None:
        if self.before is not None:
            self.before.finish(x, out)
            x = out
        self.y = out
        self.apply(x, out)

    def forward(self, x: Array, ctx: Context) -> Array:
        if self.hands_over:
            return x
        self.finish(x, self.scratch("y", x.shape))
        return self.y

    def backward(self, dy: Array) -> Array:
        return dy if self.hands_over else self.before_finish(dy)

    def before_finish(self, dy: Array) -> Array:
        dx = self.scratch("dx", dy.shape)
        if dy.size <= NUMBERS_OF_A_PIECE:
            self.pull_back(dy, self.y, dx)
        else:
            for rows in parts_of(len(dy), max(1, NUMBERS_OF_A_PIECE * len(dy) // dy.size)):
                self.pull_back(dy[rows], self.y[rows], dx[rows])
        return dx if self.before is None else self.before.before_finish(dx)

    def bounded(self, bound: np.ufunc, x: Array, number: float, out: Array) -> None:
        """Write ``np.maximum`` or ``np.minimum`` of x and a number into ``out``.

        Narrow positions are taken together where they are neighbours in memory: see :func:`row_of`.
        """
        if x.size <= NUMBERS_OF_A_WHOLE:
            bound(x, whole_of(number, x.shape, x.dtype), out=out)
            return
        if self.line != self.width and x.flags.c_contiguous and x.size % self.line == 0:
            x, out = x.reshape(-1, self.line), out.reshape(-1, self.line)
        bound(x, row_of(number, x.shape[-1] if x.ndim else 1, x.dtype), out=out)
