"""The activation that does nothing."""

from __future__ import annotations

from typing import ClassVar

from nntrain.core.array import Array
from nntrain.core.layer import LAYERS, Context
from nntrain.layers.activation import Activation


@LAYERS.register("identity")
class Identity(Activation):
    """No change: y = x, dy/dx = 1.

    >>> import numpy as np
    >>> Identity().forward(np.array([[-1.0, 2.0]]), Context()).tolist()
    [[-1.0, 2.0]]
    """

    keeps_output = False
    cost: ClassVar[int] = 0

    def forward(self, x: Array, ctx: Context) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        return dy
