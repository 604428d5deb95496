"""Rows told apart by what they hold, wherever they stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import stream

_PIECE_VALUES = 1 << 20
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio, odd."""


def row_keys(arrays: Sequence[Array]) -> Array:
    """Return a 64-bit key (N,) of the rows of arrays (N, ...) side by side: equal rows, equal keys.

    The key is the sum of c_j h(u_j) mod 2^64 over the row's numbers as 32-bit words u_j, with fixed random odd c_j.
    Words of round numbers end in many zero bits, and h(u) = m xor m / 2^32, m = g u mod 2^64, spreads them. Of a
    million different rows two share a key with a probability below one in a thousand.

    >>> keys = row_keys([np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])])
    >>> bool(keys[0] == keys[2]), bool(keys[0] == keys[1])
    (True, False)
    """
    flat = [array.reshape(len(array), -1) for array in arrays]
    width = sum(array.shape[1] for array in flat)
    factors = stream(0, "row keys").integers(0, 2**63, width, dtype=np.uint64) * 2 + 1
    keys = np.empty(len(flat[0]), np.uint64)
    step = max(1, _PIECE_VALUES // max(1, width))
    for start in range(0, len(keys), step):
        words = np.concatenate([array[start : start + step] for array in flat], axis=1, dtype=np.float32)
        words += 0.0  # -0.0 becomes 0.0
        mixed = words.view(np.uint32).astype(np.uint64) * _GOLDEN
        keys[start : start + step] = (mixed ^ (mixed >> np.uint64(32))) @ factors
    return keys


def content_order(arrays: Sequence[Array]) -> tuple[Array, Array]:
    """Return an order (N,) of the rows of arrays (N, ...) that their content alone decides, and who is first of equals.

    The second (N,) tells for each place in the order the first place that holds an equal row.

    >>> order, first = content_order([np.array([[3.0], [5.0], [3.0]])])
    >>> np.array([3, 5, 3])[order[first]].tolist() == np.array([3, 5, 3])[order].tolist(), len(set(first.tolist()))
    (True, 2)
    """
    keys = row_keys(arrays)
    order = np.argsort(keys, kind="stable")
    is_new = np.ones(len(order), bool)
    alike = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
    same = np.ones(len(alike), bool)
    for array in arrays:  # the keys only say where to look
        pairs = array[order[alike]] == array[order[alike - 1]]
        same &= pairs.all(axis=tuple(range(1, pairs.ndim)))
    is_new[alike[same]] = False
    return order, np.maximum.accumulate(np.where(is_new, np.arange(len(order)), 0))
