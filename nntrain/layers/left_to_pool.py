"""What a layer leaves to a max pool behind it, which does it on the fewer numbers that are left.

A convolution can give its product, too, to the pool piece by piece, as it is made: a piece is pooled while it is in the
processor's cache, and neither the product nor its gradient is ever written to memory as a whole. With 16 and 32 filters
on 64 images of 28 x 28 a training step then takes five sixths of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Layer


class TakesPieces(Layer):
    """Base of layers that the one before them, a convolution, can feed with its result, some rows at a time.

    Attributes:
        unread: stands for that result, and for its gradient, where there is none as a whole: it must not be read.
    """

    unread: Array | None = None

    def begin(self, shape: Shape, training: bool) -> Array:
        """Begin a forward pass of (B, \\*sizes, C), all of whose rows :meth:`take` is given before ``forward``.

        Returns:
            what the layer before has as its result, and ``forward`` is given: ``unread``, or memory that pieces go to.
        """
        raise TypeError(f"{type(self).__name__} does not implement begin")

    def room(self, rows: slice) -> Array:
        """Return where to write the result of some rows."""
        raise TypeError(f"{type(self).__name__} does not implement room")

    def take(self, rows: slice, x: Array) -> None:
        """Take the result of some rows, which is in their :meth:`room`."""
        raise TypeError(f"{type(self).__name__} does not implement take")

    def give(self, rows: slice) -> Array:
        """Return the gradient of the result of some rows, after ``backward``; it is valid until the next call."""
        raise TypeError(f"{type(self).__name__} does not implement give")


class LeftToPool(Layer):
    """Base of layers, or last parts of layers, that never fall where x rises: max f(x) = f(max x), to the bit.

    Attributes:
        hands_over: whether a max pool behind the layer calls :meth:`finish` and :meth:`before_finish`.
    """

    hands_over: bool = False

    def bind(self, name: str, dtype: np.dtype[Any], seed: int) -> None:
        super().bind(name, dtype, seed)
        self.hands_over = False

    def kept_numbers(self, training: bool) -> int:
        return 0 if self.hands_over else super().kept_numbers(training)

    def hand_over(self, shape: Shape) -> bool:
        """Leave work to a max pool with outputs (B, \\*shape), if there is any to leave; return whether."""
        raise TypeError(f"{type(self).__name__} does not implement hand_over")

    def feed(self, taker: TakesPieces) -> bool:
        """Feed a layer behind this one from now on; return whether the result is made, or passed on, in pieces."""
        return False

    def finish(self, x: Array, out: Array) -> None:
        """Write the output for what a max pool has left of the layer's result into ``out``, which may be x itself."""
        raise TypeError(f"{type(self).__name__} does not implement finish")

    def before_finish(self, dy: Array) -> Array:
        """Return the gradient of what :meth:`finish` was given."""
        raise TypeError(f"{type(self).__name__} does not implement before_finish")
