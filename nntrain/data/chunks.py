"""Rows in stretches of a fixed length, so that what is made on the way does not grow with the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from nntrain.core.array import Array

CHUNK_ROWS = 1 << 16
"""Rows of a stretch. Sums are taken stretch by stretch, so another number would change their last bits."""

Chosen: TypeAlias = "slice | Array"
"""Some rows of a table: a stretch, or row numbers."""


def chunks(rows: int, size: int = CHUNK_ROWS) -> Iterator[slice]:
    """Yield all of so many rows as stretches of ``size`` rows; the last one may be shorter.

    >>> [(stretch.start, stretch.stop) for stretch in chunks(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def filled(out: Array, values: Callable[[slice], Array]) -> Array:
    """Fill an array (M, ...) with what ``values`` returns for stretches of rows, and return it.

    >>> filled(np.empty(3), lambda rows: np.arange(10.0)[rows] ** 2).tolist()
    [0.0, 1.0, 4.0]
    """
    for stretch in chunks(len(out)):
        out[stretch] = values(stretch)
    return out


def taken(array: Array, order: Array, out: Array | None = None) -> Array:
    """Return the rows of an array (N, ...) that have the numbers ``order`` (M,), which are all below N.

    Args:
        array: of any rows.
        order: row numbers.
        out: is filled and returned, of the array's type; left out, a new array.

    >>> taken(np.array([5, 6, 7]), np.array([2, 0])).tolist()
    [7, 5]
    """
    out = np.empty((len(order), *array.shape[1:]), array.dtype) if out is None else out
    for stretch in chunks(len(order)):
        # mode "clip": the default goes through a buffer of the size of the answer.
        array.take(order[stretch], axis=0, out=out[stretch], mode="clip")
    return out


def between(rows: Array, stretch: slice) -> tuple[int, int]:
    """Return where those of ascending row numbers (M,) begin and end that lie in a stretch."""
    ends = np.array((stretch.start, stretch.stop), rows.dtype)  # of another type, all rows would be converted
    first, last = np.searchsorted(rows, ends).tolist()
    return first, last


class Selection:
    """Rows chosen of a table whose rows are gone through in stretches.

    Args:
        rows: (M,) row numbers, in any order.
        count: of the table's rows.

    >>> selection = Selection(np.array([4, 1, 0]), 5)
    >>> selection.read(lambda stretch: np.arange(5.0)[stretch] * 10).tolist()
    [40.0, 10.0, 0.0]
    """

    def __init__(self, rows: Array, count: int) -> None:
        self.rows, self.count = rows, count
        rising = all((rows[some.start + 1 : some.stop + 1] >= rows[some]).all() for some in chunks(len(rows) - 1))
        self._order = None if rising else np.argsort(rows, kind="stable")
        self._ascending = rows if self._order is None else rows[self._order]

    def __len__(self) -> int:
        return len(self.rows)

    def within(self, stretch: slice) -> tuple[Chosen, Array]:
        """Return which of the chosen rows lie in a stretch of the table (m,), and where in it they do (m,)."""
        some = slice(*between(self._ascending, stretch))
        return some if self._order is None else self._order[some], self._ascending[some] - stretch.start

    def deal(self, values: Array, stretch: slice, out: Array) -> None:
        """Write what chosen rows get of the values (R, ...) of a stretch to their places in ``out`` (M, ...)."""
        which, inside = self.within(stretch)
        if isinstance(which, slice) and values.dtype == out.dtype:
            values.take(inside, axis=0, out=out[which], mode="clip")
        else:
            out[which] = values[inside]

    def read(self, values: Callable[[slice], Array], out: Array | None = None) -> Array:
        """Return the values (M, ...) at the chosen rows, given what returns those of a stretch of the table.

        Args:
            values: returns an array (R, ...) for a stretch of R rows.
            out: is filled and returned; left out, an array (M,) of float64.
        """
        found = np.empty(len(self.rows)) if out is None else out
        for stretch in chunks(self.count):
            self.deal(values(stretch), stretch, found)
        return found


def row_numbers(rows: int) -> Array:
    """Return the numbers (R,) of so many rows from 0, in the narrowest type that is worth it.

    >>> row_numbers(3)
    array([0, 1, 2], dtype=int32)
    """
    return np.arange(rows, dtype=np.int32 if rows < 2**31 else np.int64)


def rows_where(mask: Array) -> Array:
    """Return the row numbers (M,) at which a mask (R,) is true.

    >>> rows_where(np.array([True, False, True]))
    array([0, 2], dtype=int32)
    """
    found, at = np.empty(np.count_nonzero(mask), row_numbers(0).dtype if len(mask) < 2**31 else np.int64), 0
    for stretch in chunks(len(mask)):
        rows = np.flatnonzero(mask[stretch])
        found[at : at + len(rows)] = rows + stretch.start
        at += len(rows)
    return found


def narrow(values: Callable[[slice], Array], rows: int, count: int) -> Array:
    """Return numbers (R,) from 0 to below ``count`` in the narrowest type, given what returns those of a stretch.

    >>> narrow(lambda rows: np.arange(3)[rows], 3, 3)
    array([0, 1, 2], dtype=uint8)
    """
    return filled(np.empty(rows, np.min_scalar_type(max(0, count - 1))), values)
