"""Sums of the gradients' rows that belong to one code: the backward pass of every table of learned vectors.

Next to nothing is allocated, and the sums have a fixed order. Where codes are few, each sum runs from row to row. Where
they are many, all codes are summed at once: rows of a code in pairs, then the pairs in pairs, and so on, which takes as
many rounds as the most frequent code's count has binary digits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nntrain.core.array import Array
from nntrain.core.scratch import ScratchOwner

FEW_CODES = 256
"""So many codes at most are summed one after the other."""


class SortedCodes(NamedTuple):
    """The codes of a batch in order, (columns, N) each.

    Attributes:
        codes: sorted along each column.
        order: which row of the batch each of them stood in; rows of one code keep their order.
    """

    codes: Array
    order: Array


def sort_codes(owner: ScratchOwner, codes: Array) -> SortedCodes:
    """Return codes (columns, N) in order, in the owner's scratch memory.

    >>> found = sort_codes(ScratchOwner(), np.array([[3, 0, 3, 1]]))
    >>> found.codes.tolist(), found.order.tolist()
    ([[0, 1, 3, 3]], [[1, 3, 0, 2]])
    """
    rows = codes.shape[1]
    # Keys code * N + row sort in place, whereas an argsort allocates.
    ordered = np.multiply(codes, rows, out=owner.scratch("code_keys", codes.shape, np.intp))
    np.add(ordered, _numbers(owner, rows), out=ordered)
    ordered.sort(axis=1)
    rows = max(1, rows)
    order = np.remainder(ordered, rows, out=owner.scratch("code_order", codes.shape, np.intp))
    return SortedCodes(np.floor_divide(ordered, rows, out=ordered), order)


def sums_by_code(owner: ScratchOwner, dy: Array, found: SortedCodes, column: int = 0) -> tuple[Array, Array]:
    """Return the distinct codes (n,) in order, and the sum of the rows of dy (N, D) with each, (n, D).

    >>> owner = ScratchOwner()
    >>> codes, sums = sums_by_code(owner, np.float32([[1], [2], [4]]), sort_codes(owner, np.array([[2, 0, 2]])))
    >>> codes.tolist(), sums.tolist()
    ([0, 2], [[2.0], [5.0]])
    """
    codes, order = found.codes[column], found.order[column]
    if not len(dy):
        return codes, owner.scratch(f"sums_{column}", dy.shape, dy.dtype)
    same = _same_as_before(owner, codes)
    distinct = len(dy) - int(np.count_nonzero(same))
    if not dy.flags.c_contiguous:
        dy = _copied(owner, dy, f"rows_{column}")
    if distinct <= FEW_CODES and distinct * dy.shape[1] <= 4 * len(dy):
        starts = np.flatnonzero(np.logical_not(same, out=same))
        sums = owner.scratch(f"sums_{column}", (distinct, dy.shape[1]), dy.dtype)
        np.add.reduceat(_take(owner, dy, order, f"total_{column}"), starts, axis=0, out=sums)
    else:
        starts, sums = _add_pairs(owner, dy, order, same, column)
    return _take(owner, codes, starts, "distinct"), sums


def _copied(owner: ScratchOwner, values: Array, key: str) -> Array:
    copy = owner.scratch(key, values.shape, values.dtype)
    copy[...] = values
    return copy


def _same_as_before(owner: ScratchOwner, codes: Array) -> Array:
    same = owner.scratch("same_code", codes.shape, np.bool_)
    same[0] = False
    np.equal(codes[1:], codes[:-1], out=same[1:])
    return same


def _add_pairs(owner: ScratchOwner, dy: Array, order: Array, same: Array, column: int) -> tuple[Array, Array]:
    """Return where the codes begin and the sums of their rows, added up for all at once, in pairs."""
    places, ends = _rounds(owner, same)
    rows = dy if len(ends) == 1 else _copied(owner, dy, f"rows_{column}")  # where one is there, no code stands twice
    items = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).reshape(-1)
    for i in range(1, len(ends)):
        later, distance = places[ends[i - 1] : ends[i]], 1 << (i - 1)
        added = _take(owner, order, later, "added")
        target = _take(owner, order, np.subtract(later, distance, out=later), "target")
        total = _take(owner, rows, target, f"total_{column}")
        np.add(total, _take(owner, rows, added, f"terms_{column}"), out=total)
        items.put(target, total.view(items.dtype))  # whole rows, without the memory that indexing would take
    first = places[: ends[0]]
    return first, _take(owner, rows, _take(owner, order, first, "target"), f"sums_{column}")


def _rounds(owner: ScratchOwner, same: Array) -> tuple[Array, list[int]]:
    """Return the places of sorted codes, round after round, and where each round ends among them.

    First come the places where a code begins; round i then holds those that are added to the place 2^(i-1) before them:
    where the lowest bit of the number of earlier rows with that code is 2^(i-1).
    """
    rows = len(same)
    numbers = _numbers(owner, rows)
    earlier, spare = (owner.scratch(key, (rows,), np.intp) for key in ("earlier", "negative"))
    np.copyto(earlier, numbers)
    np.copyto(earlier, 0, where=same)
    np.maximum.accumulate(earlier, out=earlier)
    np.subtract(numbers, earlier, out=earlier)
    most = int(np.maximum.reduce(earlier))
    keys = np.bitwise_and(earlier, np.negative(earlier, out=spare), out=earlier)
    np.multiply(keys, rows, out=keys)
    np.add(keys, numbers, out=keys)
    keys.sort()
    ends = [rows << i for i in range(most.bit_length() + 1)]
    found = np.searchsorted(keys, ends).tolist()
    return np.remainder(keys, rows, out=keys), found


def _take(owner: ScratchOwner, values: Array, places: Array, key: str) -> Array:
    out = owner.scratch(key, (len(places), *values.shape[1:]), values.dtype)
    # mode "clip" lets take write into out without a buffer; the places are all there
    return np.take(values, places, axis=0, out=out, mode="clip")


def _numbers(owner: ScratchOwner, count: int) -> Array:
    found: Array | None = owner.__dict__.get("_row_numbers")
    if found is None or len(found) < count:
        found = owner.__dict__["_row_numbers"] = np.arange(count)
    return found[:count]
