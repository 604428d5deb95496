"""Stretches of a column as they are kept: numbers of a narrow type, or texts as codes; and rows chosen among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nntrain.core.array import distinct_values
from nntrain.data.grammar import factorize

Array = NDArray[Any]
Positions = NDArray[np.intp]
Rows: TypeAlias = "slice | Positions | None"
"""Which rows are asked for: a stretch ``slice(start, stop)``, row numbers in any order, or all."""


ALIGNED = 8
"""Pieces that lie in one memory, or in a file, begin at a multiple of so many bytes."""


class Texts(NamedTuple):
    """Cells of text: for each its code (rows,), and the distinct texts in the order in which they appear."""

    codes: Array
    distinct: Sequence[str]

    def cells(self, rows: slice | Positions) -> Array:
        """Return the texts of some of the cells."""
        return np.array(self.distinct, object)[self.codes[rows]]


Piece: TypeAlias = "Array | Texts"
"""Numbers (rows,): integers, or float64 with NaN for missing; or texts."""


def texts_of(cells: Sequence[str] | Array) -> Texts:
    """Return cells as codes in the narrowest unsigned type.

    >>> texts_of(["b", "a", "b"])
    Texts(codes=array([0, 1, 0], dtype=uint8), distinct=['b', 'a'])
    """
    codes, distinct = factorize(cells)
    return Texts(codes.astype(code_type(len(distinct))), distinct)


def code_type(count: int) -> np.dtype[Any]:
    """Return the narrowest unsigned type that tells so many texts apart."""
    return np.min_scalar_type(max(0, count - 1))


def coded(codes: Positions, count: int) -> tuple[Array, Positions]:
    """Return codes (rows,) in the order in which they appear, of the narrowest type, and the first row of each.

    Args:
        codes: any codes below ``count``.
        count: how many of them there are, each in some row.

    >>> coded(np.array([2, 0, 2, 1]), 3)
    (array([0, 1, 0, 2], dtype=uint8), array([0, 1, 3]))
    """
    first = np.empty(count, np.intp)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of equal codes the last one set, which is the first row
    order = np.argsort(first)
    place = np.empty(count, code_type(count))
    place[order] = np.arange(count)
    return place[codes], first[order]


def numbers_of(piece: Piece) -> Array:
    """Return the numbers (rows,) of a piece, or the codes of its texts."""
    return piece.codes if isinstance(piece, Texts) else piece


def length(piece: Piece) -> int:
    """Return the number of rows of a piece."""
    return len(numbers_of(piece))


def padded(sizes: Any) -> Any:
    """Return numbers of bytes, one or several, rounded up to where the next piece begins."""
    return -(-sizes // ALIGNED) * ALIGNED


def memory_for(pieces: Iterable[Piece]) -> int:
    """Return how many bytes :func:`put_into` takes for the numbers of pieces."""
    return sum(padded(numbers_of(piece).nbytes) for piece in pieces)


def laid_out(memory: Array, types: Iterable[Any], rows: int) -> Iterator[Array]:
    """Yield arrays (rows,) of some types that lie one after the other in memory, an array of bytes."""
    at = 0
    for dtype in map(np.dtype, types):
        yield memory[at : at + rows * dtype.itemsize].view(dtype)
        at += padded(rows * dtype.itemsize)


def put_into(memory: Array, pieces: Sequence[Piece], rows: int) -> list[Piece]:
    """Return pieces of so many rows with their numbers copied into memory.

    >>> memory = np.zeros(24, np.uint8)
    >>> put_into(memory, [np.array([1, 2], np.uint8), texts_of(["b", "a"])], 2)
    [array([1, 2], dtype=uint8), Texts(codes=array([0, 1], dtype=uint8), distinct=['b', 'a'])]
    >>> memory[:10].tolist(), memory_for([np.zeros(3), np.zeros(3, np.uint8)])
    ([1, 2, 0, 0, 0, 0, 0, 0, 0, 1], 32)
    """
    put: list[Piece] = []
    for piece, numbers in zip(
        pieces, laid_out(memory, (numbers_of(piece).dtype for piece in pieces), rows), strict=True
    ):
        numbers[:] = numbers_of(piece)
        put.append(piece._replace(codes=numbers) if isinstance(piece, Texts) else numbers)
    return put


def stretches(ends: Positions, rows: slice) -> Iterator[tuple[int, slice, slice]]:
    """Yield ``(piece, rows within it, where they belong in the answer)`` for a stretch of rows.

    Args:
        ends: (P,) the row after the last one of each piece.
        rows: with start, stop and no step.

    >>> [(piece, inside.start, inside.stop) for piece, inside, _ in stretches(np.array([4, 6, 9]), slice(3, 7))]
    [(0, 3, 4), (1, 0, 2), (2, 0, 1)]
    """
    at = rows.start
    first = int(np.searchsorted(ends, at, "right"))
    while at < rows.stop:
        begin = int(ends[first - 1]) if first else 0
        stop = min(int(ends[first]), rows.stop)
        yield first, slice(at - begin, stop - begin), slice(at - rows.start, stop - rows.start)
        at, first = stop, first + 1


def gathered(ends: Positions, rows: Rows, dtype: Any, fill: Callable[[int, slice | Positions], Any]) -> Array:
    """Return values (M,) of chosen rows.

    Args:
        ends: (P,) the row after the last one of each piece.
        rows: those wanted.
        dtype: of the answer.
        fill: returns the values at some rows of a piece, given its number.
    """
    count = int(ends[-1])
    if rows is None or isinstance(rows, slice):
        start, stop, step = (rows or slice(None)).indices(count)
        assert step == 1, "a stretch of rows has no step"
        found = np.empty(max(0, stop - start), dtype)
        for piece, inside, place in stretches(ends, slice(start, stop)):
            found[place] = fill(piece, inside)
        return found
    rows = np.asarray(rows, np.intp)
    found = np.empty(len(rows), dtype)
    piece_of = np.searchsorted(ends, rows, "right")
    for piece in distinct_values(piece_of):
        begin = int(ends[piece - 1]) if piece else 0
        if len(ends) == 1:
            return np.asarray(fill(0, rows), dtype)
        there = np.flatnonzero(piece_of == piece)
        found[there] = fill(int(piece), rows[there] - begin)
    return found
