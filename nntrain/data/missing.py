"""Which cells of a column are missing, found stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nntrain.core.array import Array
from nntrain.data.chunks import between, chunks
from nntrain.data.column import Column


def missing_by_stretch(column: Column, numeric: bool) -> Iterator[tuple[slice, Array]]:
    """Yield stretches of rows and the masks of their missing cells; nothing where no cell of the column is.

    Args:
        column: of the table.
        numeric: whether a cell is missing by the rule for numbers, else by that for text.
    """
    if column.has_missing:
        for rows in chunks(len(column)):
            yield rows, column.missing(numeric, rows)


def missing_rows(column: Column, numeric: bool) -> Array:
    """Return the row numbers of all missing cells, ascending."""
    found = [np.flatnonzero(missing) + rows.start for rows, missing in missing_by_stretch(column, numeric)]
    return np.concatenate(found) if found else np.empty(0, np.intp)


def count_missing(column: Column, numeric: bool, rows: Array | None = None) -> int:
    """Return how many cells are missing: of all rows, or of ascending row numbers (M,)."""
    count = 0
    for stretch, missing in missing_by_stretch(column, numeric):
        if rows is not None and missing.any():
            first, last = between(rows, stretch)
            missing = missing[rows[first:last] - stretch.start]
        count += int(np.count_nonzero(missing))
    return count


def drop_missing(column: Column, numeric: bool, whole: Array) -> None:
    """Set the mask (R,) of rows to keep to false where a cell is missing."""
    for rows, missing in missing_by_stretch(column, numeric):
        whole[rows] &= ~missing
