"""Dropout of whole channels."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.layers.channels import side_by_side, tiled
from nntrain.layers.rows import reshaped


@LAYERS.register("spatial_dropout")
class SpatialDropout(Layer):
    """Sets each channel of an example to 0 with probability ``rate`` in training, and divides the others by 1 - rate.

    Neighbouring steps or pixels are alike, so that dropping single numbers hides little; here a channel is there or
    not at all positions of an example (Tompson et al. 2015, section 3.2). Outside training y = x.

    Args:
        rate: share of the channels that are dropped, at least 0 and below 1.

    Raises:
        ConfigError: the examples have no axis of channels.

    >>> SpatialDropout(0.5).forward(np.ones((1, 2, 2)), Context(training=False)).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """

    def __init__(self, rate: Annotated[float, Ge(0), Lt(1)] = 0.5) -> None:
        self.rate = rate

    def build(self, in_shape: Shape) -> Shape:
        if not in_shape:
            raise self.shape_error("examples of shape (..., channels)", in_shape)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.factor: Array | None = None
        if not ctx.training or self.rate == 0:
            return x
        draws = self.scratch("draws", (len(x), x.shape[-1]), np.float32)
        self.noise(ctx).random(out=draws, dtype=np.float32)
        kept = np.greater_equal(draws, self.rate, out=self.scratch("kept", draws.shape, np.bool_))
        self.times = side_by_side(math.prod(x.shape[1:-1]), x.shape[-1])
        factor = np.multiply(kept, 1.0 / (1.0 - self.rate), out=self.scratch("factor", draws.shape))
        self.factor = tiled(self, factor, self.times, "tiled")[:, None]
        return self._apply(x, self.factor, "y")

    def backward(self, dy: Array) -> Array:
        return dy if self.factor is None else self._apply(dy, self.factor, "dx")

    def _apply(self, values: Array, factor: Array, key: str) -> Array:
        width = factor.shape[-1]
        wide = reshaped(self, values, (len(values), math.prod(values.shape[1:]) // width, width), key)
        out = self.scratch(key, values.shape)
        np.multiply(wide, factor, out=out.reshape(wide.shape))
        return out
