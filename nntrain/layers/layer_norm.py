"""Normalization over the features of a row."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Gt

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Context, Layer
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

    def __init__(self, epsilon: Annotated[float, Gt(0)] = 1e-5, affine: bool = True) -> None:
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
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        rows = as_rows(self, x, "x")
        column = self.scratch("column", (len(rows),))
        normalized = self.scratch("normalized", rows.shape)
        np.dot(rows, self.average, out=column)
        np.subtract(rows, column[:, None], out=normalized)
        self.factor = np.vecdot(normalized, normalized, out=self.scratch("factor", (len(rows),)))
        np.divide(self.factor, rows.shape[1], out=self.factor)
        np.add(self.factor, self.epsilon, out=self.factor)
        np.sqrt(self.factor, out=self.factor)
        np.divide(1, self.factor, out=self.factor)
        self.normalized = np.multiply(normalized, self.factor[:, None], out=normalized)
        y = self.scratch("y", x.shape)
        if not self.affine:
            np.copyto(y, normalized.reshape(x.shape))
            return y
        out = np.multiply(normalized, self.scale.value, out=y.reshape(rows.shape))
        np.add(out, self.offset.value, out=out)
        return y

    def backward(self, dy: Array) -> Array | None:
        rows = as_rows(self, dy, "dy")
        if self.affine:
            np.einsum("nf,nf->f", rows, self.normalized, out=self.scale.gradient_slot())
            np.add.reduce(rows, axis=0, out=self.offset.gradient_slot())
            self.scale.commit()
            self.offset.commit()
        if not self.needs_input_gradient:
            return None
        # dx = (g - mean(g) - normalized mean(g normalized)) / sqrt(variance + epsilon), with g = scale dy
        dx, spare = self.scratch("dx", dy.shape), self.scratch("spare", rows.shape)
        out, column = dx.reshape(rows.shape), self.scratch("column", (len(rows),))
        if self.affine:
            np.multiply(rows, self.scale.value, out=out)
        else:
            np.copyto(out, rows)
        np.vecdot(out, self.normalized, out=column)
        np.divide(column, rows.shape[1], out=column)
        np.multiply(self.normalized, column[:, None], out=spare)
        np.dot(out, self.average, out=column)
        np.subtract(out, column[:, None], out=out)
        np.subtract(out, spare, out=out)
        np.multiply(out, self.factor[:, None], out=out)
        return dx

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 8 * math.prod(out_shape)
