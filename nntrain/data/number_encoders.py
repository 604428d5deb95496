"""Columns of numbers, truth values and dates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.data.chunks import Selection, chunks
from nntrain.data.column import Column
from nntrain.data.column_types import Reader, instants_of, truths_of
from nntrain.data.encoders import IMPUTED, Encoding, missing_cells
from nntrain.data.imputing import Imputer
from nntrain.data.missing import count_missing, missing_rows
from nntrain.data.notices import Notice
from nntrain.data.statistics import without_missing
from nntrain.data.transforms import Scaler, scaler_named

_DAY = 86400.0
_YEAR_DAYS = 365.2425
_MONDAY = 3.0
"""Days from the Monday before it to 1970-01-01, a Thursday."""


class NumericEncoder:
    """A column of numbers: missing ones imputed, then scaled; with ``auto`` another column marks the missing ones.

    Args:
        name: of the column.
        scale: name of the scaler.
        missing: auto, error, drop, mean, median, most_frequent or constant.
        fill: what ``constant`` puts in.
    """

    kind = "numeric"

    def __init__(self, name: str, scale: str, missing: str, fill: float = 0.0) -> None:
        self.name, self.scale, self.missing = name, scale, missing
        self.scaler: Scaler = scaler_named(scale)
        self.imputer = Imputer(missing, fill, frequent=self.kind == "boolean")
        self.notices: list[Notice] = []

    def reader(self, column: Column) -> Reader:
        """Return what reads the numbers (M,) that stand for the cells of some rows, NaN for missing."""
        return column.numbers

    def fit(self, column: Column, rows: Array) -> None:
        self.learn(Selection(rows, len(column)).read(self.reader(column)))

    def learn(self, values: Array) -> None:
        """Learn from the numbers (N,) of training rows, NaN for missing."""
        self.imputer.fit(values)
        self.scaler.fit(without_missing(values))
        self.notices = [Notice(f"warning: {self.scaler.finding}", self.name)] if self.scaler.finding else []

    def encoding(self, column: Column) -> Encoding:
        if self.missing == "error" and len(rows := missing_rows(column, numeric=True)):
            raise missing_cells(column, rows)
        count = count_missing(column, numeric=True)
        self.notices = [Notice(IMPUTED, self.name, str(count))] if count else []
        read = self.reader(column)
        return lambda rows, out: self.write(read(rows), out)

    def write(self, values: Array, out: Array) -> None:
        """Write the inputs (M, width) for numbers (M,), NaN for missing."""
        out[:, 0] = self.scaler.apply(self.imputer.apply(values))
        self.imputer.mark(values, out)

    def outputs(self) -> list[str]:
        return [self.name, f"{self.name} is missing"] if self.imputer.marked else [self.name]

    def state(self) -> dict[str, Any]:
        given = {"kind": self.kind, "scale": self.scale, "missing": self.missing}
        return {**given, **self.imputer.state(), "scaler": self.scaler.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.imputer.load(state)
        self.scaler.load(state["scaler"])


class BooleanEncoder(NumericEncoder):
    """A column of truth values: 1 for true and 0 for false, then as numbers; ``auto`` imputes the most frequent one."""

    kind = "boolean"

    def reader(self, column: Column) -> Reader:
        return truths_of(column)


class DatetimeEncoder(NumericEncoder):
    """A column of dates: days elapsed, and the places in the year, the week and, where times of day differ, the day.

    A place t in a cycle of length c becomes sin(2 pi t / c) and cos(2 pi t / c), so that its end meets its start. There
    is no place in the week where all training dates are the first of a month: they stand for months.
    """

    kind = "datetime"

    def __init__(self, name: str, scale: str, missing: str, fill: float = 0.0) -> None:
        super().__init__(name, scale, missing, fill)
        self.cycles = ["year", "week", "day"]

    def reader(self, column: Column) -> Reader:
        seconds = instants_of(column)
        return lambda rows: seconds(rows) / _DAY

    def learn(self, values: Array) -> None:
        super().learn(values)
        self.cycles = ["year"]
        known = without_missing(values)
        if not all(_are_months(known[some]) for some in chunks(len(known))):
            timed = any(np.any(known[some] % 1.0) for some in chunks(len(known)))
            self.cycles += ["week", "day"] if timed else ["week"]

    def write(self, values: Array, out: Array) -> None:
        days = self.imputer.apply(values)
        out[:, 0] = self.scaler.apply(days)
        place = {"year": days / _YEAR_DAYS, "week": (days + _MONDAY) / 7.0, "day": days}
        for i, cycle in enumerate(self.cycles):
            angle = 2.0 * np.pi * np.mod(place[cycle], 1.0)
            out[:, 1 + 2 * i], out[:, 2 + 2 * i] = np.sin(angle), np.cos(angle)
        self.imputer.mark(values, out)

    def outputs(self) -> list[str]:
        elapsed, *mark = super().outputs()
        return [elapsed, *(f"{self.name} {wave} of {cycle}" for cycle in self.cycles for wave in ("sin", "cos")), *mark]

    def state(self) -> dict[str, Any]:
        return {**super().state(), "cycles": self.cycles}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self.cycles = list(state["cycles"])


def _are_months(days: Array) -> bool:
    if np.any(days % 1.0):
        return False
    dates = days.astype(np.int64).astype("datetime64[D]")
    return bool(np.all(dates == dates.astype("datetime64[M]")))
