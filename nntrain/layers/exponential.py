"""Activations with an exponential for negative inputs."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.layers.activation import Activation

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class ScaledExponential(Activation):
    """Base: y = scale x for x > 0, else scale alpha (exp(x) - 1); the derivative at 0 is scale alpha."""

    cost: ClassVar[int] = 5

    scale: float = 1.0
    alpha: float = 1.0
    zero: Array = np.zeros(())

    def build(self, in_shape: Shape) -> Shape:
        super().build(in_shape)
        self.zero = self.constant(0.0)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        # min(x, 0) first, so that exp of a large x is never taken
        self.tail = np.minimum(x, self.zero, out=self.scratch("tail", x.shape))
        np.expm1(self.tail, self.tail)
        if self.scale * self.alpha != 1.0:
            np.multiply(self.tail, self.number(self.scale * self.alpha), self.tail)
        y = np.maximum(x, self.zero, out=self.scratch("y", x.shape))
        if self.scale != 1.0:
            np.multiply(y, self.number(self.scale), y)
        self.positive = np.greater(y, self.number(0.0), self.scratch("positive", x.shape, np.bool_))
        return np.add(y, self.tail, y)

    def backward(self, dy: Array) -> Array:
        # Where x <= 0 the derivative is scale alpha exp(x) = tail + scale alpha; where x > 0 the tail is 0.
        dx = np.add(self.tail, self.number(self.scale * self.alpha), self.scratch("dx", dy.shape))
        if self.alpha != 1.0:
            correction = self.scratch("correction", dy.shape)
            correction[...] = self.positive
            np.multiply(correction, self.number(self.scale - self.scale * self.alpha), correction)
            np.add(dx, correction, dx)
        return np.multiply(dx, dy, dx)


@LAYERS.register("elu")
class Elu(ScaledExponential):
    """Exponential linear unit: y = x for x > 0, else alpha (exp(x) - 1) (Clevert et al. 2015, eq. 16).

    The derivative at 0 is alpha.

    Args:
        alpha: minus the limit for very negative inputs.

    >>> Elu().forward(np.array([[0.0, 2.0]]), Context()).tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, alpha: Annotated[float, Gt(0)] = 1.0) -> None:
        self.alpha = alpha


@LAYERS.register("selu")
class Selu(ScaledExponential):
    """Self-normalizing unit: y = 1.0507 elu(x) with alpha = 1.6733 (Klambauer et al. 2017, eq. 2).

    Activations keep mean 0 and variance 1 where weights start as ``lecun_normal``. The derivative at 0 is 1.7581.

    >>> Selu().forward(np.array([[1.0]]), Context()).round(4)
    array([[1.0507]], dtype=float32)
    """

    scale = SELU_SCALE
    alpha = SELU_ALPHA
