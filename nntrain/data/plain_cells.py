"""Blocks read with passes of NumPy over the bytes; what is unusual in them is left to others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from threading import local
from typing import NamedTuple

import numpy as np

from nntrain.core.array import distinct_values
from nntrain.data.decimals import MOST_DIGITS, decimals
from nntrain.data.faults import LONGEST_CELL
from nntrain.data.grammar import OTHER, Grammar
from nntrain.data.marks import NEWLINE, QUOTE, occurrences
from nntrain.data.pieces import Array, Piece, Positions, Texts, coded
from nntrain.data.words import BYTES, FARTHEST, Words

_STEP = 1 << 18
"""Bytes that are read at a time: few enough for the processor's cache, and enough for the price of NumPy's calls."""
_FEW, _SMALL_SHARE = 16, 1 / 16
"""How many cells of a column may be looked at one by one in a step, and which share of them."""
_SPREAD = [np.uint64(pow(0x9E3779B97F4A7C15, i + 1, 1 << 64)) for i in range(FARTHEST // BYTES)]
"""Odd numbers whose bits have no pattern, one for each word of a text."""


class _Cells(NamedTuple):
    """Where cells begin and end, and where the point of each is, or its end where it has none: each (rows, columns)."""

    starts: Positions
    points: Positions
    ends: Positions

    def unquote(self, text: Array) -> bool:
        """Leave out the quotes around cells, and return whether there are no others in a text of these cells alone."""
        quoted = np.flatnonzero(text.take(self.starts) == QUOTE)
        starts, points, ends = (places.reshape(-1) for places in self)
        starts[quoted] += 1
        ends[quoted] -= 1
        if (ends < starts).any() or not (text[ends[quoted]] == QUOTE).all():
            return False
        np.minimum(points, ends, out=points)
        return occurrences(text, QUOTE) == 2 * len(quoted)

    def of(self, columns: Sequence[int]) -> _Cells:
        """Return those of some columns."""
        if len(columns) == self.ends.shape[1]:
            return self
        return _Cells(*(places.take(columns, axis=1) for places in self))  # many times as fast as an index


class PlainCells:
    """Reads columns of blocks in which a quote is the first or the last of a cell, and no cell holds a separator.

    Args:
        width: the number of columns.
        delimiter: the byte between cells.
        grammar: what a number and a missing cell is.
    """

    def __init__(self, width: int, delimiter: int, grammar: Grammar) -> None:
        self._width, self._delimiter, self._grammar = width, delimiter, grammar
        self._point = ord(grammar.decimal)
        self._memory = local()
        self._usual = re.compile(rf"(?:-?[0-9]{{1,{MOST_DIGITS}}}(?:{re.escape(grammar.decimal)}[0-9]*)?)?")

    def may_read(self, cells: Sequence[str], is_text: bool) -> bool:
        """Whether a column looks, by some of its cells, as if it could be read."""
        if is_text:
            return all(len(cell.encode()) <= FARTHEST for cell in cells)
        usual = sum(self._usual.fullmatch(cell) is not None for cell in cells)
        return not self._grammar.has_missing_numbers and usual >= (1 - _SMALL_SHARE) * len(cells)

    def read(
        self, block: memoryview, numeric: Sequence[Sequence[int]], text: Sequence[int]
    ) -> tuple[int, dict[int, Piece]] | None:
        """Return the number of rows, and the columns (rows,) that were read: float64 with NaN for missing, or texts.

        None where there is a quote within a cell, a blank line, a record of another number of cells, or one of
        enormous length.

        Args:
            block: to read.
            numeric: columns of numbers, those that are written alike together.
            text: columns of anything.
        """
        if self._width == 1:  # a blank line would look like a cell
            return None
        words = self._own_words()
        words.load(block)
        rows, row, begin = occurrences(words.bytes, NEWLINE), 0, 0
        values = {i: np.empty(rows) for columns in numeric for i in columns}
        texts: list[_Cells] = []
        while begin < words.bytes.size:
            found_cells = self._cells(words.bytes, begin)
            if found_cells is None:
                return None
            cells, stop = found_cells
            for columns in numeric:
                self._numbers(words, cells, columns, values, slice(row, row + len(cells.ends)))
            texts.append(cells.of(text))
            row, begin = row + len(cells.ends), stop
        found: dict[int, Piece] = dict(values)
        for at, i in enumerate(text):
            starts, ends = (np.concatenate([cells[side][:, at] for cells in texts]) for side in (0, 2))
            told_apart = _texts(words, starts, ends)
            if told_apart is not None:
                found[i] = told_apart
        return rows, found

    def _own_words(self) -> Words:
        """Return the memory for a block, which each thread has one of."""
        if not hasattr(self._memory, "words"):
            self._memory.words = Words()
        words: Words = self._memory.words
        return words

    def _cells(self, text: Array, begin: int) -> tuple[_Cells, int] | None:
        """Return the cells of some whole records from an offset on, and where these end.

        None where a record is not as it must be.
        """
        size = _STEP
        while True:
            step = text[begin : begin + size]
            is_newline = step == NEWLINE
            is_mark = is_newline | (step == self._delimiter)
            is_mark |= step == self._point
            marks = np.flatnonzero(is_mark)
            is_point = step.take(marks) == self._point
            before = np.flatnonzero(~is_point)
            before = before[: len(before) // self._width * self._width]
            if len(before) or begin + size >= text.size:
                break
            size *= 2
        ends = marks.take(before)
        record_ends = ends[self._width - 1 :: self._width]
        if not (
            len(ends)
            and is_newline[record_ends].all()
            and np.count_nonzero(is_newline[: ends[-1] + 1]) == len(record_ends)
        ):
            return None
        before -= 1  # the mark before an end is the point of the cell, or the end of another
        has_point = is_point.take(before)
        has_point[0] &= before[0] >= 0
        before += ~has_point
        points = marks.take(before)
        starts = np.empty_like(ends)
        starts[0] = 0
        np.add(ends[:-1], 1, out=starts[1:])
        if (record_ends - starts[:: self._width]).max() > LONGEST_CELL:
            return None
        stop = int(ends[-1]) + 1
        cells = _Cells(*(places.reshape(-1, self._width) for places in (starts, points, ends)))
        if (step == QUOTE).any() and not cells.unquote(step[:stop]):
            return None
        for places in cells if begin else ():
            places += begin
        return cells, begin + stop

    def _numbers(
        self, words: Words, cells: _Cells, columns: Sequence[int], values: dict[int, Array], rows: slice
    ) -> None:
        """Put the numbers of some columns where they belong; a column in which there is something else is taken out."""
        columns = [i for i in columns if i in values]
        if not columns:
            return
        cells = cells.of(columns)
        starts, points, ends = (places.reshape(-1) for places in cells)
        read, odd = decimals(words, starts, points, ends)
        if odd is not None:
            unusual = np.flatnonzero(odd)
            column_of = unusual % len(columns)
            most = max(_FEW, _SMALL_SHARE * len(cells.ends))
            refused = np.bincount(column_of, minlength=len(columns)) > most
            unusual = unusual[~refused[column_of]]
            read[unusual], states = self._grammar.convert(_decoded(words, starts[unusual], ends[unusual]))
            refused[unusual[states == OTHER] % len(columns)] = True
            for at in np.flatnonzero(refused):
                del values[columns[at]]
        for i, column in zip(columns, read.reshape(-1, len(columns)).T, strict=True):
            if i in values:
                values[i][rows] = column


def _decoded(words: Words, starts: Positions, ends: Positions) -> list[str]:
    places = zip(starts.tolist(), ends.tolist(), strict=True)
    return [str(words.bytes[start:end].data, "utf-8") for start, end in places]


def _texts(words: Words, starts: Positions, ends: Positions) -> Texts | None:
    """Return cells as texts, or None where one is too long, or two different ones cannot be told apart."""
    lengths = ends - starts
    if lengths.max() > FARTHEST:
        return None
    parts = list(words.before(ends, lengths))
    keys = np.zeros(len(ends), np.uint64)
    for part, factor in zip(parts, _SPREAD, strict=False):
        mixed = part * factor
        mixed ^= mixed >> np.uint64(32)
        keys += mixed
    distinct = distinct_values(keys)
    codes, first = coded(np.searchsorted(distinct, keys), len(distinct))
    if not all((part == part[first][codes]).all() for part in parts):
        return None
    return Texts(codes, _decoded(words, starts[first], ends[first]))
