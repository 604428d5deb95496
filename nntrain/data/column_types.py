"""What a feature column is: numbers, categories, booleans, dates or text, judged over the whole file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from nntrain.core.array import Array
from nntrain.data.chunks import Chosen, chunks
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

_NO_ROWS = slice(0, 0)

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
    distinct = column.codes(_NO_ROWS)[1]
    return [distinct[code] for code in _present_codes(column)]


def _present_codes(column: Column) -> list[int]:
    """Return the codes, ascending, of the texts that stand in cells that are not missing, by the rule for numbers."""
    there = np.zeros(len(column.codes(_NO_ROWS)[1]), bool)
    for rows in chunks(len(column)):
        codes = column.codes(rows)[0]
        there[codes[~column.missing(True, rows)] if column.has_missing else codes] = True
    return np.flatnonzero(there).tolist()


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


Reader: TypeAlias = Callable[[Chosen], Array]
"""Reads what the cells of some rows (M,) stand for."""


def _reader(column: Column, value_of: Callable[[str], float]) -> Reader:
    """Return what reads the values (M,) float64 of texts, NaN for missing; each distinct text is converted once.

    Raises:
        DataError: ``value_of`` raises it for a text; it is placed at the first row that has the text.
    """
    distinct = column.codes(_NO_ROWS)[1]
    values = np.full(len(distinct), np.nan)
    for code in _present_codes(column):
        try:
            values[code] = value_of(distinct[code])
        except DataError as error:
            raise _placed(error, column, code) from None
    return lambda rows: np.asarray(values[column.codes(rows)[0]])


def _placed(error: DataError, column: Column, code: int) -> DataError:
    problem = error.problems[0]
    path, line = column.places([first_row(column, code)])[0]
    return DataError(problem.message, path=path, line=line, help=problem.help)


def first_row(column: Column, code: int) -> int:
    """Return the first row whose cell has a text, given by its code."""
    for rows in chunks(len(column)):
        found = np.flatnonzero(column.codes(rows)[0] == code)
        if len(found):
            return int(rows.start + found[0])
    raise ValueError(f"no cell of column {column.name!r} has the code {code}")


def instants(column: Column, help: str | None = None) -> Array:
    """Return seconds since 1970 (N,) float64 of a column of dates, NaN for missing; see :func:`instants_of`."""
    return instants_of(column, help)(slice(0, len(column)))


def instants_of(column: Column, help: str | None = None) -> Reader:
    """Return what reads seconds since 1970 (M,) float64 of a column of dates, NaN for missing.

    Args:
        column: of dates.
        help: the remedy where a cell is none; to take the column for categories where left out.

    Raises:
        DataError: a cell is no date.
    """

    def seconds(text: str) -> float:
        try:
            return _parsed(text.strip())
        except ValueError:
            raise DataError(
                f"column {quote(column.name)}: expected a date such as 2024-05-31, got {quote(text.strip())}",
                path=None,
                help=help or f"correct the cell, or set data.columns.{column.name}.type: categorical",
            ) from None

    return _reader(column, seconds)


def truths_of(column: Column) -> Reader:
    """Return what reads 1 for true and 0 for false (M,), NaN for missing.

    Raises:
        DataError: a cell is neither.
    """

    def truth(text: str) -> float:
        value = _TRUTHS.get(text.strip().lower())
        if value is None:
            message = f"column {quote(column.name)}: expected true or false, got {quote(text)}"
            raise DataError(message, path=None, help="correct the cell, or declare it in data.missing_values")
        return value

    return _reader(column, truth)


def _parsed(text: str) -> float:
    if not is_date(text):
        raise ValueError(text)
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
