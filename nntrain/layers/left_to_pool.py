"""What a layer leaves to a max pool behind it, which does it on the fewer numbers that are left."""

from __future__ import annotations

from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Layer


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

    def finish(self, x: Array, out: Array) -> None:
        """Write the output for what a max pool has left of the layer's result into ``out``, which may be x itself."""
        raise TypeError(f"{type(self).__name__} does not implement finish")

    def before_finish(self, dy: Array) -> Array:
        """Return the gradient of what :meth:`finish` was given."""
        raise TypeError(f"{type(self).__name__} does not implement before_finish")
