"""Normalization over the rows of a batch."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Le

from nntrain.core.array import Array, Shape
from nntrain.core.epsilon import Epsilon
from nntrain.core.initializers import Constant
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import clear_padding, without_padding
from nntrain.layers.channels import folded, tiled
from nntrain.layers.left_to_pool import LeftToPool, TakesPieces
from nntrain.layers.wide_rows import Layout, Layouts

FAR = 16.0
"""A squared mean of so many variances makes the variance lose digits when it is found from the sum of squares."""


@LAYERS.register("batch_norm")
class BatchNorm(LeftToPool, TakesPieces):
    """Normalizes each feature over the batch: y = scale (x - mean) / sqrt(variance + epsilon) + offset.

    Features are the last axis; mean and (biased) variance run over all others. In training they are the batch's, and
    running statistics follow: running <- (1 - momentum) running + momentum batch, with the unbiased variance, as in
    PyTorch. Outside training the running statistics stand in for the batch's (Ioffe and Szegedy 2015, algorithms 1, 2).

    Of padded sequences only the true steps count.

    A training batch of a single row of features (or none) has no variance: it is normalized with the running
    statistics, which it leaves as they are. A batch whose variance is not finite leaves them too.

    Mean and variance come from the sums of x and x^2, found piece by piece; where a mean is far from 0 for its
    variance, the squares are summed once more, of x - mean. Where a batch is cut into parts, the parts' sums are added.

    A max pool behind the layer (and behind a relu, where that comes between) takes the scaling over, as long as all
    slopes are positive: max (x a + b) = (max x) a + b, to the bit, and there are fewer numbers behind the pool. What a
    convolution before the layer makes piece by piece is then added up and pooled while it is in the processor's cache.

    Args:
        momentum: share of a new batch in the running statistics.
        epsilon: added to the variance.
        affine: whether scale and offset are there, and learned.

    Attributes:
        is_deferred: whether a max pool does the scaling of the latest batch.
        taker: the max pool, where a convolution right before the layer feeds both; else None.
        is_fed: whether the latest batch came in pieces.
        relays: whether its pieces went on to the max pool.
        whole: (B, ..., F) the pieces.
        taken: (2 F,) sums of them, and of their squares; None outside training.

    Raises:
        ConfigError: the examples have no axis of features.

    >>> layer = BatchNorm()
    >>> layer.build((3,)), layer.couples_rows
    ((3,), True)
    """

    couples_rows = True
    keeps_output = True
    is_deferred: bool = False
    is_fed: bool = False
    taker: TakesPieces | None = None
    whole: Array | None = None
    taken: Array | None = None
    _preceding: Layer | None = None

    def __init__(
        self,
        momentum: Annotated[float, Gt(0), Le(1)] = 0.1,
        epsilon: Epsilon = 1e-5,
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
        self.layouts = Layouts(self)
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.lengths, self.peers = ctx.lengths, ctx.peers if ctx.training else None
        self.layout = self.layouts.of(x.shape) if self.lengths is None else self.layouts.of_steps(x, self.lengths)
        self.is_fed = x is self.whole
        there = without_padding(self, x, self.lengths, "without_padding")
        self.x = rows = self.layouts.rows(there, "x_rows", self.layout)
        self.mean, variance = self.running_mean.value, self.running_variance.value
        self.count, self.is_far = 0.0, True
        if ctx.training:
            if self.is_fed and self.taken is not None:
                np.copyto(self._counted_sums()[1:], self.taken)
            else:
                self._sums(rows, rows, self.layout)
            sums = self._of_all()
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
        self.shift = np.multiply(self.mean, self.slope, out=self.scratch("shift", factor.shape))
        np.subtract(self.offset.value if self.affine else 0, self.shift, out=self.shift)
        self.is_deferred = self.hands_over and self.lengths is None and bool(np.minimum.reduce(self.slope) > 0)
        if self.is_deferred:
            return x if self.unread is None or not self.is_fed else self.unread
        y = self.scratch("y", x.shape)
        self._scale(rows, self.layout, y.reshape(rows.shape))
        return y

    def _scale(self, rows: Array, layout: Layout, out: Array) -> None:
        """Write wide rows times slope plus shift."""
        slope, shift = tiled(self, self.slope, layout.times, "a"), tiled(self, self.shift, layout.times, "b")
        for part in layout.parts:
            np.multiply(rows[part], slope, out=out[part])
            np.add(out[part], shift, out=out[part])

    def hand_over(self, shape: Shape) -> bool:
        self.hands_over = True
        return True

    def finish(self, x: Array, out: Array) -> None:
        if not self.is_deferred:
            np.copyto(out, x)
            return
        self.left = self.layouts.of(x.shape)
        self.pooled = self.layouts.rows(x, "pooled_rows", self.left)
        self._scale(self.pooled, self.left, out.reshape(self.pooled.shape))

    def before_finish(self, dy: Array) -> Array:
        # Without what comes by way of the statistics: backward adds it for all positions.
        if not self.is_deferred:
            return dy
        rows = self.layouts.rows(dy, "dy_rows", self.left)
        self._learn(rows, self.pooled, self.left)
        dx = self.scratch("dx_left", dy.shape)
        np.multiply(rows, tiled(self, self.slope, self.left.times, "a"), out=dx.reshape(rows.shape))
        return dx

    def bind(self, name: str, dtype: np.dtype[Any], seed: int) -> None:
        super().bind(name, dtype, seed)
        self.taker = self._preceding = self.whole = self.unread = None

    def follow(self, before: Layer) -> None:
        self._preceding = before

    def kept_numbers(self, training: bool) -> int:
        if self.taker is None or self.shapes is None:
            return super().kept_numbers(training)
        return math.prod(self.shapes[0])

    def feed(self, taker: TakesPieces) -> bool:
        is_fed = self.hands_over and isinstance(self._preceding, LeftToPool) and self._preceding.feed(self)
        self.taker = taker if is_fed else None
        return is_fed

    def begin(self, shape: Shape, training: bool) -> Array:
        assert self.taker is not None, "feed comes first"
        # Without, a slope is not above 0, and the pool is given what has been scaled.
        self.relays = not self.affine or bool(np.minimum.reduce(self.scale.value) > 0)
        if self.relays:
            self.unread = self.taker.begin(shape, training)
        self.taken = self.scratch("taken", (2 * shape[-1],)) if training else None
        if self.taken is not None:
            self.taken.fill(0)
        self.whole = whole = self.scratch("whole", shape)
        return whole

    def room(self, rows: slice) -> Array:
        assert self.whole is not None, "begin comes first"
        return self.whole[rows]

    def take(self, rows: slice, x: Array) -> None:
        assert self.taker is not None, "feed comes first"
        if self.taken is not None:
            layout = self.layouts.of(x.shape)
            wide = self.layouts.rows(x, "x_rows", layout)
            np.add(self.taken, self._sums(wide, wide, layout).reshape(-1), out=self.taken)
        if self.relays:
            self.taker.take(rows, x)

    def give(self, rows: slice) -> Array:
        assert self.taker is not None and self.whole is not None, "begin comes first"
        if not self.is_deferred:
            return self.dx[rows]
        dx = self.taker.give(rows)
        layout = self.layouts.of(dx.shape)
        wide = self.layouts.rows(dx, "dx_rows", layout)
        self._add_statistics(wide, self.layouts.rows(self.whole[rows], "x_rows", layout), layout, wide)
        return dx

    def _sums(self, rows: Array, factors: Array, layout: Layout, center: Array | None = None) -> Array:
        """Return the sums (2, F) over rows of each feature, and of its products with (factors - center); keep them.

        Args:
            rows: wide rows.
            factors: wide rows of the same shape.
            layout: of both.
            center: (F,) or None for 0.
        """
        wide = self.scratch("wide", (2, rows.shape[1]))
        piece = wide if len(layout.parts) == 1 else self.scratch("piece", wide.shape)
        middle = None if center is None else tiled(self, center, layout.times, "center")
        for number, part in enumerate(layout.parts):
            x, there = rows[part], layout.there[part]
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
        found = self._counted_sums()[1:].reshape(2, -1)
        folded(wide, found) if layout.times > 1 else np.copyto(found, wide)
        return found

    def _counted_sums(self) -> Array:
        """Return the memory (1 + 2 F,) of the count and the two sums of :meth:`_sums`."""
        return self.scratch("sums", (1 + 2 * self.running_mean.size,))

    def _of_all(self) -> Array:
        """Return the sums (2, F) of all parts of the batch, the latest of :meth:`_sums` being one; note their count."""
        sums = self._counted_sums()
        sums[0] = self.layout.count
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
            centered, middle = self.scratch("centered", rows.shape), tiled(self, mean, self.layout.times, "center")
            for part in self.layout.parts:
                np.subtract(rows[part], middle, out=centered[part])
            self._sums(centered, centered, self.layout)
            np.divide(self._of_all()[1], self.count, out=variance)
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
        is_given = self.is_fed and self.is_deferred
        rows = dy if is_given else self.layouts.rows(dy, "dy_rows", self.layout)
        if not self.is_deferred:
            self._learn(rows, self.x, self.layout)
        if not self.needs_input_gradient:
            return None
        self._weigh_statistics()
        if is_given:
            return dy
        self.dx = dx = self.scratch("dx", dy.shape)
        self._add_statistics(rows, self.x, self.layout, dx.reshape(rows.shape))
        return clear_padding(self, dx, self.lengths)

    def _learn(self, rows: Array, x: Array, layout: Layout) -> None:
        """Give scale and offset their gradients; the sums that they are stay for the input's gradient."""
        # sums of dy, and of dy (x - mean); a mean that is near 0 is taken off the sum instead of each x
        sums = self._sums(rows, x, layout, self.mean if self.is_far else None)
        if not self.is_far:
            np.subtract(sums[1], np.multiply(sums[0], self.mean, out=self.scratch("share", sums[0].shape)), out=sums[1])
        np.multiply(sums[1], self.factor, out=sums[1])
        if self.affine:
            np.copyto(self.offset.gradient_slot(), sums[0])
            self.offset.commit()
            np.copyto(self.scale.gradient_slot(), sums[1])
            self.scale.commit()

    def _weigh_statistics(self) -> None:
        """Find b and c (F,) of dx = slope (dy - mean(dy) - normalized mean(dy normalized)) = dy slope + x b + c."""
        if not self.count:
            return
        sums = self._of_all()
        means = np.divide(sums, -self.count, out=self.scratch("moments_of_dy", sums.shape))
        np.multiply(means, self.slope, out=means)
        self.c, self.b = means
        np.multiply(self.b, self.factor, out=self.b)
        np.subtract(self.c, np.multiply(self.b, self.mean, out=self.scratch("share", self.b.shape)), out=self.c)

    def _add_statistics(self, rows: Array, x: Array, layout: Layout, out: Array) -> None:
        """Write dx for wide rows of dy and x; where a max pool does the scaling, dy slope is what arrives."""
        slope = None if self.is_deferred else tiled(self, self.slope, layout.times, "a")
        if not self.count:
            np.copyto(out, rows) if slope is None else np.multiply(rows, slope, out=out)
            return
        b, c = tiled(self, self.b, layout.times, "b"), tiled(self, self.c, layout.times, "center")
        for part in layout.parts:
            dy, dx = rows[part], out[part]
            other = np.multiply(x[part], b, out=self.scratch("product", dy.shape))
            np.add(other, c, out=other)
            np.add(dy if slope is None else np.multiply(dy, slope, out=dx), other, out=dx)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 8 * math.prod(out_shape)
