"""Smooth relatives of the rectifier, without a kink."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.layers.activation import Activation
from nntrain.layers.sigmoidal import HALVES, sigmoid


def softplus(x: Array, out: Array, spare: Array) -> Array:
    """Write log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), which cannot overflow, into ``out``.

    >>> softplus(np.array([1000.0, -1000.0]), np.empty(2), np.empty(2)).tolist()
    [1000.0, 0.0]
    """
    # max(x, 0) as (x + |x|) / 2, since NumPy takes the maximum with a scalar number by number.
    half = HALVES[out.dtype.type]
    np.absolute(x, spare)
    np.add(x, spare, out)
    np.multiply(out, half, out)
    np.negative(spare, spare)
    np.exp(spare, spare)
    np.log1p(spare, spare)
    return np.add(out, spare, out)


@LAYERS.register("softplus")
class Softplus(Activation):
    """Smooth rectifier: y = log(1 + exp(x)), dy/dx = sigmoid(x) (Dugas et al. 2001).

    >>> Softplus().forward(np.zeros((1, 1)), Context()).round(4)
    array([[0.6931]], dtype=float32)
    """

    cost: ClassVar[int] = 5

    def forward(self, x: Array, ctx: Context) -> Array:
        self.x = x
        return softplus(x, self.scratch("y", x.shape), self.scratch("spare", x.shape))

    def backward(self, dy: Array) -> Array:
        dx = sigmoid(self.x, self.scratch("dx", dy.shape))
        return np.multiply(dx, dy, dx)


@LAYERS.register("swish")
@LAYERS.register("silu")
class Silu(Activation):
    """Sigmoid-weighted unit, also called swish: y = x s with s = sigmoid(x), dy/dx = s + y (1 - s).

    Elfwing et al. 2017, eq. 9.

    >>> Silu().forward(np.array([[0.0, 1.0]]), Context()).round(4)
    array([[0.    , 0.7311]], dtype=float32)
    """

    cost: ClassVar[int] = 5

    def forward(self, x: Array, ctx: Context) -> Array:
        self.gate = sigmoid(x, self.scratch("gate", x.shape))
        self.y = np.multiply(x, self.gate, out=self.scratch("y", x.shape))
        return self.y

    def backward(self, dy: Array) -> Array:
        dx = np.subtract(self.number(1.0), self.gate, self.scratch("dx", dy.shape))
        np.multiply(dx, self.y, dx)
        np.add(dx, self.gate, dx)
        return np.multiply(dx, dy, dx)


@LAYERS.register("mish")
class Mish(Activation):
    """Self-regularized unit: y = x t with t = tanh(log(1 + exp(x))), dy/dx = t + x (1 - t^2) sigmoid(x) (Misra 2019).

    With n = exp(x), t = n (n + 2) / (n (n + 2) + 2): one exponential instead of three functions.

    >>> layer = Mish()
    >>> layer.build((2,))
    (2,)
    >>> layer.forward(np.array([[0.0, 1.0]]), Context()).round(4)
    array([[0.    , 0.8651]], dtype=float32)
    """

    cost: ClassVar[int] = 7

    def build(self, in_shape: Shape) -> Shape:
        super().build(in_shape)
        # Above 20, t is 1 in float64, and n^2 is still far from overflow in float32.
        self.largest = self.constant(20.0)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.x = x
        self.n = np.minimum(x, self.largest, out=self.scratch("n", x.shape))
        np.exp(self.n, out=self.n)
        self.t = np.add(self.n, self.number(2.0), self.scratch("t", x.shape))
        np.multiply(self.t, self.n, self.t)
        y = np.add(self.t, self.number(2.0), self.scratch("y", x.shape))
        np.divide(self.t, y, self.t)
        return np.multiply(x, self.t, y)

    def backward(self, dy: Array) -> Array:
        dx = np.multiply(self.t, self.t, self.scratch("dx", dy.shape))
        np.subtract(self.number(1.0), dx, dx)
        np.multiply(dx, self.x, dx)
        np.multiply(dx, self.n, dx)
        gate = np.add(self.n, self.number(1.0), self.scratch("gate", dy.shape))
        np.divide(dx, gate, dx)
        np.add(dx, self.t, dx)
        return np.multiply(dx, dy, dx)
