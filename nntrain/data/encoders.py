"""What turns a column of a table into columns of the network's input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from nntrain.core.array import Array
from nntrain.data.column import Column
from nntrain.data.faults import first_of
from nntrain.data.notices import Notice
from nntrain.errors import DataError, quote

IMPUTED = "missing cells imputed"

Encoding: TypeAlias = Callable[[slice, Array], None]
"""Writes the input columns (M, width) of a stretch of M rows."""


class Encoder(Protocol):
    """One feature column: fitted on the training rows, applied to any.

    Attributes:
        kind: numeric, categorical, boolean or datetime.
        name: of the column.
        missing: what is done about missing cells.
        notices: what is worth knowing about the column that was fitted or applied last.
    """

    kind: str
    name: str
    missing: str
    notices: list[Notice]

    def fit(self, column: Column, rows: Array) -> None:
        """Learn from the cells of training rows."""
        ...

    def encoding(self, column: Column) -> Encoding:
        """Return what writes the inputs of a column, once its cells have been looked through.

        Raises:
            DataError: a cell is not what it must be.
        """
        ...

    def outputs(self) -> list[str]:
        """Return the names of the input columns."""
        ...

    def state(self) -> dict[str, Any]:
        """Return everything learnt and everything given, as plain values and arrays."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what another one learnt."""
        ...


def missing_cells(column: Column, rows: Array) -> DataError:
    """Return the error for the cells missing at some rows (M,) of a column that may have none."""
    message = f"column {quote(column.name)}: a cell is missing, and missing is 'error'"
    help = "fill the cell, or choose another treatment, such as auto, where the config says missing: error"
    return first_of(rows, column, message, help)
