"""The Gaussian error linear unit."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import LAYERS, Context
from nntrain.layers.activation import Activation
from nntrain.layers.normal_tail import fit_for, normal_tail

BLOCK = 65536
"""Numbers worked on at a time: the many passes over six arrays of them stay in the cache, and calls are few."""

INVERSE_ROOT_TAU = 1.0 / math.sqrt(2.0 * math.pi)
CUBIC = 0.044715


@LAYERS.register("gelu")
class Gelu(Activation):
    """Gaussian error linear unit: y = x Phi(x), dy/dx = Phi(x) + x phi(x), Phi the normal distribution.

    With ``approximate: tanh``: Phi(x) = (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel 2016).

    Args:
        approximate: ``none`` for the exact function, ``tanh`` for the formula above.

    >>> Gelu().forward(np.array([[0.0, 1.0]]), Context()).round(4)
    array([[0.    , 0.8413]], dtype=float32)
    """

    cost: ClassVar[int] = 25

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Array, ctx: Context) -> Array:
        y, slope = self.scratch("y", x.shape), self.scratch("slope", x.shape)
        write = self._write_exact if self.approximate == "none" else self._write_tanh
        rows = max(1, BLOCK // max(1, math.prod(x.shape[1:])))
        spares = [self.scratch(f"spare_{i}", (min(rows, len(x)), *x.shape[1:])) for i in range(3)]
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            count = min(rows, len(x) - start)
            a, b, c = (spare[:count] for spare in spares)
            write(x[part], y[part], slope[part], a, b, c, ctx.training)
        self.slope = slope
        return y

    def _write_exact(
        self, x: Array, y: Array, slope: Array, a: Array, tail: Array, spare: Array, training: bool
    ) -> None:
        np.absolute(x, a)
        spare.fill(fit_for(self.dtype).largest)
        np.minimum(a, spare, out=a)
        density = slope
        normal_tail(a, density, tail, spare)
        # Phi(x) = 1 - Q(|x|) for x > 0, else Q(|x|), without losing digits of small Q
        np.greater(x, self.number(0.0), out=spare)
        np.multiply(spare, self.number(-2.0), a)
        np.add(a, self.number(1.0), a)
        np.multiply(tail, a, tail)
        np.add(tail, spare, tail)
        np.multiply(x, tail, y)
        if training:
            np.multiply(density, self.number(INVERSE_ROOT_TAU), slope)
            np.multiply(slope, x, slope)
            np.add(slope, tail, slope)

    def _write_tanh(
        self, x: Array, y: Array, slope: Array, t: Array, inner: Array, spare: Array, training: bool
    ) -> None:
        factor, one, number = math.sqrt(2.0 / math.pi), self.number(1.0), self.number
        np.multiply(x, x, spare)
        np.multiply(spare, number(factor * CUBIC), inner)
        np.add(inner, number(factor), inner)
        np.multiply(inner, x, t)
        np.tanh(t, t)
        np.add(t, one, y)
        np.multiply(y, number(0.5), y)
        if training:
            # Phi + x/2 (1 - t^2) sqrt(2/pi) (1 + 3 * 0.044715 x^2)
            np.multiply(t, t, t)
            np.subtract(one, t, t)
            np.multiply(t, x, t)
            np.multiply(spare, number(1.5 * factor * CUBIC), spare)
            np.add(spare, number(0.5 * factor), spare)
            np.multiply(t, spare, t)
            np.add(t, y, slope)
        np.multiply(y, x, y)

    def backward(self, dy: Array) -> Array:
        return np.multiply(dy, self.slope, self.scratch("dx", dy.shape))
