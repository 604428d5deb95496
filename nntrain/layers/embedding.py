"""Learned vectors for the codes of a sequence."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import clear_padding
from nntrain.layers.code_sums import sort_codes, sums_by_code
from nntrain.layers.rows import as_rows, reshaped


@LAYERS.register("embedding")
class Embedding(Layer):
    """Replaces each code of a sequence by its learned vector: y_t = table[x_t].

    The input (B, T) or (B, T, 1) holds codes 0, 1, ... as whole numbers; the output is (B, T, dimensions). Code 0 is
    the bucket of what is unknown: a code outside 0 ... vocabulary - 1, or one that is no number, counts as 0. A code
    has no derivative, so the gradient of the input is 0 (Bengio et al. 2003, section 2).

    Args:
        vocabulary: how many codes there are, code 0 among them.
        dimensions: length of a vector.
        initializer: first values of the table.

    Raises:
        ConfigError: the examples are no sequences of codes.

    >>> layer = Embedding(vocabulary=100, dimensions=8)
    >>> layer.build((12,)), Embedding(100, 8).build((12, 1))
    ((12, 8), (12, 8))
    """

    keeps_output = True

    def __init__(
        self,
        vocabulary: Annotated[int, Ge(1)],
        dimensions: Annotated[int, Ge(1)],
        initializer: InitializerLike = "normal",
    ) -> None:
        self.vocabulary = vocabulary
        self.dimensions = dimensions
        self.initializer = INITIALIZERS.build(initializer)
        self.sized_by = "dimensions" if dimensions >= vocabulary else "vocabulary"

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) not in (1, 2) or in_shape[1:] not in ((), (1,)):
            raise self.shape_error("sequences of codes of shape (steps,) or (steps, 1)", in_shape)
        self.table = self.add_parameter("table", (self.vocabulary, self.dimensions), self.initializer, rowwise=True)
        return (in_shape[0], self.dimensions)

    def forward(self, x: Array, ctx: Context) -> Array:
        self.in_shape = x.shape
        self.codes = self._read_codes(x, ctx)
        y = self.scratch("y", (*x.shape[:2], self.dimensions))
        # mode "clip" lets take write into out without a buffer
        return np.take(self.table.value, self.codes, axis=0, out=y, mode="clip")

    def _read_codes(self, x: Array, ctx: Context) -> Array:
        """Return the codes (B, T) as integers that are all rows of the table."""
        codes = self.scratch("codes", x.shape[:2], np.intp)
        with np.errstate(invalid="ignore"):
            np.copyto(codes, reshaped(self, x, codes.shape, "x"), casting="unsafe")
        unknown = self.scratch("unknown", codes.shape, np.bool_)
        # Seen without a sign, negative numbers are large ones.
        np.greater_equal(codes.view(np.uintp), self.vocabulary, out=unknown)
        np.copyto(codes, 0, where=unknown)
        return clear_padding(self, codes, ctx.lengths)

    def backward(self, dy: Array) -> Array | None:
        codes = sort_codes(self, self.codes.reshape(1, self.codes.size))
        self.table.add_rows(*sums_by_code(self, as_rows(self, dy, "dy"), codes))
        if not self.needs_input_gradient:
            return None
        dx = self.scratch("dx", self.in_shape)
        dx.fill(0)
        return dx
