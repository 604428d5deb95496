"""Normalization over the rows of a batch."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import clear_padding, without_padding
from nntrain.layers.channels import folded, side_by_side, tiled
from nntrain.layers.rows import as_rows


@LAYERS.register("batch_norm")
class BatchNorm(Layer):
    """Normalizes each feature over the batch: y = scale (x - mean) / sqrt(variance + epsilon) + offset.

    Features are the last axis; mean and (biased) variance run over all others. In training they are the batch's, and
    running statistics follow: running <- (1 - momentum) running + momentum batch, with the unbiased variance, as in
    PyTorch. Outside training the running statistics stand in for the batch's (Ioffe and Szegedy 2015, algorithms 1, 2).

    Of padded sequences only the true steps count.

    A training batch of a single row of features (or none) has no variance: it is normalized with the running
    statistics, which it leaves as they are. A batch whose variance is not finite leaves them too.

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
        self.lengths = ctx.lengths
        self.count, self.times = len(x), 1
        if x.ndim > 2:
            steps = len(x) * x.shape[1] if self.lengths is None else int(np.add.reduce(self.lengths))
            self.count = steps * math.prod(x.shape[2:-1])
            self.times = side_by_side(math.prod(x.shape[:-1]), x.shape[-1])
        self.from_batch = ctx.training and self.count > 1
        rows = self._wide(x, "x")
        normalized = self.scratch("normalized", rows.shape)
        if self.from_batch:
            variance = self._center(x, rows, normalized)
        else:
            np.subtract(rows, self._tiled(self.running_mean.value), out=normalized)
            variance = self.running_variance.value
        self.factor = np.add(variance, self.epsilon, out=self.scratch("factor", variance.shape))
        np.sqrt(self.factor, out=self.factor)
        np.divide(1, self.factor, out=self.factor)
        self.normalized = np.multiply(normalized, self._tiled(self.factor), out=normalized)
        y = self.scratch("y", x.shape)
        if not self.affine:
            np.copyto(y, normalized.reshape(x.shape))
            return y
        out = np.multiply(normalized, self._tiled(self.scale.value), out=y.reshape(rows.shape))
        np.add(out, self._tiled(self.offset.value), out=out)
        return y

    def _wide(self, x: Array, key: str) -> Array:
        """Return x as rows of features, of which ``times`` are side by side."""
        rows = as_rows(self, x, key)
        return rows if self.times == 1 else rows.reshape(-1, self.times * rows.shape[1])

    def _tiled(self, values: Array) -> Array:
        return values if self.times == 1 else tiled(self, values, self.times, "tiled")

    def _sum(self, rows: Array, out: Array) -> Array:
        """Write the sum of each feature (F,) over wide rows into ``out``."""
        if self.times == 1:
            return np.add.reduce(rows, axis=0, out=out)
        return folded(np.add.reduce(rows, axis=0, out=self.scratch("wide", rows.shape[1:])), out)

    def _product(self, a: Array, b: Array, out: Array) -> Array:
        """Write the sum of each feature's products over wide rows into ``out``."""
        if self.times == 1:
            return np.einsum("nf,nf->f", a, b, out=out)
        return folded(np.einsum("nf,nf->f", a, b, out=self.scratch("wide", a.shape[1:])), out)

    def _center(self, x: Array, rows: Array, centered: Array) -> Array:
        """Write the rows minus their mean; return their variance (F,), which the running statistics follow."""
        if self.lengths is not None:
            rows = self._wide(without_padding(self, x, self.lengths, "x"), "x")
        mean = self._sum(rows, self.scratch("mean", x.shape[-1:]))
        np.divide(mean, self.count, out=mean)
        np.subtract(rows, self._tiled(mean), out=centered)
        if self.lengths is not None:
            clear_padding(self, centered.reshape(x.shape), self.lengths)
        variance = self._product(centered, centered, self.scratch("variance", mean.shape))
        np.divide(variance, self.count, out=variance)
        if math.isfinite(float(np.add.reduce(variance))):
            self._follow(self.running_mean.value, mean, 1.0)
            self._follow(self.running_variance.value, variance, self.count / (self.count - 1))
        return variance

    def _follow(self, running: Array, batch: Array, factor: float) -> None:
        np.multiply(running, 1.0 - self.momentum, out=running)
        np.add(running, np.multiply(batch, self.momentum * factor, out=self.scratch("share", batch.shape)), out=running)

    def backward(self, dy: Array) -> Array | None:
        rows = self._wide(dy, "dy")
        scale_grad = self.scale.gradient_slot() if self.affine else self.scratch("scale_grad", self.factor.shape)
        offset_grad = self.offset.gradient_slot() if self.affine else self.scratch("offset_grad", self.factor.shape)
        self._product(rows, self.normalized, scale_grad)
        self._sum(rows, offset_grad)
        if self.affine:
            self.scale.commit()
            self.offset.commit()
            np.multiply(self.factor, self.scale.value, out=self.factor)
        if not self.needs_input_gradient:
            return None
        # dx = scale / sqrt(variance + epsilon) (dy - mean(dy) - normalized mean(dy normalized))
        dx = self.scratch("dx", dy.shape)
        out = dx.reshape(rows.shape)
        if self.from_batch:
            slope = np.divide(scale_grad, self.count, out=self.scratch("slope", scale_grad.shape))
            shift = np.divide(offset_grad, self.count, out=self.scratch("shift", offset_grad.shape))
            np.multiply(self.normalized, self._tiled(slope), out=out)
            np.subtract(rows, out, out=out)
            np.subtract(out, self._tiled(shift), out=out)
            np.multiply(out, self._tiled(self.factor), out=out)
        else:
            np.multiply(rows, self._tiled(self.factor), out=out)
        return clear_padding(self, dx, self.lengths)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 8 * math.prod(out_shape)
