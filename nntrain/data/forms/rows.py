"""The plain table: an example is a row, and each column becomes one input or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.data.batches import Dataset
from nntrain.data.category_encoder import CategoryEncoder
from nntrain.data.column_types import ColumnKind
from nntrain.data.encoders import Encoder
from nntrain.data.features import encoder_from, make_encoders
from nntrain.data.forms.base import Examples, Form, at_rows, encoded, kept_rows, narrowed
from nntrain.data.notices import Notice
from nntrain.data.options import DataOptions
from nntrain.data.table import Table
from nntrain.data.target import Target


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
        whole = np.ones(table.rows, bool)
        for encoder in self.encoders:
            if encoder.missing == "drop" and encoder.name in table.columns:
                whole &= ~table.columns[encoder.name].missing(numeric=encoder.kind != "categorical")
        return kept_rows(table, whole)

    def dropped(self, table: Table) -> int:
        return table.rows - len(self.whole_rows(table))

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        odd: list[Notice] = []
        for encoder in self.encoders:
            encoder.fit(table.columns[encoder.name], rows)
            odd += encoder.notices
        return odd

    def encode(self, table: Table, rows: Sequence[Array]) -> tuple[list[Array], list[Notice]]:
        """Return the input (N, F) float32 for some rows, once for each array of row numbers, and notices.

        Column by column, so that no more than one column is in memory as float64.
        """
        self.check_columns(table)
        parts = [np.empty((len(chosen), len(self.feature_names)), np.float32) for chosen in rows]
        notices: list[Notice] = []
        at = 0
        for encoder in self.encoders:
            for values in encoder.apply(table.columns[encoder.name]):
                narrow = narrowed(table, encoder.name, values)
                for part, chosen in zip(parts, rows, strict=True):
                    part[:, at] = narrow[chosen]
                at += 1
            notices += encoder.notices
        return parts, notices

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


_KINDS: tuple[ColumnKind, ...] = ("numeric", "categorical", "boolean", "datetime")


class RowForm(EncodedColumns):
    """A row is an example (F,)."""

    name = "rows"
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
        labels = encoded(table, target)
        inputs, notices = self.encode(table, list(parts.values()))
        found = {
            part: Dataset(x, labels[rows], at_rows(weight, rows), rows, table)
            for (part, rows), x in zip(parts.items(), inputs, strict=True)
        }
        return found, notices

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> RowForm:
        return cls(cls.loaded_encoders(state))
