"""The product that each step of a recurrent layer takes, in parts small enough to be multiplied where they lie.

OpenBLAS copies both matrices into an order of its own before it multiplies them, but for products of at most a million
multiplications on processors with AVX-512. A recurrent layer multiplies the same weights in every step, and not often
more than that at a time: cut into rows, 512 x 157 by 157 x 64 takes 44 us in place of 52, and 128 x 512 by 512 x 64 36
in place of 46. With the kernels for older processors (Haswell) the same cut products take 5 and 20 % longer.

Weights that are laid out anew for a batch are best laid in **panels**: those of a part together, one input after the
other, in the order in which they are multiplied. Side by side, as the weights themselves lie, each input's are on
another page of memory: 1024 x 273 by 273 x 16 takes 93 us so, in panels 62 (two processes at a time, 8 parts).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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


def parts_of_product(shape: Shape, columns: int, blocks: int = 1) -> int:
    """Return in how many parts of equal rows a matrix of ``shape`` (rows, inner) is multiplied by (inner, columns).

    Where the rows are those of several blocks, no part has rows of two.

    >>> parts_of_product((256, 73), 32), parts_of_product((512, 157), 64), parts_of_product((521, 157), 64)
    (1, 8, 1)
    >>> parts_of_product((300, 157), 64, blocks=2)
    4
    """
    rows, inner = shape
    most = SMALL // max(1, inner * columns)
    if rows <= most:
        return 1
    parts = blocks * fewest_parts(rows // blocks, most)
    return parts if rows // parts <= most and _is_worth_it(rows // parts, inner, columns) else 1


def in_parts(matrix: Array, parts: int) -> Array:
    """Return (rows, columns) as it is for one part, else as (parts, rows of a part, columns)."""
    return matrix if parts == 1 else matrix.reshape(parts, len(matrix) // parts, matrix.shape[1])


def copy_in_blocks(matrix: Array, out: Array, columns: int = 128) -> None:
    """Write a transposed matrix into ``out``, of its shape, so many columns at a time.

    Reads far apart push each other out of the cache, and the more so where their distance is a power of 2.
    """
    for start in range(0, out.shape[1], columns):
        np.copyto(out[:, start : start + columns], matrix[:, start : start + columns])


def panels(memory: Array, parts: int, blocks: int) -> tuple[Array, Array]:
    """Return views of memory (inner, rows) in panels: to be multiplied, and (inner, blocks, n, rows / n / blocks).

    The first is a matrix (rows, inner) in parts; what is written into the second is in it.

    >>> matrix, written = panels(np.zeros((2, 8)), 4, 2)
    >>> written[1, 1] = [[1, 2], [3, 4]]
    >>> matrix.shape, matrix.reshape(8, 2)[:, 1].tolist()
    ((4, 2, 2), [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    """
    inner, rows = memory.shape
    if parts == 1:
        return memory.T, memory.reshape(inner, blocks, 1, rows // blocks)
    parted = memory.reshape(parts, inner, rows // parts)
    return parted.transpose(0, 2, 1), parted.transpose(1, 0, 2).reshape(inner, blocks, parts // blocks, rows // parts)


def product_with(matrix: Array) -> Callable[[Array, Array], Array]:
    """Return what multiplies a matrix, in parts or not, by another one into memory that is in the same parts."""
    return matrix.dot if matrix.ndim == 2 else partial(np.matmul, matrix)
