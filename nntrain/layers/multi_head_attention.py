"""Attention of a sequence to itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import clear_padding, padding_mask, without_padding
from nntrain.layers.chance import keep_factors
from nntrain.layers.rows import as_rows, parts_of

MASKED = -1e30
"""Added to the score of a key that must not be seen: exp makes it 0, and unlike infinity it leaves no NaN behind."""

CACHED_SCORES = 65536
"""Scores of so many pairs of steps are worked on at a time, so that they stay in the cache; a sequence at least."""


@LAYERS.register("multi_head_attention")
class MultiHeadAttention(Layer):
    """Lets every step look at all steps of its sequence, in several heads: y = [o_1, ..., o_heads] w_o + b_o.

    A head has queries q, keys k and values v of D = F / heads columns each from [q, k, v] = x w + b, with x (B, T, F),
    w (F, 3F) and y (B, T, F); its output is o = softmax(q k' / sqrt(D)) v, with the softmax over the keys (Vaswani et
    al. 2017, section 3.2). Steps in the padding are not seen, and their output is 0.

    Args:
        heads: how many; the number of features must be a multiple of it.
        causal: whether a step sees only itself and the steps before it.
        bias: whether b and b_o are added.
        dropout: share of the softmax's weights set to 0 in training; the others are divided by 1 - dropout.
        kernel_initializer: first values of w and w_o.
        bias_initializer: first values of b and b_o.

    Raises:
        ConfigError: the examples are no sequences whose number of features is a multiple of ``heads``.

    >>> MultiHeadAttention(heads=2).build((5, 8))
    (5, 8)
    """

    keeps_output = True

    def __init__(
        self,
        heads: Annotated[int, Ge(1)],
        causal: bool = False,
        bias: bool = True,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
    ) -> None:
        self.heads = heads
        self.causal = causal
        self.bias = bias
        self.dropout = dropout
        self.kernel_initializer = INITIALIZERS.build(kernel_initializer)
        self.bias_initializer = INITIALIZERS.build(bias_initializer)

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 2 or in_shape[1] < 1:
            raise self.shape_error("sequences of shape (steps, features)", in_shape)
        steps, width = in_shape
        if width % self.heads:
            raise self.shape_error(f"a number of features that is a multiple of its {self.heads} heads", in_shape)
        # Queries, keys and values are three products side by side, each with the fans of its own.
        fans = (width, width)
        self.kernel = self.add_parameter("kernel", (width, 3 * width), self.kernel_initializer, fans=fans)
        self.output_kernel = self.add_parameter("output_kernel", (width, width), self.kernel_initializer)
        if self.bias:
            initial = self.bias_initializer
            self.offset = self.add_parameter("bias", (3 * width,), initial, penalized=False, fans=fans)
            self.output_offset = self.add_parameter("output_bias", (width,), initial, penalized=False, fans=fans)
        heads = f"{self.heads:,} head{'s' * (self.heads > 1)}"
        pairs = f"attention between all pairs of {steps:,} steps in {heads}"
        self.refuse_too_large(f"{pairs} for each row", self.heads * steps * steps)
        self.factor = 1.0 / math.sqrt(width // self.heads)
        self.ones = np.ones((1, steps), self.dtype)
        self.later: Array | None = None
        return in_shape

    def kept_numbers(self, training: bool) -> int:
        if self.shapes is None:
            return 0
        steps, width = self.shapes[0]
        of_pairs = self.heads * steps * steps * (3 if self.dropout else 1) if training else 0
        return of_pairs + 5 * steps * width  # queries, keys, values; what the heads see; the output

    def forward(self, x: Array, ctx: Context) -> Array:
        self.x = as_rows(self, without_padding(self, x, ctx.lengths, "x"), "x")
        self.projected = np.dot(self.x, self.kernel.value, out=self.scratch("projected", (len(self.x), 3 * x.shape[2])))
        if self.bias:
            np.add(self.projected, self.offset.value, self.projected)
        queries = self.projected[:, : x.shape[2]]
        np.multiply(queries, self.number(self.factor), queries)
        self.seen = self._attend(x.shape, ctx)
        y = self.scratch("y", x.shape)
        rows = np.dot(self.seen, self.output_kernel.value, out=y.reshape(self.x.shape))
        if self.bias:
            np.add(rows, self.output_offset.value, rows)
        return clear_padding(self, y, ctx.lengths)

    def _attend(self, shape: Shape, ctx: Context) -> Array:
        """Return the heads' outputs side by side, (B T, F)."""
        batch, steps, width = shape
        q, k, v = self._heads(self.projected, shape)
        seen = self.scratch("seen", (batch * steps, width))
        (out,) = self._heads(seen, shape)
        scores = (batch, self.heads, steps, steps)
        if ctx.training:
            self.weights = self.scratch("weights", scores)
        if self.causal and (self.later is None or len(self.later) < steps):  # not in build: no network is refused late
            # Scores lie as (keys, queries): the softmax then runs down the columns, whole rows of numbers at a time.
            self.later = np.tril(np.full((steps, steps), MASKED, self.dtype), -1)
        hidden = self._hidden_keys(steps, ctx)
        self.kept = keep_factors(self, ctx, scores, self.dropout) if ctx.training and self.dropout else None
        for part in self._parts(shape):
            keys, queries = k[part], q[part].swapaxes(2, 3)
            # Only backward needs the weights of the whole batch.
            weights = self.weights[part] if ctx.training else self.scratch("weights", (len(keys), *scores[1:]))
            np.matmul(keys, queries, out=weights)
            if self.later is not None:
                np.add(weights, self.later[:steps, :steps], weights)
            if hidden is not None:
                np.add(weights, hidden[part], weights)
            self._softmax(weights)
            np.matmul(self._dropped(weights, part).swapaxes(2, 3), v[part], out=out[part])
        return seen

    def _heads(self, rows: Array, shape: Shape) -> list[Array]:
        """Return each F columns of rows (B T, n F) as the heads' matrices (B, heads, T, D), which are views."""
        batch, steps, width = shape
        parts = rows.reshape(batch, steps, rows.shape[1] // width, self.heads, width // self.heads)
        return list(parts.transpose(2, 0, 3, 1, 4))

    def _parts(self, shape: Shape) -> Iterator[slice]:
        """Yield slices of the batch that are worked on one after the other."""
        batch, steps, _ = shape
        return parts_of(batch, max(1, CACHED_SCORES // (self.heads * steps * steps)))

    def _hidden_keys(self, steps: int, ctx: Context) -> Array | None:
        """Return what is added to the scores of keys (B, 1, T, 1): much below 0 in the padding, else 0."""
        if ctx.lengths is None:
            return None
        padding = padding_mask(self, ctx.lengths, steps)
        hidden = self.scratch("hidden", (len(padding), 1, steps, 1))
        np.multiply(padding[:, None, :, None], self.dtype.type(MASKED), out=hidden)
        return hidden

    def _softmax(self, scores: Array) -> None:
        """Replace scores (..., T keys, T queries) by their softmax over the keys."""
        steps = scores.shape[2]
        spare = self.scratch("spare", (*scores.shape[:2], steps - steps // 2, steps))
        np.subtract(scores, _largest(scores, spare), scores)
        np.exp(scores, scores)
        total = np.matmul(self.ones[:, :steps], scores, out=self.scratch("total", (*scores.shape[:2], 1, steps)))
        np.divide(self.number(1.0), total, total)
        np.multiply(scores, total, scores)

    def _dropped(self, weights: Array, part: slice) -> Array:
        if self.kept is None:
            return weights
        return np.multiply(weights, self.kept[part], out=self.scratch("dropped", self.weights.shape)[part])

    def backward(self, dy: Array) -> Array | None:
        rows = as_rows(self, dy, "dy")
        np.dot(self.seen.T, rows, out=self.output_kernel.gradient_slot())
        self.output_kernel.commit()
        dseen = np.dot(rows, self.output_kernel.value.T, out=self.scratch("dseen", rows.shape))
        gradient = self._attend_backward(dseen, dy.shape)
        np.dot(self.x.T, gradient, out=self.kernel.gradient_slot())
        self.kernel.commit()
        if self.bias:
            for parameter, terms in ((self.output_offset, rows), (self.offset, gradient)):
                np.dot(self._ones(len(terms)), terms, out=parameter.gradient_slot())
                parameter.commit()
        if not self.needs_input_gradient:
            return None
        dx = self.scratch("dx", dy.shape)
        np.dot(gradient, self.kernel.value.T, out=dx.reshape(rows.shape))
        return dx

    def _attend_backward(self, dseen: Array, shape: Shape) -> Array:
        """Return the gradient of queries, keys and values (B T, 3F)."""
        gradient = self.scratch("gradient", self.projected.shape)
        (q, k, v), (dq, dk, dv) = self._heads(self.projected, shape), self._heads(gradient, shape)
        (out,), (dout,) = self._heads(self.seen, shape), self._heads(dseen, shape)
        # ds = p (dp - sum over keys of dp p), and that sum is dout . out, with dropout too
        dot = np.vecdot(dout, out, out=self.scratch("dot", dout.shape[:3]))[:, :, None]
        for part in self._parts(shape):
            weights = self.weights[part]
            dropped = weights if self.kept is None else self.scratch("dropped", self.weights.shape)[part]
            np.matmul(dropped, dout[part], out=dv[part])
            dscores = np.matmul(v[part], dout[part].swapaxes(2, 3), out=self.scratch("dscores", weights.shape))
            if self.kept is None:
                np.subtract(dscores, dot[part], dscores)
                np.multiply(dscores, weights, dscores)
            else:
                np.multiply(dscores, dropped, dscores)
                np.subtract(dscores, np.multiply(weights, dot[part], weights), dscores)
            np.matmul(dscores, q[part], out=dk[part])
            np.matmul(dscores.swapaxes(2, 3), k[part], out=dq[part])
        dqueries = gradient[:, : shape[2]]
        np.multiply(dqueries, self.number(self.factor), dqueries)
        return gradient

    def _ones(self, count: int) -> Array:
        # A product with ones sums the rows faster than np.add.reduce.
        if self.ones.shape[1] < count:
            self.ones = np.ones((1, count), self.dtype)
        return self.ones[0, :count]

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        steps, width = in_shape
        return 8 * steps * width * width + 4 * steps * steps * width + 5 * self.heads * steps * steps


def _largest(scores: Array, spare: Array) -> Array:
    """Return the largest number of each column of scores (B, heads, T, T), as (B, heads, 1, T), within ``spare``.

    Halves are compared until one row is left, each in one sweep over memory; np.max takes twice the time.
    """
    count = scores.shape[2]
    half, rest = count // 2, count - count // 2
    np.maximum(scores[:, :, :half], scores[:, :, rest:], out=spare[:, :, :half])
    if half < rest:
        np.copyto(spare[:, :, half:rest], scores[:, :, half:rest])
    count = rest
    while count > 1:
        half, rest = count // 2, count - count // 2
        np.maximum(spare[:, :, :half], spare[:, :, rest:count], out=spare[:, :, :half])
        count = rest
    return spare[:, :, :1]
