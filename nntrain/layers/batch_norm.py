"""Normalization over the rows of a batch."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.layers.rows import as_rows


@LAYERS.register("batch_norm")
class BatchNorm(Layer):
    """Normalizes each feature over the batch: y = scale (x - mean) / sqrt(variance + epsilon) + offset.

    Features are the last axis; mean and (biased) variance run over all others. In training they are the batch's, and
    running statistics follow: running <- (1 - momentum) running + momentum batch, with the unbiased variance, as in
    PyTorch. Outside training the running statistics stand in for the batch's (Ioffe and Szegedy 2015, algorithms 1, 2).

    A training batch of a single row has no variance: it is normalized with the running statistics, which it leaves as
    they are. So does a batch whose variance is not finite leave them.

    Args:
        momentum: share of a new batch in the running statistics.
        epsilon: added to the variance.
        affine: whether scale and offset are there, and learned.

    Raises:
        ConfigError: the examples have no axis of features.

    >>> layer = BatchNorm()
    >>> layer.build((3,)), layer.couples_rows
    ((3,), True)
    """

    couples_rows = True

    def __init__(
        self,
        momentum: Annotated[float, Gt(0), Le(1)] = 0.1,
        epsilon: Annotated[float, Gt(0)] = 1e-5,
        affine: bool = True,
    ) -> None:
        self.momentum = momentum
        self.epsilon = epsilon
        self.affine = affine

    def build(self, in_shape: Shape) -> Shape:
        if not in_shape or in_shape[-1] < 1:
            raise self.shape_error("examples of shape (..., features)", in_shape)
        shape = in_shape[-1:]
        if self.affine:
            self.scale = self.add_parameter("scale", shape, Constant(1.0), penalized=False)
            self.offset = self.add_parameter("offset", shape, Constant(0.0), penalized=False)
        self.running_mean = self.add_parameter("running_mean", shape, Constant(0.0), trainable=False)
        self.running_variance = self.add_parameter("running_variance", shape, Constant(1.0), trainable=False)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        rows = as_rows(self, x, "x")
        self.from_batch = ctx.training and len(rows) > 1
        normalized = self.scratch("normalized", rows.shape)
        if self.from_batch:
            variance = self._center(rows, normalized)
        else:
            np.subtract(rows, self.running_mean.value, out=normalized)
            variance = self.running_variance.value
        self.factor = np.add(variance, self.epsilon, out=self.scratch("factor", variance.shape))
        np.sqrt(self.factor, out=self.factor)
        np.divide(1, self.factor, out=self.factor)
        self.normalized = np.multiply(normalized, self.factor, out=normalized)
        y = self.scratch("y", x.shape)
        if not self.affine:
            np.copyto(y, normalized.reshape(x.shape))
            return y
        out = np.multiply(normalized, self.scale.value, out=y.reshape(rows.shape))
        np.add(out, self.offset.value, out=out)
        return y

    def _center(self, rows: Array, centered: Array) -> Array:
        """Write the rows minus their mean; return their variance (F,), which the running statistics follow."""
        count = len(rows)
        mean = np.add.reduce(rows, axis=0, out=self.scratch("mean", rows.shape[1:]))
        np.divide(mean, count, out=mean)
        np.subtract(rows, mean, out=centered)
        variance = np.einsum("nf,nf->f", centered, centered, out=self.scratch("variance", mean.shape))
        np.divide(variance, count, out=variance)
        if math.isfinite(float(np.add.reduce(variance))):
            self._follow(self.running_mean.value, mean, 1.0)
            self._follow(self.running_variance.value, variance, count / (count - 1))
        return variance

    def _follow(self, running: Array, batch: Array, factor: float) -> None:
        np.multiply(running, 1.0 - self.momentum, out=running)
        np.add(running, np.multiply(batch, self.momentum * factor, out=self.scratch("share", batch.shape)), out=running)

    def backward(self, dy: Array) -> Array | None:
        rows = as_rows(self, dy, "dy")
        offset_grad = np.add.reduce(rows, axis=0, out=self.scratch("offset_grad", rows.shape[1:]))
        scale_grad = np.einsum("nf,nf->f", rows, self.normalized, out=self.scratch("scale_grad", rows.shape[1:]))
        if self.affine:
            for parameter, gradient in ((self.scale, scale_grad), (self.offset, offset_grad)):
                np.copyto(parameter.gradient_slot(), gradient)
                parameter.commit()
            np.multiply(self.factor, self.scale.value, out=self.factor)
        if not self.needs_input_gradient:
            return None
        # dx = scale / sqrt(variance + epsilon) (dy - mean(dy) - normalized mean(dy normalized))
        dx = self.scratch("dx", dy.shape)
        out = dx.reshape(rows.shape)
        if self.from_batch:
            np.multiply(self.normalized, np.divide(scale_grad, len(rows), out=scale_grad), out=out)
            np.subtract(rows, out, out=out)
            np.subtract(out, np.divide(offset_grad, len(rows), out=offset_grad), out=out)
            np.multiply(out, self.factor, out=out)
        else:
            np.multiply(rows, self.factor, out=out)
        return dx

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 8 * math.prod(out_shape)
