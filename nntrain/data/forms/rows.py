"""The plain table: an example is a row, and each column becomes one input or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.data.category_encoder import CategoryEncoder
from nntrain.data.chunks import CHUNK_ROWS, Selection, chunks, row_numbers
from nntrain.data.column_types import ColumnKind
from nntrain.data.encoders import Encoder, Encoding
from nntrain.data.features import encoder_from, make_encoders
from nntrain.data.forms.base import Examples, Form, kept_rows, plain_examples, too_large
from nntrain.data.missing import drop_missing
from nntrain.data.notices import Notice
from nntrain.data.options import DataOptions
from nntrain.data.storage import MEMORY, Storage, storage_for
from nntrain.data.table import Table
from nntrain.data.target import Target

_BLOCK_VALUES = 1 << 17
"""Inputs of narrow rows that are written before they are dealt out to the parts: they stay in the processor's cache."""
_FEWEST_ROWS = 256
"""A stretch has so many rows at least, however wide they are."""
_USUAL_ROWS, _MOST_VALUES = 2048, 1 << 21
"""Of wide rows it has more, up to so many values: each column costs some calls, whose price many numbers share."""


class EncodedColumns(Form):
    """Base of the forms whose columns are encoded one by one.

    Args:
        encoders: one for each feature column.
        kinds: what each column is, by name.
        notices: what is odd about the columns.
    """

    def __init__(
        self, encoders: Sequence[Encoder], kinds: Mapping[str, ColumnKind] | None = None, notices: Sequence[str] = ()
    ) -> None:
        self.encoders = list(encoders)
        self.kinds = kinds or {}
        self.notices = list(notices)

    @property
    def columns(self) -> list[str]:
        return [encoder.name for encoder in self.encoders]

    @property
    def feature_names(self) -> list[str]:
        return [name for encoder in self.encoders for name in encoder.outputs()]

    @property
    def embedded(self) -> dict[int, int]:
        found, at = {}, 0
        for encoder in self.encoders:
            codes = encoder.embedded if isinstance(encoder, CategoryEncoder) else None
            if codes is not None:
                found[at] = codes
            at += len(encoder.outputs())
        return found

    def select(self, table: Table) -> Array:
        return self.whole_rows(table)

    def whole_rows(self, table: Table) -> Array:
        """Return the numbers of all rows, but for ``missing: drop`` those without a missing cell."""
        dropping = [one for one in self.encoders if one.missing == "drop" and one.name in table.columns]
        if not dropping:
            return row_numbers(table.rows)
        whole = np.ones(table.rows, bool)
        for encoder in dropping:
            drop_missing(table.columns[encoder.name], encoder.kind != "categorical", whole)
        return kept_rows(table, whole)

    def dropped(self, table: Table) -> int:
        return table.rows - len(self.whole_rows(table))

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        odd: list[Notice] = []
        for encoder in self.encoders:
            encoder.fit(table.columns[encoder.name], rows)
            odd += encoder.notices
        return odd

    def encode(
        self, table: Table, rows: Sequence[Array], storage: Storage = MEMORY
    ) -> tuple[list[Array], list[Notice]]:
        """Return the input (N, F) float32 for some rows, once for each array of row numbers, and notices.

        Stretch by stretch over all rows of the table, so that what is in memory besides does not grow with them.

        Args:
            table: that holds the columns.
            rows: row numbers (N,) of each part.
            storage: where the inputs are kept.
        """
        self.check_columns(table)
        width = len(self.feature_names)
        parts = [storage.empty((len(chosen), width), np.float32) for chosen in rows]
        encodings, notices = [], []
        for encoder in self.encoders:
            encodings.append(encoder.encoding(table.columns[encoder.name]))
            notices += encoder.notices
        size = _stretch_rows(width)
        block = np.empty((min(size, table.rows), width), np.float32)
        selections = [Selection(chosen, table.rows) for chosen in rows]
        for stretch in chunks(table.rows, size):
            inputs = block[: stretch.stop - stretch.start]
            self._write(table, encodings, stretch, inputs)
            for part, selection in zip(parts, selections, strict=True):
                selection.deal(inputs, stretch, part)
        return parts, notices

    def _write(self, table: Table, encodings: Sequence[Encoding], rows: slice, out: Array) -> None:
        """Write the inputs (M, F) of a stretch of rows.

        Raises:
            DataError: a scaled value does not fit into float32.
        """
        at = 0
        with np.errstate(over="ignore"):
            for encoder, encoding in zip(self.encoders, encodings, strict=True):
                width = len(encoder.outputs())
                encoding(rows, out[:, at : at + width])
                at += width
        if not np.isfinite(out).all():
            column = int(np.flatnonzero(~np.isfinite(out).all(axis=0))[0])
            names = [encoder.name for encoder in self.encoders for _ in encoder.outputs()]
            row = rows.start + int(np.flatnonzero(~np.isfinite(out[:, column]))[0])
            raise too_large(table, names[column], row)

    def describe(self) -> str:
        counts = {kind: sum(k == kind for k in self.kinds.values()) for kind in _KINDS}
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        return f"columns: {told} -> {len(self.feature_names)} inputs"

    def state(self) -> dict[str, Any]:
        return {"features": [{"name": encoder.name, **encoder.state()} for encoder in self.encoders]}

    @staticmethod
    def loaded_encoders(state: Mapping[str, Any]) -> list[Encoder]:
        """Return the encoders of a :meth:`state`."""
        return [encoder_from(spec["name"], spec) for spec in state["features"]]


def _stretch_rows(width: int) -> int:
    """Return how many rows of so many inputs are written at a time."""
    of_wide = min(_USUAL_ROWS, _MOST_VALUES // max(1, width))
    return max(_FEWEST_ROWS, of_wide, min(CHUNK_ROWS, _BLOCK_VALUES // max(1, width)))


_KINDS: tuple[ColumnKind, ...] = ("numeric", "categorical", "boolean", "datetime")


class RowForm(EncodedColumns):
    """A row is an example (F,)."""

    name = "rows"
    streams = True
    is_table = True

    @classmethod
    def make(cls, table: Table, options: DataOptions) -> RowForm:
        return cls(*make_encoders(table, options))

    @property
    def shape(self) -> Shape:
        return (len(self.feature_names),)

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        storage = storage_for(table)
        inputs, notices = self.encode(table, list(parts.values()), storage)
        return plain_examples(table, parts, inputs, target, weight, storage), notices

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> RowForm:
        return cls(cls.loaded_encoders(state))
