"""A large file that pandas parses as a whole, in its threads, while its bytes are looked through here.

pandas maps a file and parses it in place, with all processors and without Python's lock, which no way of feeding it
block by block comes near. It reads what no number of a well-formed table is, though: a record that is too short, one
with a quote somewhere, ``True``. What it makes of a file counts only where none of this can be; any other file is read
block by block, in the same pieces, and what is wrong with it is told then.

Texts are few kinds, which a sample of the file tells, or the file is read block by block: pandas parses pieces with
other texts each, which do not fit together, one after the other.

A file that is cut short while it is mapped ends the process that reads it, so that it is mapped only while
:func:`~nntrain.data.lease.nobody_writes`.
"""

from __future__ import annotations

import codecs
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from nntrain.core.processors import processors
from nntrain.data.available_memory import available_memory
from nntrain.data.header import Header
from nntrain.data.lease import nobody_writes
from nntrain.data.marks import NEWLINE, occurrences
from nntrain.data.parsing import EXACT_LIMIT, BlockParser, may_hold_truth, reaches
from nntrain.data.piece_store import Block
from nntrain.data.pieces import Piece, Texts, coded, length
from nntrain.data.source import PlainFile

LEAST_BYTES = 8 << 20
"""Smaller files are read block by block: pandas has one thread for what is below 5 MiB."""
_SAMPLES, _SAMPLED_BYTES = 16, 1 << 16
_REPEATED = 8
"""Times that each text of a column is in the sample, on average, where it is taken for all there are."""
_BYTES_A_CELL = 16
"""pandas holds each number twice for a moment."""


def read_whole(
    file: PlainFile, header: Header, parser: BlockParser, first: memoryview, rows: int, size: int
) -> Iterator[tuple[Block, Sequence[Piece]]] | None:
    """Return the blocks of a file, each with one piece a column, or None where it must be read block by block.

    Args:
        file: UTF-8, or what is the same in it.
        header: of the file.
        parser: planned by the first block.
        first: the bytes of the first block.
        rows: of the first block.
        size: about how many bytes a block shall have.
    """
    cells = file.status.st_size * rows * len(header.names) // max(1, len(first))
    if (
        file.status.st_size < LEAST_BYTES
        or file.is_packed
        or file.head.startswith(codecs.BOM_UTF8)
        or not parser.has_usual_numbers
        or not _is_plain(bytes(first))
        or processors() == 1
        or cells * _BYTES_A_CELL > available_memory() // 4
    ):
        return None
    texts = _known_texts(parser, file, header)
    if texts is None:
        return None
    with nobody_writes(file.path) as is_safe:
        if not is_safe:
            return None
        with ThreadPoolExecutor(1) as other:
            try:
                parsing = other.submit(_parsed, parser, file.path, header, texts)
            except RuntimeError:  # there can be no further thread
                return None
            blocks = _looked_through(file, header, size)
            columns = parsing.result()
    if blocks is None or columns is None or sum(block.rows for block in blocks) != length(columns[0]):
        return None
    return _cut(blocks, columns, parser)


def _looked_through(file: PlainFile, header: Header, size: int) -> list[Block] | None:
    """Return where the records of a file stand, each on one line; None where a byte may mean something else."""
    blocks: list[Block] = []
    at, start, line, rows = 0, header.start, header.line, 0
    for content in file.blocks():
        skipped = max(0, header.start - at)
        text = content[skipped:] if skipped else content
        if b"\r" in content[:skipped] or not _is_plain(text):
            return None
        last = text.rfind(b"\n")
        if last >= 0:
            rows += occurrences(np.frombuffer(text, np.uint8), NEWLINE)
            end = at + skipped + last + 1
            if end - start >= size:
                blocks.append(Block(start, end, rows, line))
                start, line, rows = end, line + rows, 0
        at += len(content)
    if at > start:
        is_open = last + 1 < len(text)  # the last line does not end; the clean text has the newline
        blocks.append(Block(start, at + is_open, rows + is_open, line))
    return blocks


def _is_plain(text: bytes) -> bool:
    """Whether text has one reading: no quote, one kind of line end, nothing like ``True``, which pandas counts."""
    return text.isascii() and not any(byte in text for byte in (b'"', b"\r", b"\0")) and not may_hold_truth(text)


def _parsed(parser: BlockParser, path: str, header: Header, texts: dict[int, list[str]]) -> list[Piece] | None:
    """Return the columns (rows,) of a file, float64 with NaN for missing, or texts.

    None where a number is none, or may not be exact, where a text is new, and where a record has another number of
    cells than there are columns.
    """
    import pandas

    width = len(header.names)
    types: Any = np.float64
    missing: Any = parser.tokens
    if texts:
        types = {i: pandas.CategoricalDtype(texts[i]) if i in texts else np.float64 for i in range(width)}
        missing = {i: parser.tokens for i in range(width) if i not in texts}
    # A name is nothing but a name here: neither an address, nor does its ending say how the file is packed.
    name, dialect = os.path.abspath(path), {**parser.dialect(), "dtype": types, "compression": None}  # noqa: PTH100
    try:
        with Path(name).open("rb") as file:
            lines = file.read(header.start).count(b"\n")
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of texts that are not known, which shall be errors in pandas 4
            frame = pandas.read_csv(name, skiprows=lines, na_values=missing, **dialect)
    except (ValueError, OverflowError, OSError, MemoryError, RuntimeError):  # RuntimeError: no further thread
        return None
    if not len(frame) or frame.shape[1] != width or not isinstance(frame.index, pandas.RangeIndex):
        return None
    columns: list[Piece] = []
    for i, (_, column) in enumerate(frame.items()):
        if i in texts:
            columns.append(Texts(column.cat.codes.to_numpy(), texts[i]))
        else:
            numbers = column.to_numpy()
            columns.append(numbers if np.count_nonzero(numbers) == len(numbers) else numbers + 0.0)  # no -0.0
    return None if _lacks_cells(columns[-1]) or any(map(_is_doubtful, columns)) else columns


def _is_doubtful(column: Piece) -> bool:
    """Whether there is a text that was not known, or a number that float64 may not hold, or float32 at all."""
    if isinstance(column, Texts):
        return bool(column.codes.min() < 0)
    return reaches(column, EXACT_LIMIT)


def _lacks_cells(last: Piece) -> bool:
    """Whether the last column has an empty cell, as it has where a record is too short.

    One that is too long pandas refuses, or takes its first cell for a name, and then the last of all others for empty.
    """
    if isinstance(last, Texts):
        return "" in last.distinct and bool((last.codes == last.distinct.index("")).any())
    return bool(np.isnan(last).any())


def _known_texts(parser: BlockParser, file: PlainFile, header: Header) -> dict[int, list[str]] | None:
    """Return the texts in a sample of each column of texts; None where they repeat too seldom."""
    columns = parser.columns_of_text
    rows = list(parser.plain_rows(_sample(file, header.start))) if columns else []
    if any(len(row) != len(header.names) for row in rows):
        return None
    found = {i: list(dict.fromkeys(row[i] for row in rows)) for i in columns}
    return found if all(_REPEATED * len(texts) <= len(rows) for texts in found.values()) else None


def _sample(file: PlainFile, start: int) -> bytes:
    """Return records from all over a file, whole lines of them."""
    found = []
    with Path(file.path).open("rb") as content:
        for i in range(_SAMPLES):
            at = start + i * (file.status.st_size - start) // _SAMPLES
            content.seek(max(0, at - 1))
            lines = content.read(_SAMPLED_BYTES)
            found.append(lines[lines.find(b"\n") + 1 : lines.rfind(b"\n") + 1])
    return b"".join(found) if all(map(_is_plain, found)) else b""


def _cut(
    blocks: Sequence[Block], columns: Sequence[Piece], parser: BlockParser
) -> Iterator[tuple[Block, Sequence[Piece]]]:
    row = 0
    for block in blocks:
        rows = slice(row, row + block.rows)
        yield block, parser.finished({i: _part(column, rows) for i, column in enumerate(columns)})
        row = rows.stop


def _part(column: Piece, rows: slice) -> Piece:
    """Return some rows of a column, texts with nothing but those that are among them."""
    if not isinstance(column, Texts):
        return column[rows]
    codes = column.codes[rows]
    present = np.bincount(codes, minlength=len(column.distinct)) > 0
    own, first = coded((np.cumsum(present) - 1)[codes], int(np.count_nonzero(present)))
    return Texts(own, [column.distinct[code] for code in codes[first].tolist()])
