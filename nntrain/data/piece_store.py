"""The blocks of a file that were read, with the pieces of their columns: in memory, or in one file that is mapped.

The file is the magic, then block after block the pieces of all columns, each at a multiple of eight bytes, then a
footer in JSON that tells what they are, its length, its checksum, and the magic again. Every block has a checksum too,
so that a file that was cut short or damaged is never taken for data.
"""

from __future__ import annotations

import itertools
import json
import mmap
import struct
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np

from nntrain.data.pieces import ALIGNED, Array, Piece, Positions, Texts, memory_for, padded, put_into

_MAGIC = b"nntrain\x01"
_TRAILER = struct.Struct("<QQ8s")
_ROOM = 16 << 20
"""What is taken from the second block on; what is not used of it costs nothing."""


class DamagedError(Exception):
    """A file of pieces is cut short, changed, or none."""


@dataclass(frozen=True, slots=True)
class Block:
    """Where a stretch of whole records stands in the clean text of its file.

    ``start``, ``end``: offsets; ``rows``: its records; ``line``: the physical line it begins on; ``lines``: the line
    within it on which each record begins (rows,), from 0, or None where every line is a record; ``is_shortest``:
    whether it holds nothing but whole numbers, each written in the shortest way.
    """

    start: int
    end: int
    rows: int
    line: int
    lines: Positions | None = None
    is_shortest: bool = False


class Stored(Protocol):
    """Blocks that were read."""

    blocks: list[Block]

    def column(self, i: int) -> list[Piece]:
        """Return the pieces of a column, one for each block."""


class Store(Stored, Protocol):
    """Where blocks are put one after the other."""

    def add(self, block: Block, pieces: Sequence[Piece], keep: bool = False) -> None:
        """Put in a block with one piece for each column; they may be overwritten afterwards, or are for it to keep."""


class MemoryStore:
    """Pieces in memory, in few large arrays: the system hands those out in large pages, in an eighth of the time."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._pieces: list[Sequence[Piece]] = []
        self._room = np.empty(0, np.uint8)

    def add(self, block: Block, pieces: Sequence[Piece], keep: bool = False) -> None:
        if keep:
            self.blocks.append(block)
            self._pieces.append(pieces)
            return
        needed = memory_for(pieces)
        if needed > self._room.size:
            self._room = np.empty(max(needed, _ROOM if self.blocks else 0), np.uint8)
        self.blocks.append(block)
        self._pieces.append(put_into(self._room, pieces, block.rows))
        self._room = self._room[needed:]

    def column(self, i: int) -> list[Piece]:
        return [pieces[i] for pieces in self._pieces]


class PieceWriter:
    """Writes a file of pieces.

    Args:
        file: empty, open for writing; failures of the disk come through as ``OSError``.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = file.write(_MAGIC)
        self._entries: list[dict[str, Any]] = []

    def add(self, block: Block, pieces: Sequence[Piece]) -> None:
        """Write a block with one piece for each column."""
        entry: dict[str, Any] = {
            "start": block.start, "end": block.end, "rows": block.rows, "line": block.line,
            "is_shortest": block.is_shortest, "lines": block.lines is not None, "at": self._at, "check": 0,
        }  # fmt: skip
        if block.lines is not None:
            self._write(entry, block.lines.astype("<i4"))
        kinds: list[tuple[str, int]] = []
        for piece in pieces:
            if isinstance(piece, Texts):
                self._write(entry, piece.codes)
                distinct = json.dumps(list(piece.distinct), ensure_ascii=False).encode("utf-8", "surrogatepass")
                self._write(entry, np.frombuffer(distinct, np.uint8))
                kinds.append((f"t{piece.codes.itemsize}", len(distinct)))
            else:
                self._write(entry, piece)
                kinds.append((f"{piece.dtype.kind}{piece.dtype.itemsize}", 0))
        entry["kinds"] = [[*kind, sum(1 for _ in same)] for kind, same in itertools.groupby(kinds)]
        entry["size"] = self._at - entry["at"]
        self._entries.append(entry)

    def _write(self, entry: dict[str, Any], values: Array) -> None:
        data = np.ascontiguousarray(values).view(np.uint8).data
        padding = bytes(-len(data) % ALIGNED)
        for part in (data, padding):
            entry["check"] = zlib.crc32(part, entry["check"])
            self._file.write(part)
        self._at += len(data) + len(padding)

    def finish(self, about: Mapping[str, Any]) -> None:
        """Write the footer, with whatever else is to be known about the file, as plain values."""
        footer = json.dumps({"about": about, "blocks": self._entries}).encode()
        self._file.write(footer)
        self._file.write(_TRAILER.pack(len(footer), zlib.crc32(footer), _MAGIC))
        self._file.flush()


class PieceFile:
    """A file of pieces, mapped: what is not used takes no memory, and what is used may be dropped and read again.

    ``about`` is what :meth:`PieceWriter.finish` was given.

    Args:
        file: open for reading.
        check: whether to compare the checksums of the blocks, which takes as long as reading them.

    Raises:
        DamagedError: the file is not whole.
    """

    def __init__(self, file: BinaryIO, check: bool = True) -> None:
        try:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # of no bytes there is no map
            raise DamagedError("empty") from None
        footer = self._footer()
        self.about: dict[str, Any] = footer["about"]
        self._entries: list[dict[str, Any]] = footer["blocks"]
        if check:
            self._check()
        self.blocks = [self._block(entry) for entry in self._entries]
        self._places = np.stack([self._places_of(entry) for entry in self._entries])

    def _footer(self) -> Any:
        size = len(self._map)
        if size < len(_MAGIC) + _TRAILER.size or self._map[: len(_MAGIC)] != _MAGIC:
            raise DamagedError("too short, or of another kind")
        length, check, magic = _TRAILER.unpack(self._map[size - _TRAILER.size :])
        footer = self._map[max(0, size - _TRAILER.size - length) : size - _TRAILER.size]
        if magic != _MAGIC or zlib.crc32(footer) != check:
            raise DamagedError("the footer is damaged")
        return json.loads(footer)

    def _check(self) -> None:
        """Compare the checksums of all blocks, two at a time."""

        def check(entry: dict[str, Any]) -> bool:
            with memoryview(self._map)[entry["at"] : entry["at"] + entry["size"]] as data:
                return bool(zlib.crc32(data) == entry["check"])

        with ThreadPoolExecutor(2) as pool:
            if not all(pool.map(check, self._entries)):
                raise DamagedError("a block is damaged")

    def _block(self, entry: dict[str, Any]) -> Block:
        lines = self._array(entry["at"], "<i4", entry["rows"]) if entry["lines"] else None
        return Block(entry["start"], entry["end"], entry["rows"], entry["line"], lines, entry["is_shortest"])

    def _places_of(self, entry: dict[str, Any]) -> Positions:
        """Return for each column (columns, 4) the offset, item size, bytes of the distinct texts, and kind."""
        told = [[int(kind[1:]), extra, ord(kind[0]), times] for kind, extra, times in entry["kinds"]]
        kinds = np.array(told, np.intp)
        each = np.repeat(kinds[:, :3], kinds[:, 3], axis=0)
        sizes = padded(each[:, 0] * entry["rows"]) + padded(each[:, 1])
        first = entry["at"] + (padded(4 * entry["rows"]) if entry["lines"] else 0)
        return np.column_stack([first + np.cumsum(sizes) - sizes, each])

    def column(self, i: int) -> list[Piece]:
        """Return the pieces of a column, one for each block."""
        places = self._places[:, i].tolist()
        return [self._piece(entry["rows"], *place) for entry, place in zip(self._entries, places, strict=True)]

    def _piece(self, rows: int, at: int, size: int, extra: int, kind: int) -> Piece:
        if chr(kind) != "t":
            return self._array(at, f"<{chr(kind)}{size}", rows)
        start = at + padded(size * rows)
        distinct = self._map[start : start + extra].decode("utf-8", "surrogatepass")
        return Texts(self._array(at, f"<u{size}", rows), json.loads(distinct))

    def _array(self, at: int, dtype: str, count: int) -> Array:
        return np.frombuffer(self._map, np.dtype(dtype), count, at)


class FileStore:
    """Pieces in a file that is written block by block, and mapped once it is finished.

    Args:
        file: empty, open for writing and reading.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer = PieceWriter(file)
        self._mapped: PieceFile | None = None
        self.blocks: list[Block] = []

    def add(self, block: Block, pieces: Sequence[Piece], keep: bool = False) -> None:
        self.blocks.append(block)
        self._writer.add(block, pieces)

    def finish(self, about: Mapping[str, Any]) -> None:
        """Write what is left and map the file."""
        self._writer.finish(about)
        self._mapped = PieceFile(self._file, check=False)
        self.blocks = self._mapped.blocks

    def column(self, i: int) -> list[Piece]:
        assert self._mapped is not None, "a file is mapped when it is finished"
        return self._mapped.column(i)
