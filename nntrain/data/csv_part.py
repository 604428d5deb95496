"""One CSV file, read: its names, one array a column, and the way back from a row to a line of the file."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nntrain.data.decoding import decode
from nntrain.data.header import checked_delimiter, read_header
from nntrain.data.marks import Positions
from nntrain.data.parsing import Array, ChunkParser
from nntrain.data.structure import Chunk, Structure
from nntrain.errors import DataError

if TYPE_CHECKING:
    from nntrain.data.table import ReadOptions

CHUNK_BYTES = 16 << 20
"""About how much is checked and parsed at a time: a call of pandas costs milliseconds that threads cannot share."""
SMALL_BYTES = 2 << 20
"""Files up to this size are read with the standard library, which is sooner done than pandas is imported."""
_MOST_THREADS = 4


class CsvPart:
    """The rows of one CSV file.

    Args:
        raw: the bytes of the file.
        shown: the path as the user typed it.
        options: how it is written.
    """

    def __init__(self, raw: bytes, shown: str, options: ReadOptions) -> None:
        self.shown = shown
        delimiter = checked_delimiter(options.delimiter)
        with ThreadPoolExecutor(_threads()) as pool:
            digest = pool.submit(hashlib.sha256, raw)  # the bytes wait for nobody: hashed while they are parsed
            data = decode(raw, options.encoding, shown)
            header = read_header(data, options.header, delimiter, options.decimal, shown)
            self.names = header.names
            self.notices = header.notices
            self.looks_like_data = header.looks_like_data
            self._structure = Structure(data, header.delimiter, header.names, shown, CHUNK_BYTES)
            small = len(data) <= SMALL_BYTES
            self._parser = ChunkParser(len(header.names), header.delimiter, options.grammar(), small)
            self._chunks: list[Chunk] = []
            self._columns = self._parse(header.start, header.line, pool)
            self.sha256 = digest.result().hexdigest()
        self.rows = sum(chunk.rows for chunk in self._chunks)
        if not self.rows:
            raise DataError("a header and 0 data rows, expected at least 1 row", path=shown)

    def _parse(self, start: int, line: int, pool: ThreadPoolExecutor) -> list[list[Array]]:
        """Check chunk after chunk here while the pool parses those before; return ``columns[column]``."""
        waiting: deque[Future[list[Array]]] = deque()
        parsed: list[list[Array]] = []
        for chunk, record_ends in self._structure.chunks(start, line):
            if not chunk.rows:
                continue
            if not self._chunks:
                self._parser.plan(chunk, record_ends)
            self._chunks.append(chunk)
            waiting.append(pool.submit(self._parser.parse, chunk, record_ends))
            if len(waiting) > 2 * _threads():
                parsed.append(waiting.popleft().result())
        parsed.extend(future.result() for future in waiting)
        return [list(pieces) for pieces in zip(*parsed, strict=True)]

    def pieces(self, column: int) -> list[Array]:
        """Return a column in pieces: integers and float64 with NaN for missing, or text if a cell is not a number."""
        if any(piece.dtype == object for piece in self._columns[column]):
            self._columns[column] = self.text(column)
        return self._columns[column]

    def text(self, column: int) -> list[Array]:
        """Return the cells of a column verbatim, in pieces; where they were numbers they are read again."""
        return [
            piece if piece.dtype == object else self._parser.texts(chunk, [column])[0]
            for chunk, piece in zip(self._chunks, self._columns[column], strict=True)
        ]

    def lines(self, rows: Sequence[int] | Positions) -> Positions:
        """Return the physical lines on which rows begin."""
        wanted = np.asarray(rows, dtype=np.intp)
        chunk_of = np.searchsorted(self._first_rows, wanted, "right") - 1
        lines = np.empty_like(wanted)
        for i in np.unique(chunk_of):
            there = chunk_of == i
            lines[there] = self._chunk_lines(int(i))[wanted[there] - self._first_rows[i]]
        return lines

    @cached_property
    def _first_rows(self) -> Positions:
        return np.array([chunk.first_row for chunk in self._chunks], dtype=np.intp)

    @cached_property
    def _lines_by_chunk(self) -> dict[int, Positions]:
        return {}

    def _chunk_lines(self, i: int) -> Positions:
        if i not in self._lines_by_chunk:
            self._lines_by_chunk[i] = self._structure.lines(self._chunks[i])
        return self._lines_by_chunk[i]


def _threads() -> int:
    """How many chunks are parsed at a time; the result does not depend on it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(available, _MOST_THREADS))
