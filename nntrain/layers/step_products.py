"""The product that each step of a recurrent layer takes, in parts small enough to be multiplied where they lie.

OpenBLAS copies both matrices into an order of its own before it multiplies them, but for products of at most a million
multiplications on processors with AVX-512. A recurrent layer multiplies the same weights in every step, and not often
more than that at a time: cut into rows, 512 x 157 by 157 x 64 takes 44 us in place of 52, and 128 x 512 by 512 x 64 36
in place of 46. With the kernels for older processors (Haswell) the same cut products take 5 and 20 % longer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.layers.small_products import SMALL, fewest_parts

CACHED = 65536
"""Numbers of the second matrix up to which it stays in the cache while many thin parts pass by it."""


def _is_worth_it(rows: int, inner: int, columns: int) -> bool:
    """Return whether parts of so many rows are taken: a rule drawn from one table of 64 to 512 units, 4 to 256 rows.

    Of thinner parts the second matrix is read too often for the little that is done with it. Most of those taken were
    5 to 25 % faster than one product; the worst, 256 units and 128 rows forward, a tenth slower.
    """
    return (rows >= 32 or rows * columns >= 512) and (rows >= 16 or (rows >= 8 and inner * columns <= CACHED))


def parts_of_product(shape: Shape, columns: int) -> int:
    """Return in how many parts of equal rows a matrix of ``shape`` (rows, inner) is multiplied by (inner, columns).

    >>> parts_of_product((256, 73), 32), parts_of_product((512, 157), 64), parts_of_product((521, 157), 64)
    (1, 8, 1)
    """
    rows, inner = shape
    parts = fewest_parts(rows, SMALL // max(1, inner * columns))
    return parts if _is_worth_it(rows // parts, inner, columns) else 1


def in_parts(matrix: Array, parts: int) -> Array:
    """Return (rows, columns) as it is for one part, else as (parts, rows of a part, columns)."""
    return matrix if parts == 1 else matrix.reshape(parts, len(matrix) // parts, matrix.shape[1])


def copy_in_blocks(matrix: Array, out: Array, columns: int = 128) -> None:
    """Write a transposed matrix into ``out``, of its shape, so many columns at a time.

    Reads far apart push each other out of the cache, and the more so where their distance is a power of 2.
    """
    for start in range(0, out.shape[1], columns):
        np.copyto(out[:, start : start + columns], matrix[:, start : start + columns])


class RowProduct:
    """A matrix (rows, inner), to be multiplied by matrices (inner, columns) of one shape again and again.

    Attributes:
        matrix: in parts.
        into: called with the matrix, the other one and, in the same parts, where the product goes.
    """

    def __init__(self, matrix: Array, columns: int) -> None:
        self.matrix = in_parts(matrix, parts_of_product(matrix.shape, columns))
        self.into: Callable[[Array, Array, Array], Array] = np.dot if self.matrix.ndim == 2 else np.matmul
