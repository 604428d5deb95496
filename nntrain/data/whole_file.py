"""A large file that pandas parses as a whole, in its threads, and whose bytes are looked through here.

pandas maps a file and parses it in place, with all processors and without Python's lock, which no way of feeding it
block by block comes near. It reads what no number of a well-formed table is, though: a record that is too short, one
with a quote somewhere, ``True``. What it makes of a file counts only where none of this can be; any other file is read
block by block, in the same pieces, and what is wrong with it is told then.

The bytes are looked through while pandas parses them. A process of its own for it is no faster, nor are two threads.

A file that is cut short while it is mapped ends the process that reads it, so that it is mapped only while
:func:`~nntrain.data.lease.nobody_writes`.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nntrain.core.processors import processors
from nntrain.data.available_memory import available_memory
from nntrain.data.faults import LONGEST_CELL
from nntrain.data.header import Header
from nntrain.data.lease import nobody_writes
from nntrain.data.marks import NEWLINE, QUOTE, occurrences
from nntrain.data.parsing import EXACT_LIMIT, BlockParser, categories_of, may_hold_truth, reaches
from nntrain.data.piece_store import Block
from nntrain.data.pieces import Piece, Positions, Texts, coded, length
from nntrain.data.source import PlainFile

LEAST_BYTES = 8 << 20
"""Smaller files are read block by block: pandas has one thread for what is below 5 MiB."""
_BYTES_A_CELL = 16
"""pandas holds each number twice for a moment."""


def may_be_read_whole(file: PlainFile) -> bool:
    """Whether it is worth finding out what a file holds."""
    is_packed_or_marked = file.is_packed or file.head.startswith(codecs.BOM_UTF8)
    return file.status.st_size >= LEAST_BYTES and not is_packed_or_marked and processors() > 1


def read_whole(
    file: PlainFile, header: Header, parser: BlockParser, first: memoryview, rows: int, size: int
) -> Iterator[tuple[Block, Sequence[Piece]]] | None:
    """Return the blocks of a file, each with one piece a column, or None where it must be read block by block.

    Args:
        file: UTF-8, or what is the same in it, of which :func:`may_be_read_whole` holds.
        header: of the file.
        parser: planned by the first block.
        first: the bytes of the first block.
        rows: of the first block.
        size: about how many bytes a block shall have.
    """
    cells = file.status.st_size * rows * len(header.names) // max(1, len(first))
    text = bytes(first)
    seen = _seen(text)
    is_likely = parser.is_usual and seen is not None and _Quotes(header.delimiter).are_plain(seen)
    if len(header.names) - 1 in parser.texts_planned:  # where the last may be empty, no record that lacks it is found
        is_likely &= not any(f"{header.delimiter}{empty}\n".encode() in text for empty in ("", '""'))
    if not is_likely or cells * _BYTES_A_CELL > available_memory() // 4:
        return None
    with nobody_writes(file.path) as is_safe:
        if not is_safe:
            return None
        found = _side_by_side(file, header, parser, size)
    if found is None or any(sum(block.rows for block in found[0]) != length(column) for column in found[1]):
        return None
    return _cut(*found, parser)


_Found: TypeAlias = tuple[list[Block], list[Piece]]
"""The blocks of a file, and its columns."""


def _side_by_side(file: PlainFile, header: Header, parser: BlockParser, size: int) -> _Found | None:
    with ThreadPoolExecutor(1) as other:
        try:
            parsing = other.submit(_parsed, parser, file.path, header)
        except RuntimeError:  # there can be no further thread
            return None
        blocks = _looked_through(file, header, size)
        columns = parsing.result()
    return None if blocks is None or columns is None else (blocks, columns)


def _looked_through(file: PlainFile, header: Header, size: int) -> list[Block] | None:
    """Return where the records of a file stand, each on one line; None where a byte may mean something else."""
    blocks: list[Block] = []
    start, line, rows, at = header.start, header.line, 0, header.start
    quotes, is_line_open = _Quotes(header.delimiter), False
    for text in _records(file, header):
        seen = _seen(text)
        if seen is None or not quotes.are_plain(seen):
            return None
        rows += seen.newlines
        end = at + seen.last + 1
        if seen.newlines and end - start >= size:
            blocks.append(Block(start, end, rows, line))
            start, line, rows = end, line + rows, 0
        at += len(text)
        is_line_open = seen.last + 1 < len(text)
    if quotes.is_open:
        return None
    if at > start:  # the clean text has the newline that the last line lacks
        blocks.append(Block(start, at + is_line_open, rows + is_line_open, line))
    return blocks


def _records(file: PlainFile, header: Header) -> Iterator[bytes]:
    """Yield the records of a file stretch by stretch, and before them any line end that is no newline."""
    at = 0
    for content in file.blocks():
        skipped = max(0, header.start - at)
        at += len(content)
        if b"\r" in content[:skipped]:
            yield b"\r"
        if skipped < len(content):
            yield content[skipped:] if skipped else content


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is in a stretch of a text: its bytes, how many newlines, where the last is, and where quotes are."""

    values: NDArray[np.uint8]
    newlines: int
    last: int
    quotes: Positions


def _seen(text: bytes) -> _Seen | None:
    """Return what there is in a stretch of a text.

    None where it has more than one kind of line end, or something like ``True``, which pandas counts.
    """
    if not text.isascii() or b"\r" in text or b"\0" in text or may_hold_truth(text):
        return None
    values = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(values == QUOTE) if b'"' in text else np.empty(0, np.intp)
    return _Seen(values, occurrences(values, NEWLINE), text.rfind(b"\n"), quotes)


class _Quotes:
    """Whether quotes stand only where a cell begins or ends, stretch by stretch.

    Args:
        delimiter: one ASCII character.

    Attributes:
        is_open: whether a cell in quotes goes on.
    """

    def __init__(self, delimiter: str) -> None:
        self._may_touch = np.zeros(256, np.bool_)  # by byte: many times as fast as np.isin
        self._may_touch[[ord(delimiter), NEWLINE, QUOTE]] = True
        self._last, self._has_just_closed, self.is_open = np.uint8(NEWLINE), False, False

    def are_plain(self, seen: _Seen) -> bool:
        """Whether the next stretch has quotes only where they may be; what follows its last byte is yet to be seen."""
        values, quotes = seen.values, seen.quotes
        beside = [values[:1]] if self._has_just_closed else []
        opening, closing = quotes[self.is_open :: 2], quotes[not self.is_open :: 2]
        if len(opening):
            before = values.take(opening - 1, mode="wrap")
            before[0] = before[0] if opening[0] else self._last
            beside.append(before)
        self._has_just_closed = bool(len(closing) and closing[-1] == len(values) - 1)
        beside.append(values.take(closing[: len(closing) - self._has_just_closed] + 1))
        self.is_open ^= len(quotes) % 2 == 1
        self._last = values[-1]
        return all(self._may_touch.take(some).all() for some in beside)


def _parsed(parser: BlockParser, path: str, header: Header) -> list[Piece] | None:
    """Return the columns of a file (rows,): float64 with NaN for missing, or texts, in the order of their letters.

    None where a number is none, or may not be exact, where a text may be none, and where a record has another number of
    cells than there are columns.
    """
    import pandas

    width, texts = len(header.names), parser.texts_planned
    types: Any = np.float64
    # pandas takes all of them in for each column of every 256 kB: those within blanks are rare and left to the others.
    tokens = [token for token in parser.tokens if token == token.strip()]
    missing: Any = tokens
    if texts:  # pandas is much slower with one entry for each of many columns
        types = {i: "category" if i in texts else np.float64 for i in range(width)}
        missing = {i: tokens for i in range(width) if i not in texts}
        if width - 1 in texts:
            missing[width - 1] = [""]  # a record that is too short has the same there, and none may have
    # A name is nothing but a name here: neither an address, nor does its ending say how the file is packed.
    name = os.path.abspath(path)  # noqa: PTH100
    dialect = {**parser.dialect(), "compression": None, "skiprows": header.line - 1}
    try:
        with np.errstate(all="ignore"):
            frame = pandas.read_csv(name, dtype=types, na_values=missing, **dialect)
    except (ValueError, OverflowError, OSError, MemoryError, RuntimeError):  # RuntimeError: no further thread
        return None
    if not len(frame) or frame.shape[1] != width or not isinstance(frame.index, pandas.RangeIndex):
        return None
    columns: list[Piece] = []
    for i in range(width):
        column = _texts(frame[i]) if i in texts else frame[i].to_numpy()
        if column is None or (not isinstance(column, Texts) and reaches(column, EXACT_LIMIT)):
            return None
        columns.append(column)
    # A record with too few cells lacks the last one. One with too many pandas refuses, or takes its first cell for a
    # name, and then the last one of all others for missing.
    last = columns[-1]
    return None if not isinstance(last, Texts) and np.isnan(last).any() else columns


def _texts(column: Any) -> Texts | None:
    """Return a categorical column; None where a cell is missing, is enormous, or was made a number."""
    found = categories_of(column)
    if found is None or not found.distinct or found.codes.min() < 0:
        return None
    return found if max(map(len, found.distinct)) <= LONGEST_CELL else None


def _cut(
    blocks: Sequence[Block], columns: Sequence[Piece], parser: BlockParser
) -> Iterator[tuple[Block, Sequence[Piece]]]:
    row = 0
    for block in blocks:
        rows = slice(row, row + block.rows)
        yield block, parser.finished({i: _stretch(column, rows) for i, column in enumerate(columns)})
        row = rows.stop


def _stretch(column: Piece, rows: slice) -> Piece:
    """Return some rows of a column; texts in the order in which they appear there."""
    if not isinstance(column, Texts):
        return column[rows]
    given = column.codes[rows].astype(np.intp)
    there = np.flatnonzero(np.bincount(given, minlength=len(column.distinct)))
    codes, first = coded(np.searchsorted(there, given), len(there))
    return Texts(codes, [column.distinct[code] for code in given[first].tolist()])
