"""Noise that is there in training only."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.layers.chance import keep_factors, normal_draws


@LAYERS.register("dropout")
class Dropout(Layer):
    """Sets each number to 0 with probability ``rate`` in training, and divides the others by 1 - rate.

    So the mean stays the same, and outside training y = x (Srivastava et al. 2014, in the inverted form). What is
    dropped is a function of the seed, the layer's name, the step and the shard.

    Args:
        rate: share of the numbers that are dropped, at least 0 and below 1.

    >>> Dropout(0.5).forward(np.ones((1, 3)), Context(training=False)).tolist()
    [[1.0, 1.0, 1.0]]
    """

    def __init__(self, rate: Annotated[float, Ge(0), Lt(1)] = 0.5) -> None:
        self.rate = rate

    def build(self, in_shape: Shape) -> Shape:
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.factors: Array | None = None
        if not ctx.training or self.rate == 0:
            return x
        self.factors = keep_factors(self, ctx, x.shape, self.rate)
        return np.multiply(x, self.factors, self.scratch("y", x.shape))

    def backward(self, dy: Array) -> Array:
        return dy if self.factors is None else np.multiply(dy, self.factors, self.scratch("dx", dy.shape))


@LAYERS.register("gaussian_noise")
class GaussianNoise(Layer):
    """Adds N(0, standard_deviation^2) to each number in training: y = x + noise, dy/dx = 1 (Bishop 1995).

    Args:
        standard_deviation: of the noise, in the units of the layer's input.

    >>> GaussianNoise(0.1).forward(np.ones((1, 3)), Context(training=False)).tolist()
    [[1.0, 1.0, 1.0]]
    """

    def __init__(self, standard_deviation: Annotated[float, Ge(0)] = 0.1) -> None:
        self.standard_deviation = standard_deviation

    def build(self, in_shape: Shape) -> Shape:
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        if not ctx.training or self.standard_deviation == 0:
            return x
        draws = normal_draws(self, ctx, x.shape)
        y = np.multiply(draws, self.number(self.standard_deviation), self.scratch("y", x.shape))
        return np.add(x, y, y)

    def backward(self, dy: Array) -> Array:
        return dy
