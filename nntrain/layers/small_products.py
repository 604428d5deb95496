"""Products of a tall matrix with a small one, as stacks of small products.

Up to a million multiply-adds OpenBLAS multiplies without copying its operands into blocks of its own first. With few
columns that copying takes a third to a half of the time, so a tall matrix is cut into products below this size: at 144
by 32 numbers 225 GFLOP/s in place of 181, and 225 in place of 149 for the product of two tall matrices; at 9 by 16
numbers 139 in place of 77 (one core, AVX-512). ``np.matmul`` runs through a stack without a step in Python.
"""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array
from nntrain.core.scratch import ScratchOwner

SMALL = 1_000_000
"""Multiply-adds of a product up to which it is small."""

FEWEST_ROWS = 8
"""With fewer rows than these a small product is slower than a part of a large one."""

FEWEST_TERMS = 64
"""Sums over fewer rows than these are not worth being added up one by one; over half as many again they are."""

WIDEST = 64
"""A product of two tall matrices with more columns is cut along its rows only."""


def times_small(tall: Array, small: Array, out: Array) -> None:
    """Write tall (S, N, K) times small (K, F) into out (S, N, F), whose last axis alone need be contiguous.

    Each of the S matrices is contiguous, or the transpose of such a one.

    >>> out = np.empty((1, 2, 1))
    >>> times_small(np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[1.0], [1.0]]), out)
    >>> out.ravel().tolist()
    [3.0, 7.0]
    """
    stacks, rows, inner = tall.shape
    width = small.shape[1]
    most = SMALL // max(1, inner * width)
    if not tall.flags.c_contiguous:
        parts = fewest_parts(rows, most, FEWEST_ROWS)
        across = tall.transpose(0, 2, 1).reshape(stacks, inner, parts, rows // parts)
        np.matmul(across.transpose(0, 2, 3, 1), small, out=out.reshape(stacks, parts, rows // parts, width))
        return
    tall, out = tall.reshape(-1, inner), out.reshape(-1, width)
    size = _even(most)
    if size < FEWEST_ROWS or size >= len(tall):
        _one_product(tall, small, out)
        return
    whole = len(tall) // size * size
    np.matmul(tall[:whole].reshape(-1, size, inner), small, out=out[:whole].reshape(-1, size, width))
    if whole < len(tall):
        _one_product(tall[whole:], small, out[whole:])


def _one_product(a: Array, b: Array, out: Array) -> None:
    # Where matrices are small, dot takes half the time of np.matmul.
    if out.flags.c_contiguous:
        a.dot(b, out)
    else:
        np.matmul(a, b, out=out)


def sum_of_products(owner: ScratchOwner, tall: Array, other: Array, out: Array) -> None:
    """Write the sum of tall (S, N, K) transposed times other (S, N, F) over S into out (K, F).

    Each of the matrices ``tall`` is contiguous or the transpose of such a one; ``other`` is contiguous.

    >>> out = np.empty((1, 1))
    >>> sum_of_products(ScratchOwner(), np.ones((2, 3, 1)), np.ones((2, 3, 1)), out)
    >>> out.item()
    6.0
    """
    stacks, rows, inner = tall.shape
    width = other.shape[2]
    if not tall.flags.c_contiguous:
        parts = fewest_parts(rows, SMALL // max(1, inner * width), FEWEST_ROWS)
        across = tall.transpose(0, 2, 1).reshape(stacks, inner, parts, rows // parts).transpose(0, 2, 1, 3)
        sums = owner.scratch("sums", (stacks * parts, inner, width), out.dtype)
        along = other.reshape(stacks, parts, rows // parts, width)
        np.matmul(across, along, out=sums.reshape(stacks, parts, inner, width))
        _add_up(sums, out)
        return
    tall, other = tall.reshape(-1, inner), other.reshape(-1, width)
    slices = _slices(inner, width)
    size = _even(SMALL // max(1, inner // slices * width))
    count = len(tall) // size if size >= FEWEST_TERMS else 0
    if count == 0:
        tall.T.dot(other, out)
        return
    whole = count * size
    sums = owner.scratch("sums", (count + (whole < len(tall)), inner, width), out.dtype)
    slots = sums.reshape(len(sums), slices, inner // slices, width)
    across = tall[:whole].reshape(count, size, slices, -1).transpose(0, 2, 3, 1)
    np.matmul(across, other[:whole].reshape(count, 1, size, width), out=slots[:count])
    if whole < len(tall):
        np.dot(tall[whole:].T, other[whole:], out=sums[count])
    _add_up(sums, out)


def _add_up(sums: Array, out: Array) -> None:
    if len(sums) == 1:
        np.copyto(out, sums[0])
    else:
        np.add.reduce(sums, axis=0, out=out)


def _even(rows: int) -> int:
    """Return rows rounded down to what the processor multiplies at a time, where there are several times as many."""
    return rows - rows % 16 if rows >= 64 else rows - rows % 8 if rows >= 16 else rows


def fewest_parts(rows: int, most: int, least: int = 1) -> int:
    """Return the smallest divisor of rows that leaves at most so many in a part; 1 where none leaves ``least``.

    >>> fewest_parts(12, 5), fewest_parts(13, 5, 2)
    (3, 1)
    """
    if rows <= most:
        return 1
    return next((n for n in range(2, rows // least + 1) if rows % n == 0 and rows // n <= most), 1)


def _slices(inner: int, width: int) -> int:
    """Return into how many slices to cut the rows of a product of two tall matrices, so that each is a sum of many."""
    if width > WIDEST or SMALL // max(1, inner * width) >= FEWEST_TERMS * 3 // 2:
        return 1
    return next((n for n in range(2, 17) if inner % n == 0 and SMALL * n >= FEWEST_TERMS * 3 // 2 * inner * width), 1)
