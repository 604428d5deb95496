"""Feature columns to numbers: each encoder is fitted on the training rows and applied to any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from nntrain.core.array import Array
from nntrain.data.column import Column
from nntrain.data.column_types import BOOLEANS, instants
from nntrain.data.labels import labels_of
from nntrain.data.transforms import Scaler, scaler_named
from nntrain.errors import DataError, quote

UNSEEN = "unseen categories"


class Encoder(Protocol):
    """What turns one column of a table into columns of the network's input.

    Attributes:
        name: of the column.
        notices: what is worth knowing about the last column that was fitted or applied.
    """

    name: str
    notices: list[str]

    def fit(self, column: Column, rows: Array) -> None:
        """Learn from the cells of training rows."""

    def apply(self, column: Column) -> Array:
        """Return the input columns (N, k) for all rows, float64."""

    def outputs(self) -> list[str]:
        """Return the names of the k input columns."""

    def state(self) -> dict[str, Any]:
        """Return everything learnt, as plain values and arrays."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what another one learnt."""


class NumericEncoder:
    """A column of numbers: missing ones imputed and, with ``auto``, marked by a column of their own; then scaled.

    Args:
        name: of the column.
        scale: name of the scaler.
        missing: auto, error, drop, mean, median, most_frequent or constant.
        fill: what ``constant`` puts in.
        booleans: whether the cells are truth values.
    """

    def __init__(self, name: str, scale: str, missing: str, fill: float = 0.0, booleans: bool = False) -> None:
        self.name, self.scale, self.missing, self.fill, self.booleans = name, scale, missing, float(fill), booleans
        self.scaler: Scaler = scaler_named(scale)
        self.marked = False
        self.notices: list[str] = []

    def fit(self, column: Column, rows: Array) -> None:
        self.notices = []
        values = self._values(column)[rows]
        known = values[~np.isnan(values)]
        self.marked = self.missing == "auto" and len(known) < len(values)
        self.fill = self._imputed(known)
        self.scaler.fit(known)
        if self.scaler.finding:
            self.notices.append(f"warning: column {quote(self.name)} {self.scaler.finding}")

    def _imputed(self, known: Array) -> float:
        if self.missing == "constant" or not len(known):
            return self.fill
        if self.missing == "mean":
            return float(known.mean())
        if self.missing == "most_frequent" or self.booleans:
            distinct, counts = np.unique(known, return_counts=True)
            return float(distinct[np.argmax(counts)])
        return float(np.median(known))

    def apply(self, column: Column) -> Array:
        values = self._values(column)
        is_missing = np.isnan(values)
        if is_missing.any() and self.missing == "error":
            raise _missing_cells(column, is_missing)
        scaled = self.scaler.apply(np.where(is_missing, self.fill, values))
        return np.stack([scaled, is_missing.astype(np.float64)], axis=1) if self.marked else scaled[:, None]

    def _values(self, column: Column) -> Array:
        return truths(column) if self.booleans else column.numbers()

    def outputs(self) -> list[str]:
        return [self.name, f"{self.name} is missing"] if self.marked else [self.name]

    def state(self) -> dict[str, Any]:
        learnt = {"fill": self.fill, "marked": self.marked, "scaler": self.scaler.state()}
        return {
            "kind": "boolean" if self.booleans else "numeric",
            "scale": self.scale,
            "missing": self.missing,
            **learnt,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.fill, self.marked = float(state["fill"]), bool(state["marked"])
        self.scaler.load(state["scaler"])


class CategoryEncoder:
    """A column of categories: one input column each, or one column of codes for an embedding or as an order.

    Code 0 is for categories the training rows do not hold, and for missing cells where none was missing in training;
    one-hot leaves all columns 0 for it.

    Args:
        name: of the column.
        form: onehot, embedding or ordinal.
        missing: auto (a category of its own), error, drop, most_frequent or constant.
        fill: what ``constant`` puts in.
        scale: of an ordinal's codes.
    """

    def __init__(self, name: str, form: str, missing: str, fill: str = "", scale: str = "standard") -> None:
        self.name, self.form, self.missing, self.fill, self.scale = name, form, missing, fill, scale
        self.categories: list[str] = []
        self.most_frequent = ""
        self.scaler: Scaler = scaler_named(scale if form == "ordinal" else "none")
        self.notices: list[str] = []

    def fit(self, column: Column, rows: Array) -> None:
        labels = self._labels(column)[rows]
        distinct, counts = np.unique(labels.astype(str), return_counts=True)
        named = [(str(label), int(count)) for label, count in zip(distinct, counts, strict=True) if label]
        self.most_frequent = max(named, key=lambda item: item[1])[0] if named else ""
        if self.missing in ("most_frequent", "constant"):
            distinct = np.unique(np.where(labels == "", self._replacement(), labels).astype(str))
        self.categories = [str(label) for label in distinct]
        self.scaler.fit(self._codes(column)[rows].astype(np.float64))

    def apply(self, column: Column) -> Array:
        self.notices = []
        codes = self._codes(column)
        if self.form != "onehot":
            return self.scaler.apply(codes.astype(np.float64))[:, None]
        onehot = np.zeros((len(codes), len(self.categories) + 1))
        onehot[np.arange(len(codes)), codes] = 1.0
        return onehot[:, 1:]

    def _codes(self, column: Column) -> Array:
        """Return 1 + the position of each cell's category (N,), 0 for an unseen one."""
        labels = self._labels(column)
        if (labels == "").any():
            if self.missing == "error":
                raise _missing_cells(column, labels == "")
            if self.missing in ("most_frequent", "constant"):
                labels = np.where(labels == "", self._replacement(), labels)
        position = {category: i + 1 for i, category in enumerate(self.categories)}
        distinct, inverse = np.unique(labels.astype(str), return_inverse=True)
        unseen = [str(label) for label in distinct if str(label) not in position]
        codes: Array = np.array([position.get(str(label), 0) for label in distinct], np.int64)[inverse]
        if unseen and self.categories:
            rows = int(np.count_nonzero(codes == 0))
            listed = ", ".join(quote(label) for label in unseen[:5])
            self.notices = [f"column {quote(self.name)}: {rows} rows with {UNSEEN} ({listed}) share one bucket"]
        return codes

    def _labels(self, column: Column) -> Array:
        return np.where(column.missing(numeric=False), "", labels_of(column)).astype(object)

    def _replacement(self) -> str:
        return self.fill if self.missing == "constant" else self.most_frequent

    def outputs(self) -> list[str]:
        if self.form != "onehot":
            return [self.name]
        return [f"{self.name} = {category}" if category else f"{self.name} is missing" for category in self.categories]

    @property
    def embedded(self) -> int | None:
        """How many codes there are, where they are to be embedded."""
        return len(self.categories) + 1 if self.form == "embedding" else None

    def state(self) -> dict[str, Any]:
        given = {"form": self.form, "missing": self.missing, "fill": self.fill, "scale": self.scale}
        learnt = {"categories": self.categories, "most_frequent": self.most_frequent, "scaler": self.scaler.state()}
        return {"kind": "categorical", **given, **learnt}

    def load(self, state: Mapping[str, Any]) -> None:
        self.categories, self.most_frequent = list(state["categories"]), str(state["most_frequent"])
        self.scaler.load(state["scaler"])


class DatetimeEncoder:
    """A column of dates: time elapsed, and the positions in the year, in the week and, where times differ, in the day.

    A position t in a cycle of length c becomes sin(2 pi t / c) and cos(2 pi t / c), so that its end meets its start.

    Args:
        name: of the column.
        scale: of the elapsed time.
        missing: auto, mean, median, ... the instant put in; error.
    """

    def __init__(self, name: str, scale: str, missing: str) -> None:
        self.name, self.scale, self.missing = name, scale, missing
        self.scaler: Scaler = scaler_named(scale)
        self.times = False
        self.fill = 0.0
        self.notices: list[str] = []

    def fit(self, column: Column, rows: Array) -> None:
        seconds = instants(column)[rows]
        known = seconds[~np.isnan(seconds)]
        self.fill = float(np.median(known)) if len(known) else 0.0
        self.times = bool(np.any(known % 86400.0))
        self.scaler = scaler_named(self.scale)
        self.scaler.fit(known / 86400.0)

    def apply(self, column: Column) -> Array:
        seconds = instants(column)
        missing = np.isnan(seconds)
        if missing.any() and self.missing == "error":
            raise _missing_cells(column, missing)
        days = np.where(missing, self.fill, seconds) / 86400.0
        cycles = [days / 365.2425, (np.floor(days) + 3.0) / 7.0, *([days] if self.times else [])]
        angles = [2.0 * np.pi * np.mod(cycle, 1.0) for cycle in cycles]
        waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
        return np.stack([self.scaler.apply(days), *waves], axis=1)

    def outputs(self) -> list[str]:
        cycles = ["year", "week", *(["day"] if self.times else [])]
        return [self.name, *(f"{self.name} {wave} of {cycle}" for cycle in cycles for wave in ("sin", "cos"))]

    def state(self) -> dict[str, Any]:
        learnt = {"fill": self.fill, "times": self.times, "scaler": self.scaler.state()}
        return {"kind": "datetime", "scale": self.scale, "missing": self.missing, **learnt}

    def load(self, state: Mapping[str, Any]) -> None:
        self.fill, self.times, self.scaler = float(state["fill"]), bool(state["times"]), scaler_named(self.scale)
        self.scaler.load(state["scaler"])


def truths(column: Column) -> Array:
    """Return 1 for true and 0 for false (N,), NaN for missing.

    Raises:
        DataError: a cell is neither.
    """
    codes, distinct = column.codes()
    values = np.full(len(distinct), np.nan)
    for i, text in enumerate(distinct):
        word = text.strip().lower()
        if word not in BOOLEANS and word not in ("", "0", "1"):
            path, line = column.places(np.flatnonzero(codes == i)[:1])[0]
            message = f"column {quote(column.name)}: expected true or false, got {quote(text)}"
            raise DataError(message, path=path, line=line, help="correct the cell")
        values[i] = BOOLEANS.get(word, float(word) if word else np.nan)
    return values[codes]


def _missing_cells(column: Column, missing: Array) -> DataError:
    rows = np.flatnonzero(missing)
    places = column.places(rows[:5])
    return DataError(
        f"column {quote(column.name)}: {len(rows)} missing cell{'s' if len(rows) > 1 else ''}, and missing is 'error'",
        path=places[0][0],
        line=places[0][1],
        help="fill the cells, or choose another data.missing, such as auto",
        notes=[f"lines {', '.join(str(line) for _, line in places)}"] if len(rows) > 1 else (),
    )


def encoder_from(name: str, state: Mapping[str, Any]) -> Encoder:
    """Return the encoder that :meth:`Encoder.state` described."""
    encoder: Encoder
    if state["kind"] == "categorical":
        encoder = CategoryEncoder(name, state["form"], state["missing"], state["fill"], state["scale"])
    elif state["kind"] == "datetime":
        encoder = DatetimeEncoder(name, state["scale"], state["missing"])
    else:
        encoder = NumericEncoder(name, state["scale"], state["missing"], booleans=state["kind"] == "boolean")
    encoder.load(state)
    return encoder
