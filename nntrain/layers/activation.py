"""The base of the element-wise activations."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Layer

ROW_WORTH_ITS_LOOP = 16
"""From this width on a row of a constant is a faster operand than the bare number; see :meth:`Activation.constant`."""


class Activation(Layer):
    """Base of the activations: layers that keep the shape and treat every number alone.

    ``forward`` keeps what ``backward`` needs, x or y, by reference: x belongs to the layer before, which keeps it
    until its own next forward.

    Attributes:
        zero: 0 as an operand, see :meth:`constant`.
        cost: floating-point operations for one number, as ``flops`` counts them; exp and tanh count as one.
    """

    cost: ClassVar[int] = 1

    width: int = 1
    zero: Array = np.zeros(())

    def build(self, in_shape: Shape) -> Shape:
        self.width = in_shape[-1] if in_shape else 1
        self.zero = self.constant(0.0)
        return in_shape

    def constant(self, number: float) -> Array:
        """Return a number as an operand of ``np.maximum`` and ``np.minimum``: a row of it, or a scalar array.

        Their vectorized loop runs for two arrays only: three times as fast with a row as with a scalar. For narrow
        rows it is the other way round.
        """
        shape = (self.width,) if self.width >= ROW_WORTH_ITS_LOOP else ()
        return np.full(shape, number, self.dtype)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return self.cost * math.prod(out_shape)
