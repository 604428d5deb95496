"""From the bytes of a block to one piece of each column: integers, float64 or texts.

Every column is first read as what a sample of its cells is. A column that turns out to be something else is read again,
in that block, as a wider kind: integers, then float64, then text. pandas converts and nothing more; it never guesses a
type, and what it takes for a number although the grammar does not (``inf``, ``1e400``, ``True``) is found here.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import distinct_values
from nntrain.data.digits import small_numbers
from nntrain.data.grammar import FLOAT32_LIMIT, OTHER, Grammar
from nntrain.data.pieces import Array, Piece, Texts, coded, texts_of
from nntrain.data.plain_cells import PlainCells
from nntrain.data.structure import Checked

INTEGER, FLOAT, TEXT = range(3)
EXACT_LIMIT = 2.0**53
"""From this magnitude on float64 does not hold every integer."""

_SAMPLED_CELLS, _MOST_ROWS, _LEAST_ROWS = 20_000, 100, 5
_LEAST_PASSES = 1 << 16
"""Bytes of a text from which on passes of NumPy over it are sooner done than a loop over its cells."""
_CELLS = 3
"""Texts that may all be numbers: pandas would make numbers of the categories of such a column."""
_TYPES = {INTEGER: np.dtype(np.int64), FLOAT: np.dtype(np.float64), TEXT: "category", _CELLS: np.dtype(object)}
_TRUTH = ((b"u", b"rue"), (b"U", b"RUE"), (b"s", b"alse"), (b"S", b"ALSE"))
_LEAST_OF_TRUTH = ord("S")
_NARROW = (np.uint8, np.int8, np.int16, np.int32)


class BlockParser:
    """Parses the blocks of one file.

    Args:
        width: the number of columns.
        delimiter: one ASCII character.
        grammar: what a number and a missing cell is.
        small: whether to do without pandas: with passes of NumPy, or cell by cell.

    Attributes:
        tokens: the cells that mean a missing number.
    """

    def __init__(self, width: int, delimiter: str, grammar: Grammar, small: bool) -> None:
        self._width = width
        self._delimiter = delimiter
        self._grammar = grammar
        self._small = small
        self.tokens = grammar.tokens()
        self._kinds: list[int] = [TEXT] * width
        self.is_planned = False
        self._may_be_small_numbers = not grammar.has_missing_numbers
        self._plain_cells = PlainCells(width, ord(delimiter), grammar)
        self._plain_columns = [False] * width
        self._has_few_texts = False

    def plan(self, block: Checked) -> None:
        """Decide what to read each column as, from rows spread over the first block."""
        self.is_planned = True
        if self._small and (len(block.body) < _LEAST_PASSES or self._grammar.infinity_is_missing):
            self._may_be_small_numbers = False
            return  # each cell by itself
        wanted = max(_LEAST_ROWS, min(_MOST_ROWS, _SAMPLED_CELLS // self._width))
        picked = distinct_values(np.linspace(0, block.rows - 1, wanted).astype(np.intp))
        records = [_record(block, row) for row in picked]
        columns = list(zip(*self._plain_rows(b"".join(records)), strict=True))
        self._kinds = [self._kind(cells) for cells in columns]
        self._plain_columns = [
            self._plain_cells.may_read(cells, kind == TEXT) for cells, kind in zip(columns, self._kinds, strict=True)
        ]
        self._may_be_small_numbers &= max(self._kinds) == INTEGER
        texts = [cells for cells, kind in zip(columns, self._kinds, strict=True) if kind == TEXT]
        self._has_few_texts = all(2 * len(set(cells)) <= len(cells) for cells in texts)

    def small_numbers(self, body: bytes | memoryview) -> tuple[list[Piece], bool] | None:
        """Return the columns of a block that holds nothing but numbers 0 to 255, before it is checked, or None.

        The second of the two tells whether each number is written in the shortest way.
        """
        if not self._may_be_small_numbers:
            return None
        found = small_numbers(body, ord(self._delimiter), self._width)
        if found is None:
            self._may_be_small_numbers = False  # what fails once is not tried again
            return None
        return list(np.ascontiguousarray(found[0].T)), found[1]

    def plain(self, body: memoryview) -> tuple[int, dict[int, Piece]] | None:
        """Return the rows of a block that is not checked yet, and the columns that can be read without pandas.

        None where it must be checked first; what is read so passes the check.
        """
        if not any(self._plain_columns):
            return None
        kinds = {i: kind for i, kind in enumerate(self._kinds) if self._plain_columns[i]}
        *numeric, text = ([i for i, kind in kinds.items() if kind == wanted] for wanted in (INTEGER, FLOAT, TEXT))
        read = self._plain_cells.read(body, numeric, text)
        if read is None:
            return None
        rows, found = read
        return rows, {i: piece for i, piece in found.items() if not (kinds[i] == INTEGER and _is_beyond_exact(piece))}

    def parse(self, block: Checked, found: dict[int, Piece]) -> list[Piece]:
        """Return one piece (rows,) a column: integers of a narrow type, float64 with NaN, or texts.

        Args:
            block: to read.
            found: the columns that :meth:`plain` has read.
        """
        others = [i for i in range(self._width) if i not in found]
        if self._small:
            cells = zip(others, self.texts(block, others), strict=True)
            return self.finished(found | {i: self._from_texts(texts) for i, texts in cells})
        return self.finished(found | self._read_planned(block, others))

    def finished(self, found: dict[int, Piece]) -> list[Piece]:
        """Return the pieces of all columns, numbers in the narrowest type; their kinds are heeded in the next block."""
        every = (found[i] for i in range(self._width))
        pieces = [piece if isinstance(piece, Texts) else narrowed(piece) for piece in every]
        for i, piece in enumerate(pieces):  # what proved wrong here is right at once in the next block
            self._kinds[i] = max(self._kinds[i], _kind_of(piece))
        return pieces

    def texts(self, block: Checked, columns: Iterable[int]) -> list[Texts]:
        """Return the cells (rows,) of some columns as they stand in the file, without their quotes."""
        if not self._small:
            read = self._read(block, dict.fromkeys(columns, _CELLS))
            return [piece for piece in read if isinstance(piece, Texts)]
        cells = list(zip(*self._plain_rows(block.body), strict=True))
        return [texts_of(cells[i]) for i in columns]

    def _kind(self, cells: Sequence[str]) -> int:
        if self._grammar.infinity_is_missing:
            return TEXT  # pandas would take every spelling of infinity for missing
        if not self._grammar.has_missing_numbers and all(map(self._grammar.is_whole, cells)):
            return INTEGER  # where some number means missing, only float64 has a place for it
        return FLOAT if (self._grammar.convert(cells)[1] != OTHER).all() else TEXT

    def _plain_rows(self, body: memoryview | bytes) -> Iterator[list[str]]:
        text = str(body, "utf-8")
        return csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)

    def _read_planned(self, block: Checked, columns: Sequence[int]) -> dict[int, Piece]:
        """Return columns, read with pandas and as numbers where each of their cells is one by the grammar."""
        read = self._read_with_pandas(block, {i: self._kinds[i] for i in columns})
        for i in self._suspects(read, block):
            read[i] = self._from_texts(self.texts(block, [i])[0])
        return read

    def _read_with_pandas(self, block: Checked, planned: dict[int, int]) -> dict[int, Piece]:
        """Read each column as planned, or with float64 for integers, or as text that is then converted."""
        widened = {i: FLOAT if kind == INTEGER else kind for i, kind in planned.items()}
        for kinds in (planned, widened):
            try:
                return dict(zip(planned, self._read(block, kinds), strict=True))
            except (ValueError, OverflowError):  # some cell is not what its column was planned as
                continue
        texts = zip(planned, self.texts(block, planned), strict=True)
        return {i: text if planned[i] == TEXT else self._from_texts(text) for i, text in texts}

    def _read(self, block: Checked, kinds: dict[int, int]) -> list[Piece]:
        import pandas

        types: Any = {i: _TYPES[kind] for i, kind in kinds.items()}
        missing: Any = {i: self.tokens for i, kind in kinds.items() if kind == FLOAT}
        if len(set(kinds.values())) == 1:  # pandas is much slower with one entry for each of many columns
            types, missing = types.popitem()[1], self.tokens
        dialect: dict[str, Any] = {**self.dialect(), "dtype": types, "na_values": missing}
        with np.errstate(all="ignore"):
            frame = pandas.read_csv(
                _Reader(block.body),  # type: ignore[call-overload]
                usecols=None if len(kinds) == self._width else list(kinds),
                index_col=False,
                na_filter=FLOAT in kinds.values(),
                low_memory=TEXT not in kinds.values() and not may_hold_truth(block.body),
                **dialect,
            )
        if set(kinds.values()) == {INTEGER}:  # thousands of pixels: all at once
            return list(narrowed(frame.to_numpy().T))
        return [
            self._piece(block, i, kind, column)
            for (i, kind), (_, column) in zip(sorted(kinds.items()), frame.items(), strict=True)
        ]

    def dialect(self) -> dict[str, Any]:
        """Return what pandas is told in any case."""
        return {
            "sep": self._delimiter,
            "decimal": self._grammar.decimal,
            "header": None,
            "names": list(range(self._width)),
            "keep_default_na": False,
            "skip_blank_lines": False,
            "engine": "c",
        }

    @property
    def texts_planned(self) -> list[int]:
        """The columns planned as texts."""
        return [i for i, kind in enumerate(self._kinds) if kind == TEXT]

    @property
    def is_usual(self) -> bool:
        """Whether no number means missing, some numbers are large or broken, and texts are of a few kinds."""
        of_numbers = not self._grammar.has_missing_numbers and not self._may_be_small_numbers
        return self.is_planned and of_numbers and self._has_few_texts

    def _piece(self, block: Checked, i: int, kind: int, column: Any) -> Piece:
        if kind == TEXT:
            found = _texts(column)
            return self.texts(block, [i])[0] if found is None else found
        return texts_of(column.tolist()) if kind == _CELLS else column.to_numpy()

    def _suspects(self, pieces: dict[int, Piece], block: Checked) -> Iterator[int]:
        """Yield the columns in which pandas has taken something for a number that may be none.

        Those are infinities and what is too large for float32; and a column of ``True`` and ``False``, which comes as 1
        and 0, so that the first 0 or 1 is looked up in the file.
        """
        records: dict[int, list[str]] = {}
        for i, array in pieces.items():
            row = 0
            if isinstance(array, Texts):
                continue
            if array.dtype == np.float64:
                if reaches(array, FLOAT32_LIMIT):
                    yield i
                    continue
                row = int(np.isnan(array).argmin()) if np.isnan(array[0]) else 0
            if array[row] in (0, 1):
                if row not in records:
                    records[row] = next(self._plain_rows(_record(block, row)))
                if self._grammar.number(records[row][i]) is None:
                    yield i

    def _from_texts(self, texts: Texts) -> Piece:
        """Return numbers where all cells are numbers or missing, else the texts."""
        values, states = self._grammar.convert_distinct(texts.distinct)
        return texts if (states == OTHER).any() else values[texts.codes]


def _texts(column: Any) -> Texts | None:
    """Return a categorical column of pandas with its categories as they appear; None where it made numbers of them."""
    found = categories_of(column)
    if found is None:
        return None
    codes, first = coded(found.codes, len(found.distinct))
    return Texts(codes, [found.distinct[code] for code in found.codes[first].tolist()])


def categories_of(column: Any) -> Texts | None:
    """Return a categorical column of pandas in the order of its categories; None where it made numbers of them."""
    distinct = column.cat.categories.tolist()
    return Texts(column.cat.codes.to_numpy(), distinct) if all(isinstance(text, str) for text in distinct) else None


def may_hold_truth(body: memoryview | bytes) -> bool:
    """Whether there may be a ``True`` or ``False`` among numbers: by the letters, to find that there are none is quick.

    pandas takes a column of nothing else for ones and zeros, and with ``low_memory`` a stretch of a column too.
    """
    text = bytes(body)
    if not text:
        return False
    if np.frombuffer(text, np.uint8).max() < _LEAST_OF_TRUTH:
        return False
    return any(letter in text and word in text for letter, word in _TRUTH)


def _record(block: Checked, row: int) -> bytes:
    """Return the bytes of one record with its newline."""
    ends = block.record_ends
    return bytes(block.body[ends[row - 1] + 1 if row else 0 : ends[row] + 1])


class _Reader:
    """Bytes in memory as pandas' C reader takes them without decoding: anything with ``read`` that is not an IOBase."""

    def __init__(self, body: memoryview | bytes) -> None:
        # pandas drops a byte-order mark at the beginning; a chunk may begin with one that is part of a cell
        marked = bytes(body[:3]) == codecs.BOM_UTF8
        self._body = memoryview(codecs.BOM_UTF8 + body if marked else body)
        self._at = 0

    def read(self, size: int) -> bytes:
        piece = bytes(self._body[self._at : self._at + size])
        self._at += len(piece)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


def _kind_of(piece: Piece) -> int:
    return TEXT if isinstance(piece, Texts) else INTEGER if piece.dtype.kind in "iu" else FLOAT


def reaches(numbers: Any, limit: float) -> bool:
    """Whether the magnitude of one of some numbers is so large."""
    if numbers.min() > -limit and numbers.max() < limit:  # neither is so where one is missing
        return False
    return bool((np.abs(numbers) >= limit).any())


def _is_beyond_exact(numbers: Any) -> bool:
    """Whether float64 may not hold one of some numbers, as pandas' integers do."""
    return not (numbers.min() > -EXACT_LIMIT and numbers.max() < EXACT_LIMIT) and not np.isnan(numbers).any()


def is_whole(array: Array) -> bool:
    """Whether all values are whole numbers, none missing, that float64 holds exactly."""
    if not array.size or (array.dtype.kind in "iu" and array.itemsize < 8):
        return True
    exact = array.min() > -EXACT_LIMIT and array.max() < EXACT_LIMIT
    return bool(exact and (array.dtype.kind in "iu" or (array == np.trunc(array)).all()))


def narrowed(array: Array) -> Array:
    """Return integers in the narrowest type that holds them."""
    if array.itemsize < 8 or not array.size:
        return array
    if array.dtype == np.float64 and not (array[0] == np.trunc(array[0]) and is_whole(array)):
        return array
    low, high = int(array.min()), int(array.max())
    for narrow in _NARROW:
        limits = np.iinfo(narrow)
        if limits.min <= low and high <= limits.max:
            return array.astype(narrow)
    return array.astype(np.int64)
