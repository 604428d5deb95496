"""Rows in the order of time: one series, or several that a column tells apart; and the windows on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nntrain.core.array import Array
from nntrain.data.labels import distinct_labels, sort_labels
from nntrain.data.notices import Notice
from nntrain.data.parts import order_values
from nntrain.data.table import Table
from nntrain.errors import DataError, quote

_LARGEST_STEP = 1.5
"""Rows further apart than this many medians are a gap; months of 28 and of 31 days are not."""


@dataclass(frozen=True)
class Timeline:
    """The rows of a table, series after series, each in the order of time. A *place* is an index into ``rows``.

    Attributes:
        rows: (R,) row numbers of the table.
        starts: (G + 1,) the place where each series begins, and R.
        times: (R,) the time at each place: the column's numbers, seconds of its dates, or the row number.
        names: of the G series; one empty text where they have no names.
        irregular: whether rows of a series are not equally far apart.
    """

    rows: Array
    starts: Array
    times: Array
    names: Sequence[str]
    irregular: Sequence[Notice] = ()

    @classmethod
    def of(cls, table: Table, order: str | None, group: str | None) -> Timeline:
        """Return the timeline of a table.

        Args:
            table: with the columns named.
            order: column of numbers or dates, the order in the file where it is None.
            group: column that names the series of a row; its labels, sorted, are the order of the series.

        Raises:
            DataError: a cell is missing, or two rows of a series stand at the same time.
        """
        codes, names = (np.zeros(table.rows, np.int64), [""]) if group is None else _series(table, group)
        times = np.arange(table.rows, dtype=np.float64) if order is None else order_values(table, order)
        rows = np.lexsort((times, codes))
        starts = np.searchsorted(codes[rows], np.arange(len(names) + 1))
        found = cls(rows, starts, times[rows], names)
        if order is None:
            return found
        _refuse_repeated(table, order, group, found)
        return replace(found, irregular=_gaps(table, order, found))

    @cached_property
    def begins(self) -> Array:
        """(R,) the place where the series of each row begins."""
        return np.asarray(np.repeat(self.starts[:-1], np.diff(self.starts)))

    @cached_property
    def ends(self) -> Array:
        """(R,) the place behind the series of each row."""
        return np.asarray(np.repeat(self.starts[1:], np.diff(self.starts)))

    def shares(self) -> Array:
        """Return for each row of the table (R,) which share of its series has passed, above 0 to 1."""
        found = np.empty(len(self.rows))
        found[self.rows] = (np.arange(len(self.rows)) - self.begins + 1) / (self.ends - self.begins)
        return found

    def places(self, rows: Array) -> Array:
        """Return the places (N,) of row numbers."""
        place = np.empty(len(self.rows), np.int64)
        place[self.rows] = np.arange(len(self.rows))
        return np.asarray(place[rows])

    def row_numbers(self, places: Array) -> Array:
        """Return the row numbers (N,) of places; the place behind the last row of series i, from 0, is row R + i."""
        series = np.searchsorted(self.starts[1:], places)
        inside = self.rows[np.minimum(places, len(self.rows) - 1)]
        return np.where(self.starts[1:][series] == places, len(self.rows) + series, inside)

    def series_of(self, rows: Array) -> list[str]:
        """Return the names (N,) of the series of row numbers, those of :meth:`row_numbers` behind the last row too."""
        count = len(self.rows)
        places = self.places(np.minimum(rows, count - 1))
        series = np.where(rows < count, np.searchsorted(self.starts[1:], places, "right"), rows - count)
        return [self.names[i] for i in series]

    def forecasts(self, places: Array, targets: Sequence[str]) -> list[Notice]:
        """Return notices that tell which rows, at places (N,) behind a series' end, forecast what is not known."""
        series = np.searchsorted(self.starts[1:], places)
        names = [self.names[i] or (*targets, "anomaly_score")[0] for i in series]
        told = "predicted beyond the last known row, and so not to be found in the file"
        numbers = self.row_numbers(places).tolist()
        return [Notice(told, name, f"in row {row}") for name, row in zip(names, numbers, strict=True)]

    def without_windows(self, places: Array) -> list[Notice]:
        """Return notices of the series in which none of the windows lies that predict from these places (N,) on."""
        if len(self.names) == 1:
            return []
        idle = np.setdiff1d(np.arange(len(self.names)), np.searchsorted(self.starts[1:], places - 1, "right"))
        lengths = np.diff(self.starts).tolist()
        told = "series with too few rows for a window, which are left out"
        return [Notice(told, self.names[i], f"{lengths[i]} rows") for i in idle]

    def windows(self, inside: Array, window: int, horizon: int, step: int, reaches_back: bool) -> Array:
        """Return the places (N,) of the first rows that windows predict.

        The ``horizon`` rows that a window predicts are all inside, and the ``window`` rows before them are of the same
        series. The first window of a series is the first one possible; the others are a number of steps behind it.

        Args:
            inside: (R,) whether the row at a place may be used.
            window: rows of the past.
            horizon: rows to be predicted.
            step: rows from one window to the next.
            reaches_back: whether the past may lie outside.
        """
        place = np.arange(len(self.rows))
        first = place if reaches_back else place - window
        fits = (place - window >= self.begins) & (place + horizon <= self.ends)
        place, first = place[fits], first[fits]
        count = np.concatenate([[0], np.cumsum(inside)])
        place = place[count[place + horizon] - count[first] == place + horizon - first]
        begins = self.begins[place]
        earliest = place[np.searchsorted(begins, begins)]
        return np.asarray(place[(place - earliest) % step == 0])


def _series(table: Table, group: str) -> tuple[Array, list[str]]:
    """Return the number (R,) of each row's series, and the names of the series."""
    column = table.column(group, "data.group")
    lacking = np.flatnonzero(column.missing(numeric=False))
    if len(lacking):
        path, line = table.place(int(lacking[0]))
        message = f"column {quote(group)}: the cell that names the row's series is missing"
        raise DataError(message, path=path, line=line, help="fill the cell, or delete the row")
    codes, labels = distinct_labels(column)
    names = list(sort_labels(labels))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[label] for label in labels], np.int64)[codes], names


def _refuse_repeated(table: Table, order: str, group: str | None, timeline: Timeline) -> None:
    times = timeline.times
    again = np.flatnonzero((times[1:] == times[:-1]) & (timeline.begins[1:] == timeline.begins[:-1]))
    if not len(again):
        return
    pairs = np.sort(np.stack([timeline.rows[again], timeline.rows[again + 1]], axis=1), axis=1)
    before, row = pairs[np.argmin(pairs[:, 1])].tolist()
    (earlier_path, earlier), (path, line) = table.places([before, row])
    where = f"line {earlier}" if earlier_path == path else f"line {earlier} of {earlier_path}"
    cell = table.columns[order].text()[row]
    more = [f"{len(again)} rows repeat a time"] if len(again) > 1 else []
    several = "data.group names the column that tells several series apart"
    raise DataError(
        f"column {quote(order)}: expected a time of its own, got {quote(str(cell))} as on {where}",
        path=path,
        line=line,
        help="delete one of the rows" if group is not None else f"delete one of the rows; or {several}",
        notes=more,
    )


def _gaps(table: Table, order: str, timeline: Timeline) -> list[Notice]:
    steps = np.where(timeline.begins[1:] == timeline.begins[:-1], np.diff(timeline.times), 0.0)
    known = steps[steps > 0]
    if not len(known):
        return []
    gaps = np.flatnonzero(steps > _LARGEST_STEP * np.median(known))
    if not len(gaps):
        return []
    line = table.line(int(timeline.rows[gaps[0] + 1]))
    told = f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''}, the first before line {line}"
    return [Notice("warning: rows are not equally far apart, and windows take them as if they were", order, told)]
