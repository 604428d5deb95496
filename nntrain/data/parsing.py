"""From the bytes of a chunk to one array a column: integers, float64 or text.

Every column is first read as what a sample of its cells is. A column that turns out to be something else is read again,
in that chunk, as a wider kind: integers, then float64, then text. pandas converts and nothing more; it never guesses a
type, and what it takes for a number although the grammar does not (``inf``, ``1e400``, ``True``) is found here.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nntrain.data.grammar import FLOAT32_LIMIT, OTHER, Grammar
from nntrain.data.marks import Positions
from nntrain.data.structure import Chunk

INTEGER, FLOAT, TEXT = range(3)
EXACT_LIMIT = 2.0**53
"""From this magnitude on float64 does not hold every integer."""

_SAMPLED_CELLS, _MOST_ROWS, _LEAST_ROWS = 20_000, 100, 5
_TYPES = {INTEGER: np.dtype(np.int64), FLOAT: np.dtype(np.float64), TEXT: np.dtype(object)}
_TRUTH = ((b"u", b"rue"), (b"U", b"RUE"), (b"s", b"alse"), (b"S", b"ALSE"))
_NARROW = (np.uint8, np.int8, np.int16, np.int32)

Array = NDArray[Any]


class ChunkParser:
    """Parses the chunks of one file.

    Args:
        width: the number of columns.
        delimiter: one ASCII character.
        grammar: what a number and a missing cell is.
        small: whether to do without pandas.
    """

    def __init__(self, width: int, delimiter: str, grammar: Grammar, small: bool) -> None:
        self._width = width
        self._delimiter = delimiter
        self._grammar = grammar
        self._small = small
        self._tokens = grammar.tokens()
        self._kinds: list[int] = []

    def plan(self, chunk: Chunk, record_ends: Positions) -> None:
        """Decide what to read each column as, from rows spread over the first chunk."""
        if self._small:
            return
        wanted = max(_LEAST_ROWS, min(_MOST_ROWS, _SAMPLED_CELLS // self._width))
        picked = np.unique(np.linspace(0, chunk.rows - 1, wanted).astype(np.intp))
        records = [_record(chunk, record_ends, row) for row in picked]
        columns = zip(*self._plain_rows(b"".join(records)), strict=True)
        self._kinds = [self._kind(cells) for cells in columns]

    def _kind(self, cells: Sequence[str]) -> int:
        if self._grammar.infinity_is_missing:
            return TEXT  # pandas would take every spelling of infinity for missing
        if all(map(self._grammar.is_whole, cells)):
            return INTEGER
        return FLOAT if (self._grammar.convert(cells)[1] != OTHER).all() else TEXT

    def parse(self, chunk: Chunk, record_ends: Positions) -> list[Array]:
        """Return one array (rows,) a column: integers of a narrow type, float64 with NaN, or text."""
        if self._small:
            return [self._from_text(cells) for cells in self.texts(chunk, range(self._width))]
        arrays = self._read_planned(chunk)
        for i in self._suspects(arrays, chunk, record_ends):
            arrays[i] = self._from_text(self.texts(chunk, [i])[0])
        arrays = [narrowed(array) for array in arrays]
        for i, array in enumerate(arrays):  # what proved wrong here is right at once in the next chunk
            self._kinds[i] = max(self._kinds[i], _kind_of(array))
        return arrays

    def texts(self, chunk: Chunk, columns: Iterable[int]) -> list[Array]:
        """Return the cells (rows,) of some columns as they stand in the file, without their quotes."""
        if not self._small:
            return self._read(chunk, dict.fromkeys(columns, TEXT))
        cells = list(zip(*self._plain_rows(chunk.body), strict=True))
        return [np.array(cells[i], object) for i in columns]

    def _plain_rows(self, body: memoryview | bytes) -> Iterator[list[str]]:
        text = str(body, "utf-8")
        return csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)

    def _read_planned(self, chunk: Chunk) -> list[Array]:
        """Read each column as planned, or with float64 for integers, or as text that is then converted."""
        planned = dict(enumerate(self._kinds))
        widened = {i: FLOAT if kind == INTEGER else kind for i, kind in planned.items()}
        for kinds in (planned, widened):
            try:
                return self._read(chunk, kinds)
            except (ValueError, OverflowError):  # some cell is not what its column was planned as
                continue
        texts = self.texts(chunk, range(self._width))
        return [text if planned[i] == TEXT else self._from_text(text) for i, text in enumerate(texts)]

    def _read(self, chunk: Chunk, kinds: dict[int, int]) -> list[Array]:
        import pandas

        types: Any = {i: _TYPES[kind] for i, kind in kinds.items()}
        missing: Any = {i: self._tokens for i, kind in kinds.items() if kind == FLOAT}
        if len(set(kinds.values())) == 1:  # pandas is much slower with one entry for each of many columns
            types, missing = types.popitem()[1], self._tokens
        with np.errstate(all="ignore"):
            frame = pandas.read_csv(
                _Reader(chunk.body),  # type: ignore[call-overload]
                sep=self._delimiter,
                decimal=self._grammar.decimal,
                header=None,
                names=list(range(self._width)),
                usecols=None if len(kinds) == self._width else list(kinds),
                index_col=False,
                dtype=types,
                na_values=missing,
                keep_default_na=False,
                na_filter=FLOAT in kinds.values(),
                skip_blank_lines=False,
                low_memory=not _holds_truth(chunk.body),
                engine="c",
            )
        if set(kinds.values()) == {INTEGER}:  # thousands of pixels: all at once
            return list(narrowed(frame.to_numpy().T))
        return [column.to_numpy() for _, column in frame.items()]

    def _suspects(self, arrays: list[Array], chunk: Chunk, record_ends: Positions) -> Iterator[int]:
        """Yield the columns in which pandas has taken something for a number that may be none.

        Those are infinities and what is too large for float32; and a column of ``True`` and ``False``, which comes as 1
        and 0, so that the first 0 or 1 is looked up in the file.
        """
        records: dict[int, list[str]] = {}
        truth = _holds_truth(chunk.body)
        for i, array in enumerate(arrays):
            row = 0
            if array.dtype == object:
                continue
            if array.dtype == np.float64 and not (array.min() > -FLOAT32_LIMIT and array.max() < FLOAT32_LIMIT):
                if (np.abs(array) >= FLOAT32_LIMIT).any():
                    yield i
                    continue
                row = int(np.isnan(array).argmin())
            if truth and array[row] in (0, 1):
                if row not in records:
                    records[row] = next(self._plain_rows(_record(chunk, record_ends, row)))
                if self._grammar.number(records[row][i]) is None:
                    yield i

    def _from_text(self, cells: Array) -> Array:
        """Return numbers where all cells are numbers or missing, else the cells."""
        values, states = self._grammar.convert(cells)
        return cells if (states == OTHER).any() else narrowed(values)


def _holds_truth(body: memoryview | bytes) -> bool:
    """Whether there may be a ``True`` or ``False``.

    pandas takes a column of nothing else for ones and zeros, and with ``low_memory`` a stretch of a column too.
    """
    text = bytes(body)  # the letters first: to find that there is none takes no time
    return any(letter in text and word in text for letter, word in _TRUTH)


def _record(chunk: Chunk, record_ends: Positions, row: int) -> bytes:
    """Return the bytes of one record with its newline."""
    return bytes(chunk.body[record_ends[row - 1] + 1 if row else 0 : record_ends[row] + 1])


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


def _kind_of(array: Array) -> int:
    return TEXT if array.dtype == object else INTEGER if array.dtype.kind in "iu" else FLOAT


def is_whole(array: Array) -> bool:
    """Whether all values are whole numbers, none missing, that float64 holds exactly."""
    if not array.size or (array.dtype.kind in "iu" and array.itemsize < 8):
        return True
    exact = array.min() > -EXACT_LIMIT and array.max() < EXACT_LIMIT
    return bool(exact and (array.dtype.kind in "iu" or (array == np.trunc(array)).all()))


def narrowed(array: Array) -> Array:
    """Return integers in the narrowest type that holds them."""
    if array.dtype == object or array.itemsize < 8 or not array.size:
        return array
    if array.dtype == np.float64 and not (array[0] == np.trunc(array[0]) and is_whole(array)):
        return array
    low, high = int(array.min()), int(array.max())
    for narrow in _NARROW:
        limits = np.iinfo(narrow)
        if limits.min <= low and high <= limits.max:
            return array.astype(narrow)
    return array.astype(np.int64)
