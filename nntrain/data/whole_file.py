"""A large file of numbers that pandas parses as a whole, in its threads, while its bytes are looked through here.

pandas maps a file and parses it in place, with all processors and without Python's lock, which no way of feeding it
block by block comes near. It reads what no number of a well-formed table is, though: a record that is too short, one
with a quote somewhere, ``True``. What it makes of a file counts only where none of this can be; any other file is read
block by block, in the same pieces, and what is wrong with it is told then.

Files with texts are not read sooner so: pandas makes these with Python's lock held, which looking through bytes needs.

A file that is cut short while it is mapped ends the process that reads it, so that it is mapped only while
:func:`~nntrain.data.lease.nobody_writes`.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nntrain.core.processors import processors
from nntrain.data.available_memory import available_memory
from nntrain.data.header import Header
from nntrain.data.lease import nobody_writes
from nntrain.data.marks import NEWLINE, occurrences
from nntrain.data.parsing import EXACT_LIMIT, BlockParser, may_hold_truth, reaches
from nntrain.data.piece_store import Block
from nntrain.data.pieces import Array, Piece
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
    is_likely = parser.has_only_numbers and _is_plain(bytes(first))
    if not is_likely or cells * _BYTES_A_CELL > available_memory() // 4:
        return None
    with nobody_writes(file.path) as is_safe:
        if not is_safe:
            return None
        with ThreadPoolExecutor(1) as other:
            try:
                parsing = other.submit(_parsed, parser, file.path, header)
            except RuntimeError:  # there can be no further thread
                return None
            blocks = _looked_through(file, header, size)
            columns = parsing.result()
    if blocks is None or columns is None or sum(block.rows for block in blocks) != len(columns[0]):
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


def _parsed(parser: BlockParser, path: str, header: Header) -> list[Array] | None:
    """Return the numbers (rows,) of the columns of a file, float64 with NaN for missing.

    None where one is none, or may not be exact, and where a record has another number of cells than there are columns.
    """
    import pandas

    width = len(header.names)
    # A name is nothing but a name here: neither an address, nor does its ending say how the file is packed.
    name = os.path.abspath(path)  # noqa: PTH100
    dialect = {**parser.dialect(), "compression": None, "skiprows": header.line - 1}
    try:
        with np.errstate(all="ignore"):
            frame = pandas.read_csv(name, dtype=np.float64, na_values=parser.tokens, **dialect)
    except (ValueError, OverflowError, OSError, MemoryError, RuntimeError):  # RuntimeError: no further thread
        return None
    if not len(frame) or frame.shape[1] != width or not isinstance(frame.index, pandas.RangeIndex):
        return None
    columns = [frame[i].to_numpy() for i in range(width)]
    # A record with too few cells lacks the last one. One with too many pandas refuses, or takes its first cell for a
    # name, and then the last one of all others for missing.
    return None if np.isnan(columns[-1]).any() or any(reaches(column, EXACT_LIMIT) for column in columns) else columns


def _cut(
    blocks: Sequence[Block], columns: Sequence[Array], parser: BlockParser
) -> Iterator[tuple[Block, Sequence[Piece]]]:
    row = 0
    for block in blocks:
        rows = slice(row, row + block.rows)
        yield block, parser.finished({i: column[rows] for i, column in enumerate(columns)})
        row = rows.stop
