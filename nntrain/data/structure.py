"""Is every line of a CSV what it should be? Checked for all bytes, block by block.

A block is regular where each record has as many fields as the header; only one that is not is looked at record by
record, so that a good file costs a few passes of NumPy over its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nntrain.data import faults
from nntrain.data.clean_text import CleanText
from nntrain.data.faults import LONGEST_CELL, SHOWN_PROBLEMS, Faults
from nntrain.data.marks import BLANK_BYTES, NEWLINE, QUOTE, Bytes, Marks, Mask, Positions, occurrences, starts_of
from nntrain.errors import DataError, Problem, quote

_LONGEST_RECORD = 8 << 20
"""A longer one is an error, and a quote that is open for longer is taken to be never closed, so that no file has to be
in memory whole."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A block of whole records, each with as many cells as there are columns.

    ``body``: its bytes without blank lines, for a parser; ``record_ends``: where in it a record ends (rows,);
    ``newlines``: of the block; ``lines``: the line within the block, from 0, on which each record begins (rows,), or
    None where every line is a record.
    """

    body: memoryview | bytes
    record_ends: Positions
    newlines: int
    lines: Positions | None

    @property
    def rows(self) -> int:
        """The number of records."""
        return self.record_ends.size


def cut_blocks(text: CleanText, start: int, size: int) -> Iterator[tuple[int, memoryview]]:
    """Yield where each block begins and its bytes: about ``size`` of them, ending where a record ends.

    Only the last block may end inside quotes.
    """
    while True:
        wanted = size
        data, begin, stop = text.held(start, wanted)
        end = record_end(data, begin, stop)
        while end == begin and stop - begin == wanted < _LONGEST_RECORD:
            wanted *= 2
            data, begin, stop = text.held(start, wanted)
            end = record_end(data, begin, stop)
        if begin == stop:
            return
        block = memoryview(data)[begin : end if end > begin and stop - begin == wanted else stop]
        yield start, block
        start += len(block)


def record_end(data: bytes, begin: int, stop: int) -> int:
    """Return the offset after the last newline of a stretch that stands outside quotes, or where it begins."""
    end = max(begin, data.rfind(b"\n", begin, stop) + 1)
    if data.find(b'"', begin, end) < 0:  # much quicker than to count them
        return end
    quotes = occurrences(np.frombuffer(data, np.uint8, end - begin, begin), QUOTE)
    while quotes % 2:  # what follows the last quote stands inside quotes
        before = max(begin, data.rfind(b"\n", begin, data.rfind(b'"', begin, end)) + 1)
        quotes -= data.count(b'"', before, end)
        end = before
    return end


class Structure:
    """Checks the records of a file, block by block.

    Args:
        delimiter: one ASCII character.
        names: the columns; each record must have as many cells.
        shown: the path, for messages.
    """

    def __init__(self, delimiter: str, names: Sequence[str], shown: str) -> None:
        self._delimiter = ord(delimiter)
        self._names = names
        self._width = len(names)
        self._shown = shown
        self._faults = Faults()

    def check_record(self, body: bytes, line: int) -> None:
        """Raise DataError where a quote stands at a wrong place in one record."""
        block = np.frombuffer(body, np.uint8)
        self._check_quotes(block, Marks(block, self._delimiter), line)

    def check(self, body: bytes, line: int) -> Checked | None:
        """Return a block, checked, or None where there are faults, of this block or one before.

        Args:
            body: whole records; at the end of a file quotes may be left open.
            line: the physical line that it begins on.

        Raises:
            DataError: a quote is at a wrong place, at once, because nothing can be said about what follows it.
        """
        block = np.frombuffer(body, np.uint8)
        marks = Marks(block, self._delimiter, b'"' in body)
        self._check_quotes(block, marks, line)
        if marks.quotes.size % 2:
            raise self._unclosed(marks, line)
        if body and not body.endswith(b"\n"):  # no other record is cut than one beyond all bounds
            raise self._endless(line)
        blank = self._check_records(block, marks, line)
        if self._faults:
            return None
        newlines = marks.newlines.size
        if blank.any():
            lines = marks.lines_before(marks.record_starts[~blank])
            kept = _without(memoryview(body), marks, blank)
            return Checked(kept, Marks(np.frombuffer(kept, np.uint8), self._delimiter).record_ends, newlines, lines)
        if newlines == marks.record_ends.size:
            return Checked(body, marks.record_ends, newlines, None)
        return Checked(body, marks.record_ends, newlines, marks.lines_before(marks.record_starts))

    @property
    def has_faults(self) -> bool:
        """Whether any block so far has faults."""
        return bool(self._faults)

    def raise_faults(self) -> None:
        """Raise DataError with the first faults and their number, if there are any."""
        if self._faults:
            raise DataError(self._faults.problems(self._shown))

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

    def _endless(self, line: int) -> DataError:
        return self._fatal(faults.endless_record(self._shown, line, _LONGEST_RECORD))

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
            opening = bytes(block[starts[where[0]] :][:7])
            self._faults.add(kind, faults.ragged(kind // 2, self._width, bool(kind % 2), opening), lines, where.size)

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
    likely = np.flatnonzero(np.isin(block[starts], (NEWLINE, *BLANK_BYTES)) & (marks.field_counts == 1))
    blank[likely] = starts[likely] == marks.record_ends[likely]
    for i in likely[~blank[likely]]:
        blank[i] = not bytes(block[starts[i] : marks.record_ends[i]]).strip(b" \t")
    return blank


def _without(body: memoryview, marks: Marks, drop: Mask) -> bytes:
    """Return the records of a block but for the marked ones."""
    dropped, pieces, begin = np.flatnonzero(drop), [], 0
    first = dropped[np.diff(dropped, prepend=-2) > 1]  # of each run of neighbours
    last = dropped[np.diff(dropped, append=drop.size + 1) > 1]
    for start, end in zip(marks.record_starts[first].tolist(), marks.record_ends[last].tolist(), strict=True):
        pieces.append(body[begin:start])
        begin = end + 1
    pieces.append(body[begin:])
    return b"".join(pieces)
