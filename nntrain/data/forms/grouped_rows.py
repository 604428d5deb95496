"""Which rows of a table belong to which sequence, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nntrain.core.array import Array
from nntrain.data.faults import more_like_this
from nntrain.data.table import Table
from nntrain.errors import DataError, quote


@dataclass(frozen=True)
class GroupedRows:
    """The sequences of a table, in the order of their first rows in the file.

    Attributes:
        rows: (M,) row numbers, sequence after sequence and step after step.
        starts: (S + 1,) where each sequence begins in ``rows``, and M.
        first: (S,) the smallest row number of each sequence, which stands for it; ascending.
        owner: (R,) that number for each row of the table, -1 for a row of no sequence.
    """

    rows: Array
    starts: Array
    first: Array
    owner: Array

    @classmethod
    def of(cls, codes: Array, order: Array | None, kept: Array) -> GroupedRows:
        """Return the sequences of some rows.

        Args:
            codes: (R,) of the sequence that each row of the table belongs to.
            order: (R,) what the rows of a sequence are sorted by; None keeps the order of the table.
            kept: (M,) row numbers, ascending, of the rows that belong to sequences.

        >>> found = GroupedRows.of(np.array([1, 0, 1, 0]), np.array([5.0, 1.0, 4.0, 2.0]), np.array([0, 1, 2]))
        >>> found.rows.tolist(), found.first.tolist(), found.lengths.tolist(), found.owner.tolist()
        ([2, 0, 1], [0, 1], [2, 1], [0, 1, 0, -1])
        """
        _, first, group = np.unique(codes[kept], return_index=True, return_inverse=True)
        by_first = np.argsort(first)
        number = np.empty(len(first), np.int64)
        number[by_first] = np.arange(len(first))
        sequence = number[group]
        sorting = np.lexsort((kept, sequence) if order is None else (kept, order[kept], sequence))
        starts = np.concatenate([[0], np.cumsum(np.bincount(sequence, minlength=len(first)))])
        owner = np.full(len(codes), -1, np.int64)
        owner[kept] = kept[first[by_first]][sequence]
        return cls(kept[sorting], starts, kept[first[by_first]], owner)

    @property
    def lengths(self) -> Array:
        """(S,) how many rows each sequence has."""
        return np.diff(self.starts)

    def numbers(self, chosen: Array) -> Array:
        """Return the numbers (N,) of the sequences that some rows of :attr:`first` stand for."""
        return np.searchsorted(self.first, chosen)

    def rows_of(self, chosen: Array) -> Array:
        """Return the rows of the sequences chosen, sequence after sequence and step after step."""
        numbers = self.numbers(chosen)
        lengths = self.lengths[numbers]
        ends = np.cumsum(lengths)
        within = np.arange(int(lengths.sum())) - np.repeat(ends - lengths, lengths)
        return np.asarray(self.rows[np.repeat(self.starts[numbers], lengths) + within])

    def check_order(self, table: Table, group: str, order: str, values: Array) -> None:
        """Raise DataError where two rows of a sequence have the same place in its order."""
        sequence = np.repeat(np.arange(len(self.first)), self.lengths)
        ordered = values[self.rows]
        again = np.flatnonzero((ordered[1:] == ordered[:-1]) & (sequence[1:] == sequence[:-1])) + 1
        if not len(again):
            return
        at = int(again[np.argmin(self.rows[again])])
        row, before = int(self.rows[at]), int(self.rows[at - 1])
        path, line = table.place(row)
        other, other_line = table.place(before)
        where = f"line {other_line}" if other == path else f"line {other_line} of {other}"
        raise DataError(
            f"column {quote(order)}: {cell(table, order, row)} stands twice in the sequence {cell(table, group, row)}",
            path=path,
            line=line,
            help=f"give each row of a sequence a place of its own, or sequences of one {quote(group)} other names",
            notes=[f"the other one is on {where}", *_more(len(again))],
        )

    def check_constant(self, table: Table, group: str, column: str, values: Array, said: str, help: str) -> None:
        """Raise DataError where values (R,) of a column differ within a sequence; NaN differs from nothing.

        Args:
            table: of the rows.
            group: the column that names the sequences.
            column: of the values.
            values: to compare, one for each row of the table.
            said: what changes: ``the label``.
            help: the remedy.
        """
        own, first = values[self.rows], values[self.owner[self.rows]]
        changed = np.sort(self.rows[(own < first) | (own > first)])
        if not len(changed):
            return
        row = int(changed[0])
        places = table.places([*changed[:5], int(self.owner[row])])
        (path, line), (_, first_line) = places[0], places[-1]
        was, now = cell(table, column, int(self.owner[row])), cell(table, column, row)
        raise DataError(
            f"column {quote(column)}: {said} changes within the sequence {cell(table, group, row)}:"
            f" expected {was} as on line {first_line}, got {now}",
            path=path,
            line=line,
            help=help,
            notes=more_like_this([at for _, at in places[:-1]], len(changed)),
        )


def cell(table: Table, column: str, row: int) -> str:
    """Return a cell as it stands, quoted."""
    return quote(str(table.columns[column].text()[row]))


def _more(count: int) -> list[str]:
    return [f"{count - 1} more like this"] if count > 1 else []
