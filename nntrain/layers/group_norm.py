"""Normalization over the positions and a group of channels of an example."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array, Shape
from nntrain.core.epsilon import Epsilon
from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import clear_padding, without_padding
from nntrain.layers.channels import folded, side_by_side, tiled
from nntrain.layers.rows import reshaped


@LAYERS.register("group_norm")
class GroupNorm(Layer):
    """Normalizes groups of channels of each example: y = scale (x - mean) / sqrt(variance + epsilon) + offset.

    Mean and (biased) variance of a group run over its channels (last axis) and all positions, of a padded sequence over
    its true steps; training and inference are the same (Wu and He 2018, eq. 7). One group is layer norm over whole
    examples, as many as channels are instance norm.

    Args:
        groups: of neighbouring channels, all of one size.
        epsilon: added to the variance.
        affine: whether scale and offset, one of each a channel, are there and learned.

    Raises:
        ConfigError: the examples have no axis of channels, or ``groups`` does not divide it.

    >>> GroupNorm(4).build((14, 14, 32))
    (14, 14, 32)
    """

    keeps_output = True

    def __init__(self, groups: Annotated[int, Ge(1)], epsilon: Epsilon = 1e-5, affine: bool = True) -> None:
        self.groups = groups
        self.epsilon = epsilon
        self.affine = affine

    def build(self, in_shape: Shape) -> Shape:
        if not in_shape or min(in_shape) < 1 or in_shape[-1] % self.groups:
            raise self.shape_error(f"examples of shape (..., channels) with channels in {self.groups} groups", in_shape)
        self.size = in_shape[-1] // self.groups
        if self.affine:
            self.scale = self.add_parameter("scale", in_shape[-1:], Constant(1.0), penalized=False)
            self.offset = self.add_parameter("offset", in_shape[-1:], Constant(0.0), penalized=False)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.lengths = ctx.lengths
        self.times = side_by_side(math.prod(x.shape[1:-1]), x.shape[-1])
        values = self._wide(without_padding(self, x, self.lengths, "x"), "rows")
        share = self._share_of_one(x)
        mean = self._by_group(np.add.reduce(values, axis=1, out=self.scratch("sum", self._wide_shape(x))), "mean")
        np.multiply(mean, share, out=mean)
        centered = self.scratch("centered", values.shape)
        self.centered = np.subtract(values, self._by_channel(mean, x), out=centered)
        clear_padding(self, centered.reshape(x.shape), self.lengths)
        squares = np.einsum("bnf,bnf->bf", centered, centered, out=self.scratch("sum", self._wide_shape(x)))
        self.factor = self._by_group(squares, "factor")
        np.multiply(self.factor, share, out=self.factor)
        np.add(self.factor, self.epsilon, out=self.factor)
        np.sqrt(self.factor, out=self.factor)
        np.divide(1, self.factor, out=self.factor)
        y = np.multiply(centered, self._slope(x), out=self.scratch("y", values.shape))
        if self.affine:
            np.add(y, tiled(self, self.offset.value, self.times, "wide_offset"), out=y)
        return y.reshape(x.shape)

    def _slope(self, x: Array) -> Array:
        """Return scale / sqrt(variance + epsilon), (B, 1, times C)."""
        slope = self._by_channel(self.factor, x)
        if self.affine:
            np.multiply(slope, tiled(self, self.scale.value, self.times, "wide_scale"), out=slope)
        return slope

    def _wide_shape(self, x: Array) -> Shape:
        return (len(x), self.times * x.shape[-1])

    def _wide(self, x: Array, key: str) -> Array:
        """Return x with positions side by side, (B, positions / times, times C)."""
        width = self.times * x.shape[-1]
        return reshaped(self, x, (len(x), math.prod(x.shape[1:]) // width, width), key)

    def _share_of_one(self, x: Array) -> Array | float:
        """Return 1 / (the true numbers in a group), for each example (B, 1) where they differ."""
        steps, rest = (x.shape[1], math.prod(x.shape[2:])) if x.ndim > 2 else (1, x.shape[-1])
        if self.lengths is None:
            return self.groups / (steps * rest)
        count = np.maximum(self.lengths, 1, out=self.scratch("count", self.lengths.shape, np.int64))
        share = np.divide(self.groups / rest, count, out=self.scratch("share", count.shape))
        return share[:, None]

    def _by_group(self, wide: Array, key: str) -> Array:
        """Return the sums over groups (B, groups) of sums (B, times C)."""
        sums = folded(wide, self.scratch("total", (len(wide), self.groups * self.size)))
        return self._over_group(sums, key)

    def _over_group(self, sums: Array, key: str) -> Array:
        shape = (len(sums), self.groups)
        return np.add.reduce(sums.reshape(*shape, self.size), axis=2, out=self.scratch(key, shape))

    def _by_channel(self, values: Array, x: Array) -> Array:
        """Return a number of each group (B, groups) for each channel of the positions side by side, (B, 1, times C)."""
        wide = self.scratch("by_channel", self._wide_shape(x))
        np.copyto(wide.reshape(len(x), self.times, self.groups, self.size), values[:, None, :, None])
        return wide[:, None]

    def backward(self, dy: Array) -> Array | None:
        values, width = self._wide(dy, "rows"), (len(dy), dy.shape[-1])
        wide = self.scratch("sum", self._wide_shape(dy))
        total = folded(np.add.reduce(values, axis=1, out=wide), self.scratch("total", width))
        product = np.einsum("bnf,bnf->bf", values, self.centered, out=wide)
        product = folded(product, self.scratch("product", width))
        by_group = product.reshape(len(dy), self.groups, self.size)
        np.multiply(by_group, self.factor[:, :, None], out=by_group)
        if self.affine:
            np.add.reduce(product, axis=0, out=self.scale.gradient_slot())
            np.add.reduce(total, axis=0, out=self.offset.gradient_slot())
            self.scale.commit()
            self.offset.commit()
        if not self.needs_input_gradient:
            return None
        if self.affine:
            np.multiply(total, self.scale.value, out=total)
            np.multiply(product, self.scale.value, out=product)
        # dx = factor (g - mean(g) - normalized mean(g normalized)), with g = scale dy and normalized = factor centered
        out, spare = self.scratch("dx", values.shape), self.scratch("spare", values.shape)
        slope, shift = self._mean_of_group(product, dy, "slope"), self._mean_of_group(total, dy, "shift")
        np.multiply(slope, self.factor, out=slope)
        np.multiply(self.centered, self._by_channel(slope, dy), out=spare)
        np.add(spare, self._by_channel(shift, dy), out=spare)
        np.multiply(values, self._slope(dy), out=out)
        np.subtract(out, spare, out=out)
        return clear_padding(self, out.reshape(dy.shape), self.lengths)

    def _mean_of_group(self, sums: Array, x: Array, key: str) -> Array:
        """Return factor mean of each group (B, groups), from sums of its channels (B, C)."""
        means = self._over_group(sums, key)
        np.multiply(means, self._share_of_one(x), out=means)
        return np.multiply(means, self.factor, out=means)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 8 * math.prod(out_shape)
