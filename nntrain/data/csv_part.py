"""One CSV file, read: its names, the pieces of its columns, and the way back from a row to a line of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from nntrain.core.array import distinct_values
from nntrain.core.beside import Beside
from nntrain.data.clean_text import CleanText, WholeText, window
from nntrain.data.decoding import decode, is_utf8
from nntrain.data.header import Header, checked_delimiter, read_header
from nntrain.data.parallel_blocks import ParallelBlocks, Parsed
from nntrain.data.parsing import BlockParser
from nntrain.data.piece_store import Block, MemoryStore, Store, Stored
from nntrain.data.pieces import Piece, Positions, Texts, coded, length, numbers_of
from nntrain.data.source import PlainFile
from nntrain.data.structure import Checked, Structure, cut_blocks, record_end
from nntrain.data.whole_file import may_be_read_whole, read_whole
from nntrain.errors import DataError, quote

if TYPE_CHECKING:
    from nntrain.data.table import ReadOptions

BLOCK_BYTES = 2 << 20
"""About how much is checked and parsed at a time: little memory, and enough for the milliseconds of a pandas call."""
SMALL_BYTES = 2 << 20
"""Text up to this size is read without pandas, sooner than that is imported."""
_PLANNED_BYTES = 1 << 18
"""By how much it is planned how a file is parsed as a whole."""
_HEADER_BYTES, _MOST_HEADER_BYTES = 1 << 20, 16 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """What the head of a file tells; ``notices`` without the path, which may be typed in another way next time."""

    delimiter: str
    names: list[str]
    notices: list[str]
    looks_like_data: bool

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


class CsvPart:
    """The rows of one CSV file.

    Args:
        shown: the path as the user typed it.
        options: how it is written.
        text: of the file, for what is looked up in it later.
        layout: of the file.
        store: its blocks, all read.
        sha256: of its bytes, or what is finding it out.
    """

    def __init__(
        self,
        shown: str,
        options: ReadOptions,
        text: CleanText,
        layout: Layout,
        store: Stored,
        sha256: str | Beside[str],
    ) -> None:
        self.shown, self._sha256 = shown, sha256
        self.names, self.looks_like_data = layout.names, layout.looks_like_data
        self.notices = [f"{shown}: {notice}" for notice in layout.notices]
        self._text, self._layout, self._store = text, layout, store
        self._parser = BlockParser(len(layout.names), layout.delimiter, options.grammar(), small=False)
        self._last_rows: Positions = np.cumsum([block.rows for block in store.blocks], dtype=np.intp)
        self.rows = int(self._last_rows[-1])

    @classmethod
    def from_bytes(cls, raw: bytes, shown: str, options: ReadOptions) -> CsvPart:
        """Return the rows of a file that is in memory.

        Raises:
            DataError: it is no well-formed table of at least one row.
        """
        data = decode(raw, options.encoding, shown)
        text, store = WholeText(data), MemoryStore()
        layout = read_blocks(text, shown, options, store, small=len(data) <= SMALL_BYTES)
        return cls(shown, options, text, layout, store, hashlib.sha256(raw).hexdigest())

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes.

        Raises:
            DataError: the file has changed since it was read.
        """
        return self._sha256 if isinstance(self._sha256, str) else self._sha256.result()

    def pieces(self, column: int) -> list[Piece]:
        """Return a column in pieces: integers, float64 with NaN for missing, or texts where a cell is no number."""
        return self._store.column(column)

    def text(self, column: int) -> list[Texts]:
        """Return the cells of a column verbatim, in the same pieces; where they were numbers they are read again."""
        blocks = zip(self._store.blocks, self.pieces(column), strict=True)
        return [self._texts(block, piece, column) for block, piece in blocks]

    def _texts(self, block: Block, piece: Piece, column: int) -> Texts:
        if isinstance(piece, Texts):
            return piece
        if block.is_shortest:
            return _numbers_as_texts(piece)
        body = window(self._text, block.start, block.end - block.start)
        checked = Structure(self._layout.delimiter, self.names, self.shown).check(body, block.line)
        texts = None if checked is None else self._parser.texts(checked, [column])[0]
        if texts is None or length(texts) != block.rows:
            raise DataError("the file has changed since it was read", path=self.shown, help="run the command again")
        return texts

    def lines(self, rows: Sequence[int] | Positions) -> Positions:
        """Return the physical lines on which rows begin."""
        wanted = np.asarray(rows, dtype=np.intp)
        block_of = np.searchsorted(self._last_rows, wanted, "right")
        lines = np.empty_like(wanted)
        for i in np.unique(block_of):
            there, block = block_of == i, self._store.blocks[i]
            inside = wanted[there] - (self._last_rows[i] - block.rows)
            lines[there] = block.line + (inside if block.lines is None else block.lines[inside])
        return lines


def _numbers_as_texts(numbers: Any) -> Texts:
    """Return whole numbers (rows,) from 0 to 255 as the texts they were."""
    distinct = distinct_values(numbers)
    codes, first = coded(np.searchsorted(distinct, numbers), len(distinct))
    return Texts(codes, [str(number) for number in numbers[first].tolist()])


def read_blocks(
    text: CleanText,
    shown: str,
    options: ReadOptions,
    store: Store,
    small: bool = False,
    file: PlainFile | None = None,
) -> Layout:
    """Read all blocks of a text into a store, and return its layout.

    Args:
        text: of the file.
        shown: the path, for messages.
        options: how the file is written.
        store: where the blocks go.
        small: whether to do without pandas.
        file: whose text it is, where the columns may be in memory.

    Raises:
        DataError: the text is no well-formed table of at least one row.
    """
    header = _header(text, shown, options)
    parser = BlockParser(len(header.names), header.delimiter, options.grammar(), small)
    reader = _Reader(text, shown, header, parser)
    whole = reader.whole(file) if file is not None and is_utf8(options.encoding) else None
    for block, pieces in whole or reader.blocks():
        store.add(block, pieces, keep=whole is not None and _are_mostly_wide(pieces))
    if not store.blocks:
        other = f"see whether the file is in {quote(options.encoding)}, as data.encoding says; most are in utf-8"
        help = None if is_utf8(options.encoding) else other
        raise DataError("a header and 0 data rows, expected at least 1 row", path=shown, help=help)
    notices = [notice.removeprefix(f"{shown}: ") for notice in header.notices]
    return Layout(header.delimiter, header.names, notices, header.looks_like_data)


def _are_mostly_wide(pieces: Sequence[Piece]) -> bool:
    """Whether few numbers have become narrower, so that the wide ones may be kept for the sake of the others."""
    return 2 * sum(numbers_of(piece).dtype == np.float64 for piece in pieces) >= len(pieces)


def layout_from(plain: Mapping[str, Any]) -> Layout:
    """Return the layout that :meth:`Layout.plain` described."""
    return Layout(**plain)


def _header(text: CleanText, shown: str, options: ReadOptions) -> Header:
    """Return the header, from the first records; from more of them where a quote is open at the end of those."""
    delimiter, size = checked_delimiter(options.delimiter), _HEADER_BYTES
    while True:
        head = window(text, 0, size)
        is_all = len(head) < size
        if not is_all and size >= _MOST_HEADER_BYTES and b"\n" not in head:
            raise _endless_line(shown)
        try:
            records = head if is_all else head[: record_end(head, 0, size)]
            return read_header(records, options.header, delimiter, options.decimal, shown)
        except DataError:
            if is_all or size >= _MOST_HEADER_BYTES:
                raise
        size *= 4


def _endless_line(shown: str) -> DataError:
    message = f"the first line is longer than {_MOST_HEADER_BYTES >> 20} MiB"
    return DataError(message, path=shown, line=1, help="give a CSV file, with the names of its columns on line 1")


class _Reader:
    """Checks and parses the blocks of a text, several at the same time; what comes out does not depend on how many.

    A block is checked where it is parsed, as if it began on line 0. One with a fault is checked once more in its turn,
    when it is known how many lines there are before it.
    """

    def __init__(self, text: CleanText, shown: str, header: Header, parser: BlockParser) -> None:
        self._text, self._header, self._parser = text, header, parser
        self._shown = shown
        self._structure = self._new_structure()
        self._line = header.line

    def whole(self, file: PlainFile) -> Iterator[tuple[Block, Sequence[Piece]]] | None:
        """Return the blocks and pieces of the file as :func:`read_whole` has them; None where it cannot."""
        if not may_be_read_whole(file):
            return None
        _, first = next(cut_blocks(self._text, self._header.start, _PLANNED_BYTES), (0, memoryview(b"")))
        checked = self._checked(first)
        if checked is None or not checked.rows:
            return None
        self._parser.plan(checked)
        return read_whole(file, self._header, self._parser, first, checked.rows, BLOCK_BYTES)

    def blocks(self) -> Iterator[tuple[Block, Sequence[Piece]]]:
        """Yield each block and its pieces, one for each column.

        Raises:
            DataError: at the end, with the first faults and their number; at once for a quote at a wrong place.
        """
        cut = cut_blocks(self._text, self._header.start, BLOCK_BYTES)
        for start, body in cut:
            if self._plan(body):
                cut = chain([(start, body)], cut)
                break
            yield from self._in_turn(start, body, None)
        with closing(ParallelBlocks(self._parse, 2 * BLOCK_BYTES)) as parallel:
            for start, body, parsed in parallel.in_order(cut):
                yield from self._in_turn(start, body, parsed)
        self._structure.raise_faults()

    def _in_turn(self, start: int, body: memoryview, parsed: Parsed | None) -> Iterator[tuple[Block, Sequence[Piece]]]:
        if parsed is None:
            text = bytes(body)
            checked = self._structure.check(text, self._line)
            newlines = text.count(b"\n") if checked is None else checked.newlines
        else:
            newlines = parsed.newlines
            if parsed.rows and not self._structure.has_faults:
                end, shortest = start + len(body), parsed.is_shortest
                yield Block(start, end, parsed.rows, self._line, parsed.lines, shortest), parsed.pieces
        self._line += newlines

    def _plan(self, body: memoryview) -> bool:
        """Plan by the first block, and return whether it could be done: by one that holds sound records."""
        checked = self._checked(body)
        if checked is not None and checked.rows:
            self._parser.plan(checked)
        return self._parser.is_planned

    def _parse(self, body: memoryview) -> Parsed | None:
        small = self._parser.small_numbers(body)
        if small is not None:
            rows = length(small[0][0])
            return Parsed(small[0], rows, rows, None, small[1])
        rows, found = self._parser.plain(body) or (0, {})
        if len(found) == len(self._header.names):
            return Parsed(self._parser.finished(found), rows, rows, None, False)
        checked = self._checked(body)
        if checked is None:
            return None
        pieces = self._parser.parse(checked, found) if checked.rows else []
        return Parsed(pieces, checked.rows, checked.newlines, checked.lines, False)

    def _new_structure(self) -> Structure:
        return Structure(self._header.delimiter, self._header.names, self._shown)

    def _checked(self, body: memoryview) -> Checked | None:
        try:
            return self._new_structure().check(bytes(body), 0)
        except DataError:  # raised again in its turn, with the right line
            return None
