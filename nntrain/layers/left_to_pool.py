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


class PoolInPieces(Layer):
    """Base of pools that a layer before them can feed with its result, some rows at a time."""

    def begin(self, shape: Shape) -> Array:
        """Begin a forward pass of (B, \\*sizes, C), whose rows :meth:`take` is given before the pool's ``forward``.

        Returns:
            what stands for the result, and later for its gradient, and must not be read: it has nothing but the shape.
        """
        raise TypeError(f"{type(self).__name__} does not implement begin")

    def take(self, rows: slice, x: Array) -> None:
        """Pool the result of some rows."""
        raise TypeError(f"{type(self).__name__} does not implement take")

    def give(self, rows: slice, dx: Array) -> None:
        """Write the gradient of the result of some rows, after the pool's ``backward``."""
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

    def feed(self, pool: PoolInPieces) -> None:
        """Give a pool that work was left to its input piece by piece, if that is how the layer makes its result."""

    def finish(self, x: Array, out: Array) -> None:
        """Write the output for what a max pool has left of the layer's result into ``out``, which may be x itself."""
        raise TypeError(f"{type(self).__name__} does not implement finish")

    def before_finish(self, dy: Array) -> Array:
        """Return the gradient of what :meth:`finish` was given."""
        raise TypeError(f"{type(self).__name__} does not implement before_finish")
