"""What a feature column is: numbers, categories, booleans, dates or text, judged over the whole file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from nntrain.core.array import Array
from nntrain.data.column import Column
from nntrain.errors import DataError, quote

ColumnKind: TypeAlias = Literal["numeric", "categorical", "boolean", "datetime", "text"]

NUMERIC_SHARE = 0.9
"""From this share of numbers on a column is numeric, and any other text in it is an error."""

FEWEST_FOR_IDS = 20
"""Of fewer rows than this, many distinct texts say nothing."""

BOOLEANS: Mapping[str, float] = {
    "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0, "y": 1.0, "n": 0.0,
}  # fmt: skip

_TRUTHS: Mapping[str, float] = {**BOOLEANS, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}

_DATE = re.compile(r"\d{4}[-/]\d{1,2}([-/]\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?")


class FreeTextError(DataError):
    """Nearly every row of a column holds another text; ``column`` names it, ``words`` is the mean number of words."""

    def __init__(self, column: str, words: float, message: str, **place: Any) -> None:
        self.column, self.words = column, words
        super().__init__(message, **place)


def kind_of(column: Column, declared: str | None) -> tuple[ColumnKind, list[str]]:
    """Return what a feature column is, and what is odd about it.

    Args:
        column: of the table.
        declared: its ``type`` in the config, or None.

    Raises:
        DataError: numbers stand in another notation, or nearly every row holds another text.
    """
    if declared == "text":
        raise DataError(
            f"column {quote(column.name)}: a text column cannot stand beside data.image, data.sequence or data.series",
            path=column.places([0])[0][0],
            help=f"leave it out with data.ignore: [{column.name}]",
        )
    if declared in ("numeric", "categorical", "boolean", "datetime"):
        return declared, []  # type: ignore[return-value]
    share = column.number_share
    if share >= NUMERIC_SHARE:
        return "numeric", []
    if column.number_like_share >= NUMERIC_SHARE:
        raise column.not_numbers()
    present = _present(column)
    if present and all(text.strip().lower() in BOOLEANS for text in present):
        return "boolean", []
    if present and all(is_date(text) for text in present):
        return "datetime", []
    _refuse_free_text(column, present)
    if share > 0:
        return "categorical", [f"column {quote(column.name)} mixes numbers ({share:.0%}) and text: taken as categories"]
    return "categorical", []


def _present(column: Column) -> list[str]:
    """Return the distinct texts of the cells that are not missing, by the rule for numbers."""
    codes, distinct = column.codes()
    there = np.unique(codes[~column.missing(numeric=True)])
    return [distinct[code] for code in there]


def _refuse_free_text(column: Column, present: Sequence[str]) -> None:
    rows = len(column)
    if rows >= FEWEST_FOR_IDS and len(present) > rows / 2:
        raise FreeTextError(
            column.name,
            sum(len(text.split()) for text in present) / len(present),
            f"column {quote(column.name)}: {len(present)} different texts in {rows} rows are no categories",
            path=column.places([0])[0][0],
            help=f"learn from its words with data.columns.{column.name}.type: text, or leave it out with data.ignore",
        )


def is_date(text: str) -> bool:
    """Return whether a text is a date: 2024-05-31, 2024/5/31, 2024-05, with or without a time.

    >>> is_date("2024-05-31 12:30"), is_date("31.5.2024")
    (True, False)
    """
    return bool(_DATE.fullmatch(text.strip()))


def instants(column: Column, help: str | None = None) -> Array:
    """Return seconds since 1970 (N,) float64 of a column of dates, NaN for missing.

    Args:
        column: of dates.
        help: the remedy where a cell is none; to take the column for categories where left out.

    Raises:
        DataError: a cell is no date.
    """
    codes, distinct = column.codes()
    values = np.full(len(distinct), np.nan)
    for i in np.unique(codes[~column.missing(numeric=True)]):
        values[i] = _seconds(column, distinct[i].strip(), codes, i, help)
    return values[codes]


def truths(column: Column) -> Array:
    """Return 1 for true and 0 for false (N,), NaN for missing.

    Raises:
        DataError: a cell is neither.
    """
    codes, distinct = column.codes()
    values = np.full(len(distinct), np.nan)
    for i in np.unique(codes[~column.missing(numeric=True)]):
        value = _TRUTHS.get(distinct[i].strip().lower())
        if value is None:
            path, line = column.places(np.flatnonzero(codes == i)[:1])[0]
            message = f"column {quote(column.name)}: expected true or false, got {quote(distinct[i])}"
            raise DataError(
                message, path=path, line=line, help="correct the cell, or declare it in data.missing_values"
            )
        values[i] = value
    return values[codes]


def _seconds(column: Column, text: str, codes: Array, code: int, help: str | None) -> float:
    try:
        if not is_date(text):
            raise ValueError(text)
        return _parsed(text)
    except ValueError:
        path, line = column.places(np.flatnonzero(codes == code)[:1])[0]
        raise DataError(
            f"column {quote(column.name)}: expected a date such as 2024-05-31, got {quote(text)}",
            path=path,
            line=line,
            help=help or f"correct the cell, or set data.columns.{column.name}.type: categorical",
        ) from None


def _parsed(text: str) -> float:
    date, _, time = text.replace("/", "-").replace("T", " ").partition(" ")
    padded = "-".join(part.zfill(2) for part in date.split("-"))
    zone = re.search(r"(Z|[+-]\d{2}:?\d{2})$", time)
    clock = time[: zone.start()] if zone else time
    if clock[1:2] == ":":
        clock = f"0{clock}"
    instant = np.datetime64(f"{padded}T{clock}" if clock else padded, "us")
    offset = 0.0
    if zone and zone[0] != "Z":
        hours, minutes = int(zone[0][1:3]), int(zone[0][-2:])
        offset = (hours * 3600 + minutes * 60) * (-1.0 if zone[0][0] == "-" else 1.0)
    return float(instant.astype(np.int64)) / 1e6 - offset
