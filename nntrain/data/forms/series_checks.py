"""What a forecast cannot be made of, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import TaskKind
from nntrain.data.column import Column
from nntrain.data.faults import first_of
from nntrain.data.forms.changes import Changes
from nntrain.data.options import DataOptions, SeriesOptions
from nntrain.data.table import Table
from nntrain.errors import ConfigError, DataError, quote


def check_options(options: DataOptions) -> None:
    """Raise ConfigError where the data section contradicts itself on a series."""
    given = options.series
    assert given is not None, "the data section asks for a series"
    if options.split not in ("auto", "tail"):
        raise ConfigError(
            f"data.split: {quote(options.split)} would train on rows that come after those it is judged by",
            help="leave it out: of a series the last rows are held out; or give data.validation a file of its own",
        )
    if options.folds is not None:
        raise ConfigError(
            "data.folds: a fold would be predicted by a network that was trained on what comes after it",
            help="leave it out, and hold out the last rows with data.validation",
        )
    _refuse_gaps(options)
    _check_window(given)


def _refuse_gaps(options: DataOptions) -> None:
    dropping = ["missing"] if options.missing == "drop" else []
    dropping += [f"columns.{name}.missing" for name, own in options.columns.items() if own.missing == "drop"]
    if dropping:
        raise ConfigError(
            f"data.{dropping[0]}: 'drop' would leave gaps in the series",
            help="use auto, or mean, median, most_frequent or constant",
        )


def _check_window(given: SeriesOptions) -> None:
    changes = Changes(given.log, given.lags)
    lags = " and ".join(map(str, given.lags))
    if given.window <= changes.lost:
        raise ConfigError(
            f"data.series.window: expected more than {changes.lost} rows, which only serve the differences of lag"
            f" {lags}, got {given.window}",
            help=f"the network sees window - {changes.lost} steps: {given.window + changes.lost} gives it"
            f" {given.window}",
        )
    reach = changes.reach(given.horizon)
    if given.window < reach:
        raise ConfigError(
            f"data.series.window: expected at least {reach} rows, which the differences of lag {lags} of"
            f" {given.horizon} rows ahead are relative to, got {given.window}",
            help=f"set it to {reach}, or use a shorter horizon or one lag",
        )


def check_task(targets: Sequence[str], given: SeriesOptions, kind: TaskKind) -> None:
    """Raise ConfigError where classes are to be predicted in a way that only numbers can be."""
    if kind == "regression":
        return
    for key, asked, remedy in (
        ("include_target", given.include_target, "false"),
        ("horizon", given.horizon > 1, "1"),
        ("log", given.log, "false"),
        ("difference", bool(given.lags), "null"),
    ):
        if asked:
            raise ConfigError(
                f"data.series.{key}: the task is {kind} ({quote(targets[0])}), and this is for numbers only",
                help=f"set data.task: regression to forecast numbers; for classes set data.series.{key}: {remedy}",
            )


def missing_value(table: Table, columns: Sequence[Column], rows: Array) -> DataError:
    """Return the error for rows of a series in which the target is missing, though it is needed."""
    column = next(column for column in columns if column.missing(numeric=True)[rows[0]])
    message = f"column {quote(column.name)}: the target is missing, and windows need it in each row"
    help = "fill the cell; only at the end of a series that is predicted it may be empty"
    return first_of(rows, table, message, help)


def too_low(table: Table, columns: Sequence[Column], y: Array) -> DataError:
    """Return the error for values y (R, D) of which some have no logarithm."""
    rows, at = np.nonzero(y <= 0)
    column = columns[at[0]]
    cell = quote(str(column.text()[rows[0]]))
    message = f"column {quote(column.name)}: expected a number above 0 for its logarithm, got {cell}"
    return first_of(rows, table, message, help="leave out data.series.log, or correct the cell")


def no_windows(table: Table, part: str, rows: int, given: SeriesOptions, predicts: bool) -> DataError:
    """Return the error for a part without a single window."""
    window, horizon = given.window, given.horizon
    past = f"a window of {window} row{'s' * (window > 1)}"
    future = "" if predicts else f" and the {horizon} row{'s' * (horizon > 1)} it predicts"
    what = {"train": "for training", "rows": ""}.get(part, f"for the {part} part")
    remedies = {"train": "use a smaller data.series.window, or hold out fewer rows"}
    own_file = f"give the file at least {window + (0 if predicts else horizon)} rows of a series, the first {window}"
    remedy = remedies.get(part, f"{own_file} of which are history; or use a smaller data.series.window")
    if part in ("validation", "test") and rows < table.rows:
        remedy = f"hold out at least {horizon} rows with data.{part}, or use a smaller horizon or window"
    return DataError(
        f"{rows} rows {what}".rstrip() + f" do not hold {past}{future}",
        path=table.path,
        help=remedy,
    )
