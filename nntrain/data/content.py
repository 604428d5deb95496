"""Rows told apart by what they hold, wherever they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.data.chunks import chunks, row_numbers

_PIECE_VALUES = 1 << 17
"""Values that are mixed at a time: what is made of them stays in the processor's cache."""
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
    keys, used = np.zeros(len(arrays[0]), np.uint64), 0
    factors = stream(0, "row keys").integers(0, 2**63, sum(_width(array) for array in arrays), dtype=np.uint64) * 2 + 1
    for array in arrays:
        width = _width(array)
        flat, own, used = array.reshape(len(array), width), factors[used : used + width], used + width
        for rows in chunks(len(flat), _rows_at_a_time(width)):
            words = flat[rows].astype(np.float32)
            words += 0.0  # -0.0 becomes 0.0
            mixed = words.view(np.uint32).astype(np.uint64)
            mixed *= _GOLDEN
            mixed ^= mixed >> np.uint64(32)
            keys[rows] += mixed @ own
    return keys


def _width(array: Array) -> int:
    """Return how many numbers a row holds."""
    return math.prod(array.shape[1:])


def _rows_at_a_time(width: int) -> int:
    return max(1, _PIECE_VALUES // max(1, width))


def content_order(arrays: Sequence[Array]) -> tuple[Array, Array]:
    """Return an order (N,) of the rows of arrays (N, ...) that their content alone decides, and who is first of equals.

    The second (N,) tells for each place in the order the first place that holds an equal row.

    >>> order, first = content_order([np.array([[3.0], [5.0], [3.0]])])
    >>> np.array([3, 5, 3])[order[first]].tolist() == np.array([3, 5, 3])[order].tolist(), len(set(first.tolist()))
    (True, 2)
    """
    keys = row_keys(arrays)
    places = row_numbers(len(keys))
    order = np.argsort(keys).astype(places.dtype)  # equal rows may come in any order: nobody can tell
    ordered = keys[order]
    alike = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    for some in chunks(len(alike), _rows_at_a_time(sum(_width(array) for array in arrays))):
        later = alike[some]
        same = np.ones(len(later), bool)
        for array in arrays:  # the keys only say where to look
            pairs = array[order[later]] == array[order[later - 1]]
            same &= pairs.all(axis=tuple(range(1, pairs.ndim)))
        places[later[same]] = 0
    return order, np.maximum.accumulate(places, out=places)


def repeated(ordered: Array) -> int:
    """Return how many of ascending keys (N,) equal the one before them."""
    return int(np.count_nonzero(ordered[1:] == ordered[:-1]))


def shared(keys: Array, ordered: Array) -> int:
    """Return how many of some keys (M,) are among ascending keys (N,)."""
    if not len(ordered):
        return 0
    found = 0
    for rows in chunks(len(keys)):
        wanted = np.sort(keys[rows])  # neighbours are then searched for in the same place of the memory
        place = np.searchsorted(ordered, wanted)
        found += int(np.count_nonzero(ordered[np.minimum(place, len(ordered) - 1)] == wanted))
    return found
