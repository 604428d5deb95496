"""Normalization over the features of a row."""

from __future__ import annotations

import math

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.epsilon import Epsilon
from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.layers.columns import Unbuffered
from nntrain.layers.rows import as_rows


@LAYERS.register("layer_norm")
class LayerNorm(Layer):
    """Normalizes each row over its features: y = scale (x - mean) / sqrt(variance + epsilon) + offset.

    Mean and (biased) variance run over the last axis; training and inference are the same (Ba et al. 2016, eq. 4).

    Args:
        epsilon: added to the variance.
        affine: whether scale and offset, one of each a feature, are there and learned.

    Raises:
        ConfigError: the examples have no axis of features.

    >>> LayerNorm().build((3,))
    (3,)
    """

    keeps_output = True

    def __init__(self, epsilon: Epsilon = 1e-5, affine: bool = True) -> None:
        self.epsilon = epsilon
        self.affine = affine

    def build(self, in_shape: Shape) -> Shape:
        if not in_shape or in_shape[-1] < 1:
            raise self.shape_error("examples of shape (..., features)", in_shape)
        if self.affine:
            self.scale = self.add_parameter("scale", in_shape[-1:], Constant(1.0), penalized=False)
            self.offset = self.add_parameter("offset", in_shape[-1:], Constant(0.0), penalized=False)
        # A product with 1/F averages a row faster than np.mean.
        self.average = np.full(in_shape[-1], 1.0 / in_shape[-1], self.dtype)
        self.ones, self.units = np.ones(in_shape[-1], self.dtype), np.ones(0, self.dtype)
        self.unbuffered = Unbuffered(in_shape[-1])
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        rows = as_rows(self, x, "x")
        self.centred, self.gain = self.scratch("centred", rows.shape), self.scratch("gain", rows.shape)
        self.factor = factor = self.scratch("factor", (len(rows),))
        y = self.scratch("y", x.shape)
        out = y.reshape(rows.shape)
        with self.unbuffered:
            rows.dot(self.average, factor)
            np.subtract(rows, factor[:, None], self.centred)
            np.multiply(self.centred, self.centred, out).dot(self.average, factor)
            np.add(factor, self.number(self.epsilon), factor)
            np.sqrt(factor, factor)
            np.divide(self.number(1.0), factor, factor)
            self._write_gain(self.scale.value if self.affine else self.ones)
            np.multiply(self.centred, self.gain, out)
            if self.affine:
                np.add(out, self.offset.value, out)
        return y

    def _write_gain(self, scale: Array) -> None:
        """Write what each number is multiplied by: scale / deviation, the product of a row and a column.

        Where rows are short this is the faster way, as a matrix product of its own and then two full matrices: NumPy
        takes twice as long where it has to stretch a column.
        """
        if self.unbuffered.active:
            np.multiply(self.factor[:, None], scale, self.gain)
        else:
            self.factor[:, None].dot(scale[None], self.gain)

    def backward(self, dy: Array) -> Array | None:
        rows = as_rows(self, dy, "dy")
        product = np.multiply(rows, self.centred, self.scratch("product", rows.shape))
        if self.affine:
            self.factor.dot(product, self.scale.gradient_slot())
            if len(self.units) < len(rows):
                self.units = np.ones(len(rows), self.dtype)
            self.units[: len(rows)].dot(rows, self.offset.gradient_slot())
            self.scale.commit()
            self.offset.commit()
        return self._input_gradient(dy, rows, product) if self.needs_input_gradient else None

    def _input_gradient(self, dy: Array, rows: Array, product: Array) -> Array:
        """Return dx = (g - mean(g) - n mean(g n)) / deviation, with g = scale dy and n the normalized x."""
        column, factor, share = (len(rows),), self.factor, self.average
        if self.affine:
            share = np.multiply(self.average, self.scale.value, self.scratch("share", share.shape))
        of_offset = rows.dot(share, self.scratch("of_offset", column))
        of_scale = product.dot(share, self.scratch("of_scale", column))
        np.multiply(of_offset, factor, of_offset)
        for _ in range(3):
            np.multiply(of_scale, factor, of_scale)
        dx = self.scratch("dx", dy.shape)
        out = dx.reshape(rows.shape)
        with self.unbuffered:
            np.multiply(rows, self.gain, out)
            np.multiply(self.centred, of_scale[:, None], product)
            np.subtract(out, product, out)
            np.subtract(out, of_offset[:, None], out)
        return dx

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 8 * math.prod(out_shape)
