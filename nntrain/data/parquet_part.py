"""One Parquet file as columns of numbers and text, through the ``parquet`` extra."""

from __future__ import annotations

import errno
import hashlib
import importlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from nntrain.data.parsing import narrowed
from nntrain.data.piece_store import Block, FileStore, MemoryStore
from nntrain.data.pieces import Array, Piece, Positions, Texts, texts_of
from nntrain.errors import ConfigError, DataError, quote

BATCH_ROWS = 1 << 16
"""Rows that are converted at a time."""


class ParquetPart:
    """The rows of one Parquet file; the ``line`` of a row is its number, 1 for the first.

    Args:
        source: the file, open for reading, or its path.
        shown: the path as the user typed it.
        sha256: of its content.
        store: where the columns are put.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: the file is damaged, has no rows, or a column holds no plain values.
    """

    def __init__(self, source: Any, shown: str, sha256: str, store: MemoryStore | FileStore) -> None:
        try:
            arrow = importlib.import_module("pyarrow")
            parquet = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise ConfigError(
                "a Parquet file needs pyarrow, which is not installed",
                path=shown,
                help='pip install "nntrain[parquet]"',
            ) from None
        self.shown, self.sha256 = shown, sha256
        self.notices: list[str] = []
        self.looks_like_data = False
        self._store = store
        try:
            file = parquet.ParquetFile(source)
            schema = file.schema_arrow
            self.names: list[str] = [str(name) for name in schema.names]
            self.rows: int = file.metadata.num_rows
            self._check()
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                pieces = [self._read(batch.column(i), i) for i in range(len(self.names))]
                store.add(Block(0, 0, batch.num_rows, 0), pieces)
        except arrow.ArrowException as error:
            raise self._damaged(error) from None
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            raise self._damaged(error) from None
        if isinstance(store, FileStore):
            store.finish({})

    @classmethod
    def from_bytes(cls, raw: bytes, shown: str) -> ParquetPart:
        """Return the rows of a file that is in memory."""
        return cls(io.BytesIO(raw), shown, hashlib.sha256(raw).hexdigest(), MemoryStore())

    def _damaged(self, error: Exception) -> DataError:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        return DataError(f"the Parquet data is damaged ({quote(reason)})", path=self.shown)

    def _check(self) -> None:
        if not self.rows:
            raise DataError("0 data rows, expected at least 1 row", path=self.shown)
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise DataError(f"column {quote(twice)}: named more than once", path=self.shown)

    def _read(self, column: Any, i: int) -> Piece:
        """Return an Arrow array as integers, float64 with NaN for null, or texts with an empty cell for null."""
        types, kind = importlib.import_module("pyarrow.types"), column.type
        if types.is_dictionary(kind):
            return self._read(column.cast(kind.value_type), i)
        if types.is_integer(kind) and not column.null_count:
            return narrowed(np.asarray(column.to_numpy(zero_copy_only=False), np.int64))
        if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
            values = np.array([np.nan if value is None else float(value) for value in column.to_pylist()])
            return texts_of(column_of_text(column.to_pylist())) if np.isinf(values).any() else narrowed(values)
        if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            raise DataError(
                f"column {quote(self.names[i])}: expected numbers or text, got {quote(str(kind))}",
                path=self.shown,
                help="leave the column out, or write its parts as columns of their own",
            )
        return texts_of(column_of_text(column.to_pylist()))

    def pieces(self, column: int) -> list[Piece]:
        """Return a column as integers, float64 or texts, a piece for each batch of rows."""
        return self._store.column(column)

    def text(self, column: int) -> list[Texts]:
        """Return the values of a column as texts, an empty cell where one is missing, in the same pieces.

        Whole numbers are written without a point where the whole column holds nothing else, whatever its pieces are.
        """
        pieces = self.pieces(column)
        if any(not isinstance(piece, Texts) and piece.dtype.kind == "f" for piece in pieces):
            pieces = [piece if isinstance(piece, Texts) else piece.astype(np.float64) for piece in pieces]
        return [piece if isinstance(piece, Texts) else _as_texts(piece) for piece in pieces]

    def lines(self, rows: Sequence[int] | Positions) -> Positions:
        """Return the numbers of rows, 1 for the first."""
        return np.asarray(rows, dtype=np.intp) + 1


def _as_texts(numbers: Array) -> Texts:
    return texts_of(column_of_text(None if value != value else value for value in numbers.tolist()))


def column_of_text(values: Any) -> Array:
    """Return values as text (N,): None is an empty cell, truth values are ``true`` and ``false``.

    >>> column_of_text([None, True, "a", 1.5])
    array(['', 'true', 'a', '1.5'], dtype=object)
    """
    return np.array([_text(value) for value in values], dtype=object)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
