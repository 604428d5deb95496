"""One Parquet file as columns of numbers and text, through the ``parquet`` extra."""

from __future__ import annotations

import hashlib
import importlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from nntrain.data.marks import Positions
from nntrain.data.parsing import Array, narrowed
from nntrain.errors import ConfigError, DataError, quote


class ParquetPart:
    """The rows of one Parquet file; the ``line`` of a row is its number, 1 for the first.

    Args:
        raw: the bytes of the file.
        shown: the path as the user typed it.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: the file is damaged, has no rows, or a column holds no plain values.
    """

    def __init__(self, raw: bytes, shown: str) -> None:
        try:
            arrow = importlib.import_module("pyarrow")
            parquet = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise ConfigError(
                "a Parquet file needs pyarrow, which is not installed",
                path=shown,
                help='pip install "nntrain[parquet]"',
            ) from None
        self.shown = shown
        self.sha256 = hashlib.sha256(raw).hexdigest()
        self.notices: list[str] = []
        self.looks_like_data = False
        try:
            table = parquet.read_table(io.BytesIO(raw))
        except (arrow.ArrowException, OSError, ValueError) as error:
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise DataError(f"the Parquet data is damaged ({quote(reason)})", path=shown) from None
        self.names: list[str] = [str(name) for name in table.column_names]
        self.rows: int = table.num_rows
        if not self.rows:
            raise DataError("0 data rows, expected at least 1 row", path=shown)
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise DataError(f"column {quote(twice)}: named more than once", path=shown)
        self._columns = [self._read(table.column(i), i) for i in range(len(self.names))]

    def _read(self, column: Any, i: int) -> Array:
        """Return an Arrow column as integers, float64 with NaN for null, or text with an empty cell for null."""
        types, kind = importlib.import_module("pyarrow.types"), column.type
        if types.is_dictionary(kind):
            return self._read(column.cast(kind.value_type), i)
        if types.is_integer(kind) and not column.null_count:
            return narrowed(np.asarray(column.to_numpy(), np.int64))
        if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
            values = np.array([np.nan if value is None else float(value) for value in column.to_pylist()])
            return column_of_text(column.to_pylist()) if np.isinf(values).any() else narrowed(values)
        if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            raise DataError(
                f"column {quote(self.names[i])}: expected numbers or text, got {quote(str(kind))}",
                path=self.shown,
                help="leave the column out, or write its parts as columns of their own",
            )
        return column_of_text(column.to_pylist())

    def pieces(self, column: int) -> list[Array]:
        """Return a column (rows,) as integers, float64 or text, in one piece."""
        return [self._columns[column]]

    def text(self, column: int) -> list[Array]:
        """Return the values (rows,) of a column as text, an empty cell where one is missing, in one piece."""
        values = self._columns[column]
        if values.dtype == object:
            return [values]
        return [column_of_text(None if value != value else value for value in values.tolist())]

    def lines(self, rows: Sequence[int] | Positions) -> Positions:
        """Return the numbers of rows, 1 for the first."""
        return np.asarray(rows, dtype=np.intp) + 1


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
