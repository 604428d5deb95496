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
"""Numbers worked on at a time: the many passes over them stay in the cache, and calls are few."""

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
        write = _write_exact if self.approximate == "none" else _write_tanh
        rows = max(1, BLOCK // max(1, math.prod(x.shape[1:])))
        spares = [self.scratch(f"spare_{i}", (min(rows, len(x)), *x.shape[1:])) for i in range(3)]
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            count = min(rows, len(x) - start)
            a, b, c = (spare[:count] for spare in spares)
            write(x[part], y[part], slope[part], a, b, c, ctx.training)
        self.slope = slope
        return y

    def backward(self, dy: Array) -> Array:
        return np.multiply(dy, self.slope, out=self.scratch("dx", dy.shape))


def _write_exact(x: Array, y: Array, slope: Array, a: Array, tail: Array, spare: Array, training: bool) -> None:
    np.abs(x, out=a)
    np.minimum(a, fit_for(x.dtype).largest, out=a)
    density = slope
    normal_tail(a, density, tail, spare)
    # Phi(x) = 1 - Q(|x|) for x > 0, else Q(|x|), without losing digits of small Q
    np.greater(x, 0, out=spare)
    np.multiply(spare, -2, out=a)
    np.add(a, 1, out=a)
    np.multiply(tail, a, out=tail)
    np.add(tail, spare, out=tail)
    np.multiply(x, tail, out=y)
    if training:
        np.multiply(density, INVERSE_ROOT_TAU, out=slope)
        np.multiply(slope, x, out=slope)
        np.add(slope, tail, out=slope)


def _write_tanh(x: Array, y: Array, slope: Array, t: Array, inner: Array, spare: Array, training: bool) -> None:
    factor = math.sqrt(2.0 / math.pi)
    np.multiply(x, x, out=spare)
    np.multiply(spare, factor * CUBIC, out=inner)
    np.add(inner, factor, out=inner)
    np.multiply(inner, x, out=t)
    np.tanh(t, out=t)
    np.add(t, 1, out=y)
    np.multiply(y, 0.5, out=y)
    if training:
        # Phi + x/2 (1 - t^2) sqrt(2/pi) (1 + 3 * 0.044715 x^2)
        np.multiply(t, t, out=t)
        np.subtract(1, t, out=t)
        np.multiply(t, x, out=t)
        np.multiply(spare, 1.5 * factor * CUBIC, out=spare)
        np.add(spare, 0.5 * factor, out=spare)
        np.multiply(t, spare, out=t)
        np.add(t, y, out=slope)
    np.multiply(y, x, out=y)
