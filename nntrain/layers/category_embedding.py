"""Learned vectors for the categories of table columns."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge, MinLen

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import without_padding
from nntrain.errors import ConfigError, DataError
from nntrain.layers.code_sums import sort_codes, sums_by_code
from nntrain.layers.rows import as_rows


def default_dimension(categories: int) -> int:
    """Return min(50, categories // 2 + 1), the rule of thumb of Howard and Gugger (fastai, 2018).

    >>> default_dimension(3), default_dimension(1000)
    (2, 50)
    """
    return min(50, categories // 2 + 1)


@LAYERS.register("category_embedding")
class CategoryEmbedding(Layer):
    """Replaces columns of category codes by learned vectors: y = [other columns, table_1[code_1], ...].

    The input (B, F) holds codes 0, 1, ... as numbers in the columns named; the output (B, F - columns + dimensions)
    holds the other columns in their order, then one vector a column (Guo and Berkhahn 2016). Code 0 is the bucket of
    categories that are unknown or missing, and counts in ``categories``. Leading axes of an example are kept: the steps
    of a sequence (B, T, F) are replaced one by one, all with the same tables.

    Args:
        columns: indexes of the code columns in the input, from 0.
        categories: how many codes each of them has.
        dimensions: length of the vectors, one number for all columns or one for each; where left out,
            min(50, categories // 2 + 1).
        initializer: first values of the tables.

    Raises:
        ConfigError: the arguments do not fit each other or the input.
        DataError: a code is no whole number from 0 to categories - 1.

    >>> CategoryEmbedding(columns=[1], categories=[5], dimensions=4).build((3,))
    (6,)
    """

    keeps_output = True
    sized_by = "dimensions"

    def __init__(
        self,
        columns: Annotated[list[Annotated[int, Ge(0)]], MinLen(1)],
        categories: list[Annotated[int, Ge(1)]],
        dimensions: Annotated[int, Ge(1)] | list[Annotated[int, Ge(1)]] | None = None,
        initializer: InitializerLike = "normal",
    ) -> None:
        self.columns = columns
        self.categories = categories
        self.dimensions = dimensions
        self.initializer = INITIALIZERS.build(initializer)

    def build(self, in_shape: Shape) -> Shape:
        if not in_shape:
            raise self.shape_error("examples of shape (..., features)", in_shape)
        if len(set(self.columns)) < len(self.columns) or not all(0 <= c < in_shape[-1] for c in self.columns):
            raise self.shape_error(f"columns that are distinct and in the input, and has {self.columns}", in_shape)
        widths = self._widths()
        self.others = np.array([c for c in range(in_shape[-1]) if c not in self.columns], np.intp)
        self._limits = np.array(self.categories, np.float64)
        self.tables = [
            self.add_parameter(f"table_{i + 1}", (count, width), self.initializer, rowwise=True)
            for i, (count, width) in enumerate(zip(self.categories, widths, strict=True))
        ]
        ends = (len(self.others) + np.cumsum(widths)).tolist()
        self._parts = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        return (*in_shape[:-1], ends[-1])

    def _widths(self) -> list[int]:
        if self.dimensions is None:
            widths = [default_dimension(count) for count in self.categories]
        else:
            one = isinstance(self.dimensions, int)
            widths = [self.dimensions] * len(self.columns) if one else list(self.dimensions)  # type: ignore
        for key, values in (("categories", self.categories), ("dimensions", widths)):
            if len(values) != len(self.columns):
                raise ConfigError(f"category_embedding: {key}: expected {len(self.columns)} numbers, got {len(values)}")
        return widths

    def forward(self, x: Array, ctx: Context) -> Array:
        # Numbers in the padding of a sequence need not be codes.
        rows = as_rows(self, without_padding(self, x, ctx.lengths, "x"), "x")
        self._codes = self._read_codes(rows, x.shape)
        y = self.scratch("y", (*x.shape[:-1], self._parts[-1].stop))
        out = y.reshape(len(rows), y.shape[-1])
        for i, column in enumerate(self.others):
            out[:, i] = rows[:, column]
        for i, (table, part) in enumerate(zip(self.tables, self._parts, strict=True)):
            vectors = self.scratch(f"vectors_{i}", (len(rows), table.shape[1]))
            # mode "clip" lets take write into out without a buffer; the codes are checked already
            out[:, part] = np.take(table.value, self._codes[i], axis=0, out=vectors, mode="clip")
        return y

    def _read_codes(self, rows: Array, batch_shape: Shape) -> Array:
        """Return the codes (columns, N) of rows (N, F) as integers.

        Raises:
            DataError: one is no whole number in its column's range.
        """
        shape = (len(self.columns), len(rows))
        given, codes = self.scratch("given", shape, np.float64), self.scratch("codes", shape, np.intp)
        for i, column in enumerate(self.columns):
            given[i] = rows[:, column]
        with np.errstate(invalid="ignore"):
            np.copyto(codes, given, casting="unsafe")
        valid = np.equal(codes, given, out=self.scratch("valid", shape, np.bool_))
        in_range = np.less(given, self._limits[:, None], out=self.scratch("in_range", shape, np.bool_))
        np.logical_and(valid, in_range, out=valid)
        np.logical_and(valid, np.greater_equal(given, 0, out=in_range), out=valid)
        if not valid.all():
            raise self._invalid_code(given, valid, batch_shape)
        return codes

    def _invalid_code(self, given: Array, valid: Array, batch_shape: Shape) -> DataError:
        i, place = np.argwhere(~valid)[0]
        row, *steps = (int(number) for number in np.unravel_index(place, batch_shape[:-1]))
        step = f", step {', '.join(map(str, steps))}," if steps else ""
        return DataError(
            f"{self.name or 'category_embedding'}: input column {self.columns[i]}: expected a code from 0 to "
            f"{self.categories[i] - 1}, got {given[i, place]:g} in row {row}{step} of the batch"
        )

    def backward(self, dy: Array) -> Array | None:
        rows = as_rows(self, dy, "dy")
        found = sort_codes(self, self._codes)
        for i, (table, part) in enumerate(zip(self.tables, self._parts, strict=True)):
            table.add_rows(*sums_by_code(self, rows[:, part], found, i))
        if not self.needs_input_gradient:
            return None
        dx = self.scratch("dx", (*dy.shape[:-1], len(self.others) + len(self.columns)))
        dx.fill(0)
        for i, column in enumerate(self.others):
            dx[..., column] = dy[..., i]
        return dx

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return math.prod(out_shape)
