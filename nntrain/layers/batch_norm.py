"""Normalization over the rows of a batch."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import clear_padding, padding_mask, without_padding
from nntrain.layers.channels import folded, side_by_side, tiled
from nntrain.layers.rows import as_rows, parts_of

PIECE = 32768
"""Numbers that several passes are made over before the next piece is taken: 128 kB of float32, so that the pieces of
input, output and what lies between stay in a processor's own cache."""

RUN = 2048
"""Numbers of a row that are multiplied by those of another row: a call for less takes NumPy's loop longer for each."""

FAR = 16.0
"""A squared mean of so many variances makes the variance lose digits when it is found from the sum of squares."""


@LAYERS.register("batch_norm")
class BatchNorm(Layer):
    """Normalizes each feature over the batch: y = scale (x - mean) / sqrt(variance + epsilon) + offset.

    Features are the last axis; mean and (biased) variance run over all others. In training they are the batch's, and
    running statistics follow: running <- (1 - momentum) running + momentum batch, with the unbiased variance, as in
    PyTorch. Outside training the running statistics stand in for the batch's (Ioffe and Szegedy 2015, algorithms 1, 2).

    Of padded sequences only the true steps count.

    A training batch of a single row of features (or none) has no variance: it is normalized with the running
    statistics, which it leaves as they are. A batch whose variance is not finite leaves them too.

    Mean and variance come from the sums of x and x^2, found piece by piece; where a mean is far from 0 for its
    variance, the squares are summed once more, of x - mean. Where a batch is cut into parts, the parts' sums are added.

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
        self.ones = np.ones(1, self.dtype)
        self.laid_out: Shape | None = None
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.lengths, self.peers = ctx.lengths, ctx.peers if ctx.training else None
        self._lay_out(x)
        self.x = rows = self._rows(without_padding(self, x, self.lengths, "without_padding"), "x_rows")
        self.mean, variance = self.running_mean.value, self.running_variance.value
        self.count, self.is_far = 0.0, True
        if ctx.training:
            sums = self._sums(rows, rows)
            if self.whole_count > 1:
                self.count = self.whole_count
                self.mean, variance = self._moments(rows, sums)
                if ctx.shard == 0:
                    self._follow(self.mean, variance)
        factor = np.add(variance, self.epsilon, out=self.scratch("factor", variance.shape))
        np.sqrt(factor, out=factor)
        self.factor = self.slope = np.divide(1, factor, out=factor)
        if self.affine:
            self.slope = np.multiply(factor, self.scale.value, out=self.scratch("slope", factor.shape))
        # y = x slope + (offset - mean slope)
        shift = np.multiply(self.mean, self.slope, out=self.scratch("shift", factor.shape))
        np.subtract(self.offset.value if self.affine else 0, shift, out=shift)
        y = self.scratch("y", x.shape)
        out, slope, shift = y.reshape(rows.shape), self._wide(self.slope, "a"), self._wide(shift, "b")
        for part in self.parts:
            np.multiply(rows[part], slope, out=out[part])
            np.add(out[part], shift, out=out[part])
        return y

    def _lay_out(self, x: Array) -> None:
        """Choose how many positions stand in a row, and the pieces of the rows; weigh padding with 0, others with 1."""
        if self.lengths is None and x.shape == self.laid_out:
            return
        self.laid_out = None if self.lengths is not None else x.shape
        positions, features = math.prod(x.shape[:-1]), x.shape[-1]
        self.times = 1 if self.lengths is not None else side_by_side(positions, features, RUN)
        rows = positions // self.times
        self.parts = list(parts_of(rows, max(1, PIECE // (features * self.times))))
        if self.lengths is None:
            self.own_count = float(positions)
            if len(self.ones) < rows:
                self.ones = np.ones(rows, self.dtype)
            self.there = self.ones
            return
        self.there = self.scratch("there", (rows,))
        mask = padding_mask(self, self.lengths, x.shape[1])
        np.subtract(1, mask[:, :, None], out=self.there.reshape(*x.shape[:2], -1))
        self.own_count = float(np.add.reduce(self.there))

    def _rows(self, x: Array, key: str) -> Array:
        """Return x as rows of features, of which ``times`` are side by side."""
        rows = as_rows(self, x, key)
        return rows if self.times == 1 else rows.reshape(-1, self.times * rows.shape[1])

    def _wide(self, values: Array, key: str) -> Array:
        """Return values (F,) as often in a row as features stand there, in scratch ``key``."""
        return tiled(self, values, self.times, key)

    def _sums(self, rows: Array, factors: Array, center: Array | None = None, whole: bool = True) -> Array:
        """Return the sums (2, F) over a batch of each feature, and of its products with (factors - center).

        Args:
            rows: wide rows.
            factors: wide rows of the same shape.
            center: (F,) or None for 0.
            whole: whether the sums are those of all parts of the batch; ``whole_count`` is then theirs too.
        """
        wide = self.scratch("wide", (2, rows.shape[1]))
        piece = wide if len(self.parts) == 1 else self.scratch("piece", wide.shape)
        middle = None if center is None else self._wide(center, "center")
        for number, part in enumerate(self.parts):
            x, there = rows[part], self.there[part]
            product = self.scratch("product", x.shape)
            if middle is None:
                np.multiply(x, factors[part], out=product)
            else:
                np.multiply(np.subtract(factors[part], middle, out=product), x, out=product)
            # A product with ones sums the rows faster than np.add.reduce.
            out = wide if number == 0 else piece
            np.dot(there, x, out=out[0])
            np.dot(there, product, out=out[1])
            if number:
                np.add(wide, piece, out=wide)
        sums = self.scratch("sums", (1 + 2 * (rows.shape[1] // self.times),))
        sums[0] = self.own_count
        found = sums[1:].reshape(2, -1)
        folded(wide, found) if self.times > 1 else np.copyto(found, wide)
        return self._of_all(sums) if whole else found

    def _of_all(self, sums: Array) -> Array:
        """Return the sums (2, F) of all parts of the batch; note their count."""
        if self.peers is not None:
            sums = np.add.reduce(self.peers.gather(sums), axis=0, out=self.scratch("all_sums", sums.shape))
        self.whole_count = float(sums[0])
        return sums[1:].reshape(2, -1)

    def _moments(self, rows: Array, sums: Array) -> tuple[Array, Array]:
        """Return mean and variance (F,) of the whole batch, from its sums."""
        moments = np.divide(sums, self.count, out=self.scratch("moments", sums.shape))
        mean, variance = moments
        squared = np.multiply(mean, mean, out=self.scratch("squared_mean", mean.shape))
        np.subtract(variance, squared, out=variance)
        np.multiply(variance, FAR, out=self.scratch("bound", mean.shape))
        self.is_far = not np.less_equal(squared, self.scratch("bound", mean.shape)).all()
        if self.is_far:
            centered = self.scratch("centered", rows.shape)
            for part in self.parts:
                np.subtract(rows[part], self._wide(mean, "center"), out=centered[part])
            np.divide(self._sums(centered, centered)[1], self.count, out=variance)
        return mean, variance

    def _follow(self, mean: Array, variance: Array) -> None:
        """Let the running statistics follow the batch's, where these are finite."""
        if not math.isfinite(float(np.add.reduce(variance))):
            return
        unbiased = self.count / (self.count - 1)
        for running, batch, factor in (
            (self.running_mean.value, mean, 1.0),
            (self.running_variance.value, variance, unbiased),
        ):
            np.multiply(running, 1.0 - self.momentum, out=running)
            share = np.multiply(batch, self.momentum * factor, out=self.scratch("share", batch.shape))
            np.add(running, share, out=running)

    def backward(self, dy: Array) -> Array | None:
        rows = self._rows(dy, "dy_rows")
        # sums of dy, and of dy (x - mean); a mean that is near 0 is taken off the sum instead of each x
        sums = self._sums(rows, self.x, self.mean if self.is_far else None, whole=False)
        if not self.is_far:
            np.subtract(sums[1], np.multiply(sums[0], self.mean, out=self.scratch("share", sums[0].shape)), out=sums[1])
        np.multiply(sums[1], self.factor, out=sums[1])
        if self.affine:
            np.copyto(self.offset.gradient_slot(), sums[0])
            self.offset.commit()
            np.copyto(self.scale.gradient_slot(), sums[1])
            self.scale.commit()
        if not self.needs_input_gradient:
            return None
        dx = self.scratch("dx", dy.shape)
        self._input_gradient(rows, dx.reshape(rows.shape))
        return clear_padding(self, dx, self.lengths)

    def _input_gradient(self, rows: Array, out: Array) -> None:
        """Write dx = slope (dy - mean(dy) - normalized mean(dy normalized)), as dy slope + x b + c."""
        slope = self._wide(self.slope, "a")
        if not self.count:
            np.multiply(rows, slope, out=out)
            return
        sums = self._of_all(self.scratch("sums", (1 + 2 * len(self.factor),)))
        means = np.divide(sums, -self.count, out=self.scratch("moments_of_dy", sums.shape))
        np.multiply(means, self.slope, out=means)
        c, b = means
        np.multiply(b, self.factor, out=b)
        np.subtract(c, np.multiply(b, self.mean, out=self.scratch("share", b.shape)), out=c)
        b, c = self._wide(b, "b"), self._wide(c, "center")
        for part in self.parts:
            x, dx = self.x[part], out[part]
            other = np.multiply(x, b, out=self.scratch("product", x.shape))
            np.add(other, c, out=other)
            np.multiply(rows[part], slope, out=dx)
            np.add(dx, other, out=dx)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 8 * math.prod(out_shape)
