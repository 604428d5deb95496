"""Rectifiers: linear for positive inputs, another slope for negative ones."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Context
from nntrain.layers.activation import Activation, InPlaceActivation
from nntrain.layers.masks import masked


@LAYERS.register("relu")
class Relu(InPlaceActivation):
    """Rectified linear unit: y = max(x, 0), with derivative 0 at 0 (Nair and Hinton 2010).

    >>> layer = Relu()
    >>> layer.build((2,))
    (2,)
    >>> layer.forward(np.array([[-1.0, 2.0]], np.float32), Context()).tolist()
    [[0.0, 2.0]]
    """

    def apply(self, x: Array, out: Array) -> None:
        self.bounded(np.maximum, x, 0.0, out)

    def pull_back(self, dy: Array, y: Array, out: Array) -> Array:
        return masked(dy, np.greater(y, self.number(0.0), self.scratch("mask", y.shape, np.bool_)), out)

    def health(self) -> dict[str, float]:
        return {"dead_share": float(np.mean(~self.y.any(axis=0)))}


@LAYERS.register("relu6")
class Relu6(InPlaceActivation):
    """Rectified linear unit with a ceiling: y = min(max(x, 0), 6), with derivative 0 at 0 and at 6 (Krizhevsky 2010).

    >>> layer = Relu6()
    >>> layer.build((3,))
    (3,)
    >>> layer.forward(np.array([[-1.0, 2.0, 9.0]], np.float32), Context()).tolist()
    [[0.0, 2.0, 6.0]]
    """

    cost: ClassVar[int] = 2

    def apply(self, x: Array, out: Array) -> None:
        self.bounded(np.maximum, x, 0.0, out)
        self.bounded(np.minimum, out, 6.0, out)

    def pull_back(self, dy: Array, y: Array, out: Array) -> Array:
        mask = np.greater(y, self.number(0.0), out=self.scratch("mask", y.shape, np.bool_))
        below = np.less(y, self.number(6.0), out=self.scratch("below", y.shape, np.bool_))
        return masked(dy, np.logical_and(mask, below, mask), out)


@LAYERS.register("leaky_relu")
class LeakyRelu(Activation):
    """Leaky rectifier: y = x for x > 0, else negative_slope x (Maas et al. 2013).

    The derivative at 0 is negative_slope.

    Args:
        negative_slope: slope for negative inputs, from 0 (relu) to 1 (identity).

    >>> layer = LeakyRelu(0.25)
    >>> layer.build((2,))
    (2,)
    >>> layer.forward(np.array([[-1.0, 2.0]], np.float32), Context()).tolist()
    [[-0.25, 2.0]]
    """

    cost: ClassVar[int] = 2

    def __init__(self, negative_slope: Annotated[float, Ge(0), Le(1)] = 0.01) -> None:
        self.negative_slope = negative_slope

    def build(self, in_shape: Shape) -> Shape:
        super().build(in_shape)
        self.smallest = self.constant(self.negative_slope)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        # One factor a number, negative_slope or 1, serves the forward and the backward pass.
        self.slope = np.greater(x, self.number(0.0), out=self.scratch("slope", x.shape))
        np.maximum(self.slope, self.smallest, out=self.slope)
        return np.multiply(x, self.slope, self.scratch("y", x.shape))

    def backward(self, dy: Array) -> Array:
        return np.multiply(dy, self.slope, self.scratch("dx", dy.shape))


@LAYERS.register("prelu")
class Prelu(Activation):
    """Leaky rectifier with a learned slope a: y = x for x > 0, else a x (He et al. 2015, eq. 1).

    At 0 the derivative is a. The slope is no weight that ``regularization`` penalizes: it would pull it to ReLU.

    Args:
        shared: whether all features share one slope; else each feature (the last axis) has its own.
        initial_slope: first value of a.

    >>> from nntrain.core.network import Network
    >>> network = Network(Prelu(shared=False), (3,))
    >>> network.forward(np.array([[-1.0, 0.0, 2.0]], np.float32)).tolist()
    [[-0.25, 0.0, 2.0]]
    """

    cost: ClassVar[int] = 3

    def __init__(self, shared: bool = True, initial_slope: Annotated[float, Ge(0)] = 0.25) -> None:
        self.shared = shared
        self.initial_slope = initial_slope

    def build(self, in_shape: Shape) -> Shape:
        if not self.shared and not in_shape:
            raise self.shape_error("examples of shape (..., features)", in_shape)
        shape = () if self.shared else (in_shape[-1],)
        self.slope = self.add_parameter("slope", shape, Constant(self.initial_slope), penalized=False)
        super().build(in_shape)
        self.zero = self.constant(0.0)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.x = x
        self.negative = np.minimum(x, self.zero, out=self.scratch("negative", x.shape))
        y = np.maximum(x, self.zero, out=self.scratch("y", x.shape))
        scaled = np.multiply(self.negative, self.slope.value, self.scratch("product", x.shape))
        return np.add(y, scaled, y)

    def backward(self, dy: Array) -> Array:
        product = np.multiply(dy, self.negative, self.scratch("product", dy.shape))
        axes = tuple(range(dy.ndim if self.shared else dy.ndim - 1))
        np.add.reduce(product, axis=axes, out=self.slope.gradient_slot())
        self.slope.commit()
        positive = np.greater(self.x, self.number(0.0), out=self.scratch("positive", dy.shape, np.bool_))
        dx = masked(dy, positive, self.scratch("dx", dy.shape))
        np.subtract(dy, dx, product)
        np.multiply(product, self.slope.value, product)
        return np.add(dx, product, dx)
