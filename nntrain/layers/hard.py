"""Piecewise linear and quadratic stand-ins for smooth activations."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.layers.activation import Activation
from nntrain.layers.masks import masked


class Clipped(Activation):
    """Base: something of min(max(x, low), high), with derivative 0 at and beyond both ends."""

    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def build(self, in_shape: Shape) -> Shape:
        super().build(in_shape)
        self.bounds = self.constant(self.low), self.constant(self.high)
        return in_shape

    def clip(self, x: Array) -> Array:
        """Return min(max(x, low), high) in the scratch ``clipped``, which :meth:`inside` reads."""
        self.clipped = np.maximum(x, self.bounds[0], out=self.scratch("clipped", x.shape))
        return np.minimum(self.clipped, self.bounds[1], out=self.clipped)

    def inside(self) -> Array:
        """Return where the last x lay between the ends."""
        inside = np.greater(
            self.clipped, self.number(self.low), out=self.scratch("inside", self.clipped.shape, np.bool_)
        )
        below = np.less(self.clipped, self.number(self.high), out=self.scratch("below", self.clipped.shape, np.bool_))
        return np.logical_and(inside, below, inside)


@LAYERS.register("hard_tanh")
class HardTanh(Clipped):
    """Clipping: y = min(max(x, -1), 1), with derivative 0 at -1 and 1 (Collobert 2004).

    >>> layer = HardTanh()
    >>> layer.build((3,))
    (3,)
    >>> layer.forward(np.array([[-3.0, 0.5, 2.0]], np.float32), Context()).tolist()
    [[-1.0, 0.5, 1.0]]
    """

    cost: ClassVar[int] = 2
    low = -1.0

    def forward(self, x: Array, ctx: Context) -> Array:
        return self.clip(x)

    def backward(self, dy: Array) -> Array:
        return masked(dy, self.inside(), self.scratch("dx", dy.shape))


@LAYERS.register("hard_sigmoid")
class HardSigmoid(Clipped):
    """Straight-line sigmoid: y = min(max(x, -3), 3) / 6 + 1/2, with derivative 1/6 inside and 0 at -3 and 3.

    In PyTorch's form (Howard et al. 2019, section 5.2).

    >>> layer = HardSigmoid()
    >>> layer.build((3,))
    (3,)
    >>> layer.forward(np.array([[-9.0, 0.0, 9.0]], np.float32), Context()).tolist()
    [[0.0, 0.5, 1.0]]
    """

    cost: ClassVar[int] = 4
    low = -3.0
    high = 3.0

    def forward(self, x: Array, ctx: Context) -> Array:
        y = np.add(self.clip(x), self.number(3.0), out=self.scratch("y", x.shape))
        return np.divide(y, self.number(6.0), y)

    def backward(self, dy: Array) -> Array:
        dx = masked(dy, self.inside(), self.scratch("dx", dy.shape))
        return np.divide(dx, self.number(6.0), dx)


@LAYERS.register("hard_swish")
@LAYERS.register("hard_silu")
class HardSilu(Clipped):
    """Piecewise silu, also called hard-swish: y = x hard_sigmoid(x) (Howard et al. 2019, section 5.2).

    dy/dx = x/3 + 1/2 for -3 < x < 3, 0 from -3 down and 1 from 3 up.

    >>> layer = HardSilu()
    >>> layer.build((3,))
    (3,)
    >>> layer.forward(np.array([[-9.0, 3.0, 9.0]], np.float32), Context()).tolist()
    [[-0.0, 3.0, 9.0]]
    """

    cost: ClassVar[int] = 5
    low = -3.0
    high = 3.0

    def forward(self, x: Array, ctx: Context) -> Array:
        self.gate = np.add(self.clip(x), self.number(3.0), out=self.scratch("gate", x.shape))
        np.divide(self.gate, self.number(6.0), self.gate)
        return np.multiply(x, self.gate, out=self.scratch("y", x.shape))

    def backward(self, dy: Array) -> Array:
        # gate + x / 6 inside, gate (0 or 1) outside
        dx = np.divide(self.clipped, self.number(6.0), out=self.scratch("dx", dy.shape))
        np.multiply(dx, self.inside(), out=dx)
        np.add(dx, self.gate, out=dx)
        return np.multiply(dx, dy, out=dx)
