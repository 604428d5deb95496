"""Is every line of a CSV what it should be? Checked for all bytes, chunk by chunk.

A chunk is regular where each record has as many fields as the header; only a chunk that is not is looked at record by
record, so that a good file costs a few passes of NumPy over its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nntrain.data import faults
from nntrain.data.faults import LONGEST_CELL, SHOWN_PROBLEMS, Faults
from nntrain.data.marks import BLANK_BYTES, NEWLINE, QUOTE, Bytes, Marks, Mask, Positions, starts_of
from nntrain.errors import DataError, Problem, quote


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of whole records.

    ``start``, ``end``: its place in the data; ``first_row``, ``rows``: its records; ``first_line``: the physical line
    it begins on; ``body``: its bytes without blank lines, for a parser.
    """

    start: int
    end: int
    first_row: int
    rows: int
    first_line: int
    body: memoryview | bytes


class Structure:
    """Cuts the records of a file into chunks and checks them.

    Args:
        data: clean UTF-8 text that ends with a newline.
        delimiter: one ASCII character.
        names: the columns; each record must have as many cells.
        shown: the path, for messages.
        chunk_bytes: about how long a chunk is.
    """

    def __init__(
        self, data: bytes, delimiter: str, names: Sequence[str], shown: str, chunk_bytes: int = 1 << 20
    ) -> None:
        self._data = data
        self._bytes: Bytes = np.frombuffer(data, np.uint8)
        self._delimiter = ord(delimiter)
        self._names = names
        self._width = len(names)
        self._shown = shown
        self._chunk_bytes = chunk_bytes
        self._faults = Faults()

    def check_record(self, start: int, end: int, line: int) -> None:
        """Raise DataError where a quote stands at a wrong place in one record."""
        block = self._bytes[start:end]
        self._check_quotes(block, Marks(block, self._delimiter), line)

    def chunks(self, start: int, line: int) -> Iterator[tuple[Chunk, Positions]]:
        """Yield each chunk with the offsets (rows,) in its body where a record ends.

        Raises:
            DataError: at the end, with the first faults and their number; at once for a quote at a wrong place,
                because nothing can be said about what follows it.
        """
        row = 0
        while start < len(self._data):
            end, marks = self._cut(start, line)
            block = self._bytes[start:end]
            self._check_quotes(block, marks, line)
            blank = self._check_records(block, marks, line)
            if not self._faults:
                view = memoryview(self._data)[start:end]
                body: memoryview | bytes = view
                ends = marks.record_ends
                if blank.any():
                    body = _without(view, marks, blank)
                    ends = Marks(np.frombuffer(body, np.uint8), self._delimiter).record_ends
                yield Chunk(start, end, row, ends.size, line, body), ends
                row += ends.size
            line += marks.newlines.size
            start = end
        if self._faults:
            raise DataError(self._faults.problems(self._shown))

    def lines(self, chunk: Chunk) -> Positions:
        """Return the physical lines (rows,) on which the records of a chunk begin."""
        block = self._bytes[chunk.start : chunk.end]
        marks = self._marks(chunk.start, chunk.end)
        return chunk.first_line + marks.lines_before(marks.record_starts[~_blank(block, marks)])

    def _cut(self, start: int, line: int) -> tuple[int, Marks]:
        """Return where a chunk of about the wanted size ends, which is after a record, and its marks."""
        size = self._chunk_bytes
        while True:
            end = min(start + size, len(self._data))
            marks = self._marks(start, end)
            if end == len(self._data):
                break
            if marks.record_ends.size:
                end = start + int(marks.record_ends[-1]) + 1
                marks.cut(end - start)
                return end, marks
            size *= 2
        if marks.quotes.size % 2:
            self._check_quotes(self._bytes[start:end], marks, line)
            raise self._unclosed(marks, line)
        return end, marks

    def _marks(self, start: int, end: int) -> Marks:
        return Marks(self._bytes[start:end], self._delimiter, self._data.find(b'"', start, end) >= 0)

    def _check_quotes(self, block: Bytes, marks: Marks, line: int) -> None:
        """Raise where an opening quote does not begin a field or a closing one does not end it."""
        if not marks.quotes.size:
            return
        opening, closing = marks.quotes[0::2], marks.quotes[1::2]
        before = block[np.maximum(opening - 1, 0)]
        after = block[np.minimum(closing + 1, block.size - 1)]
        bad_opening = opening[~self._may_touch(before) & (opening > 0)]
        bad_closing = closing[~self._may_touch(after)]
        if bad_opening.size or bad_closing.size:
            raise self._stray(block, marks, int(np.concatenate([bad_opening, bad_closing]).min()), line)

    def _may_touch(self, neighbour: Bytes) -> Mask:
        return np.isin(neighbour, (self._delimiter, NEWLINE, QUOTE))

    def _stray(self, block: Bytes, marks: Marks, at: int, line: int) -> DataError:
        start, column = marks.field_at(at)
        rest = block[at : at + LONGEST_CELL]
        ends = np.flatnonzero((rest == self._delimiter) | (rest == NEWLINE))
        end = at + (int(ends[0]) if ends.size else rest.size)
        cell = bytes(block[start:end]).decode(errors="replace")
        opened, met = line + int(marks.lines_before(start)), line + int(marks.lines_before(at))
        return self._fatal(faults.stray_quote(self._shown, self._label(column), cell, opened, met))

    def _unclosed(self, marks: Marks, line: int) -> DataError:
        at = int(marks.quotes[-1])
        opened = line + int(marks.lines_before(at))
        label = self._label(marks.field_at(at)[1])
        return self._fatal(faults.unclosed_quote(self._shown, label, opened, line + marks.newlines.size - 1))

    def _fatal(self, problem: Problem) -> DataError:
        return DataError([*self._faults.problems(self._shown), problem])

    def _check_records(self, block: Bytes, marks: Marks, line: int) -> Mask:
        """Enter what is wrong with the records as faults; return the mask of the blank ones."""
        regular = marks.are_regular(self._width)
        blank = np.zeros(marks.record_ends.size, np.bool_)
        if self._width == 1 or not regular:  # a blank line is one field
            blank = _blank(block, marks)
        if not regular:
            self._check_counts(block, marks, blank, line)
        if np.diff(marks.record_ends, prepend=-1).max(initial=0) > LONGEST_CELL:
            self._check_lengths(block, marks, line)
        return blank

    def _check_counts(self, block: Bytes, marks: Marks, blank: Mask, line: int) -> None:
        counts, starts = marks.field_counts, marks.record_starts
        trailing = block[np.maximum(marks.record_ends - 1, 0)] == self._delimiter
        bad = (counts != self._width) & ~blank
        kinds = counts * 2 + trailing
        found, firsts = np.unique(kinds[bad], return_index=True)
        for kind in found[np.argsort(firsts)][: 2 * SHOWN_PROBLEMS].tolist():
            where = np.flatnonzero(bad & (kinds == kind))
            lines = (line + marks.lines_before(starts[where[:SHOWN_PROBLEMS]])).tolist()
            self._faults.add(kind, faults.ragged(kind // 2, self._width, bool(kind % 2)), lines, where.size)

    def _check_lengths(self, block: Bytes, marks: Marks, line: int) -> None:
        starts = starts_of(marks.field_ends)
        for i in np.flatnonzero(marks.field_ends - starts > LONGEST_CELL):
            length = len(bytes(block[starts[i] : marks.field_ends[i]]).decode())
            if length > LONGEST_CELL:
                label = self._label(marks.field_at(int(starts[i]))[1])
                place = line + int(marks.lines_before(int(starts[i])))
                self._faults.add(label, faults.huge(label, length), [place], 1)

    def _label(self, column: int) -> str:
        return f"column {quote(self._names[column])}" if column < self._width else f"column {column + 1}"


def _blank(block: Bytes, marks: Marks) -> Mask:
    """Return the mask (records,) of those that are one field of nothing but blanks."""
    starts = marks.record_starts
    blank = np.zeros(starts.size, np.bool_)
    for i in np.flatnonzero(np.isin(block[starts], (NEWLINE, *BLANK_BYTES)) & (marks.field_counts == 1)):
        blank[i] = not bytes(block[starts[i] : marks.record_ends[i]]).strip(b" \t")
    return blank


def _without(body: memoryview, marks: Marks, drop: Mask) -> bytes:
    """Return the records of a chunk but for the marked ones."""
    starts, pieces, begin = marks.record_starts, [], 0
    for i in np.flatnonzero(drop):
        pieces.append(body[begin : starts[i]])
        begin = int(marks.record_ends[i]) + 1
    pieces.append(body[begin:])
    return b"".join(pieces)
