"""The target: which task it sets, its classes or its scale, and back from predictions to what the table says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.core.array import Array, distinct_values
from nntrain.core.task import Task, TaskKind
from nntrain.data.chunks import Chosen, Selection, chunks
from nntrain.data.classes import check_classes, fit_classes
from nntrain.data.column import Column
from nntrain.data.column_types import Reader, first_row
from nntrain.data.labels import LabelledColumn, label_codes
from nntrain.data.missing import missing_rows
from nntrain.data.options import DataOptions
from nntrain.data.statistics import without_missing
from nntrain.data.table import Table
from nntrain.data.transforms import Affine, affine_named
from nntrain.errors import ConfigError, DataError, enumerate_names, quote

MOST_NUMERIC_CLASSES = 20
"""Whole numbers with at most this many distinct values are classes, where nothing says otherwise."""

_TRUTHS = {"true", "false"}


@dataclass
class Target:
    """The fitted target.

    Attributes:
        task: what is predicted.
        scalers: one for each numeric target column.
        notices: what is worth knowing about it.
        reconstructs: whether the target is the network's input itself, in scaled units, and no column.
    """

    task: Task
    scalers: list[Affine]
    notices: list[str]
    reconstructs: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the table's columns it is read from."""
        return () if self.reconstructs else self.task.targets

    def decode(self, values: Array) -> Array:
        """Return predicted values (N, D) in the units of the table, float64; as they are where none was scaled."""
        if self.reconstructs:
            return values.astype(np.float64)
        decoded = np.empty(values.shape)
        for rows in chunks(len(values)):
            for i, scaler in enumerate(self.scalers):
                decoded[rows, i] = scaler.invert(values[rows, i].astype(np.float64))
        return decoded

    def encode(self, table: Table) -> Array:
        """Return the targets of all rows of a table; see :meth:`reader`."""
        return self.reader(table)(slice(0, table.rows))

    def reader(self, table: Table) -> Reader:
        """Return what reads the targets of some rows: codes (M,) int64, or values (M, D) float32.

        A class that is not known has the code -1.

        Raises:
            DataError: a target column or cell is missing, or a cell is no number where numbers are predicted.
        """
        if self.reconstructs:
            return lambda rows: np.empty((_count(rows), 0), np.float32)
        columns = [table.column(name, "data.target") for name in self.task.targets]
        for column in columns:
            _refuse_missing(column, numeric=self.task.kind == "regression")
        if self.task.kind == "classification":
            return label_codes(columns[0], self.task.classes)
        if self.task.kind == "multilabel":
            readers = [_indicators(column) for column in columns]
        else:
            readers = [_scaled(scaler, column) for scaler, column in zip(self.scalers, columns, strict=True)]
        return lambda rows: np.stack([read(rows) for read in readers], axis=1)

    def state(self) -> dict[str, Any]:
        """Return everything fitted, as plain values."""
        task = self.task
        return {
            "kind": task.kind,
            "targets": list(task.targets),
            "classes": list(task.classes),
            "positive": task.positive,
            "scalers": [scaler.state() for scaler in self.scalers],
            "reconstructs": self.reconstructs,
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Target:
        """Return the target that :meth:`state` described."""
        task = Task(state["kind"], tuple(state["targets"]), tuple(state["classes"]), state["positive"])
        scalers = [Affine() for _ in state["scalers"]]
        for scaler, plain in zip(scalers, state["scalers"], strict=True):
            scaler.load(plain)
        return cls(task, scalers, [], state["reconstructs"])


def reconstruction(names: Sequence[str], left_out: Sequence[str]) -> Target:
    """Return the target that is the input itself, given the names of its places and of columns left out of it."""
    told = f"{enumerate_names([quote(name) for name in left_out])} is left out: the network reconstructs its input"
    return Target(Task("regression", tuple(names)), [], [told] if left_out else [], reconstructs=True)


def decide_kind(
    table: Table, options: DataOptions, hint: TaskKind | None, numbers_are_classes: bool = True
) -> TaskKind:
    """Return the kind of task: the config's, else that of the named loss, else what the target looks like.

    Args:
        table: with the target columns.
        options: of the data section.
        hint: the kind that a named loss implies, or None.
        numbers_are_classes: whether a few whole numbers are taken for classes.
    """
    if options.task != "auto":
        return options.task
    names = names_of(options.target)
    if hint is not None:
        return "multilabel" if hint == "classification" and len(names) > 1 else hint
    columns = [table.column(name, "data.target") for name in names]
    if len(columns) > 1:
        return "multilabel" if all(_is_indicator(column) for column in columns) else "regression"
    if columns[0].number_share == 1.0 and not numbers_are_classes:
        return "regression"
    return "classification" if looks_like_classes(columns[0]) else "regression"


def looks_like_classes(column: Column) -> bool:
    """Return whether a target column holds classes: text, booleans, or whole numbers with few distinct values."""
    if column.number_share < 0.9:
        return True
    if column.number_share < 1.0:
        return False  # numbers with a few other cells: an error of the data, which names them
    found = np.empty(0)
    for rows in chunks(len(column)):
        known = without_missing(column.numbers(rows))
        if not np.array_equal(known, np.floor(known)):
            return False
        found = distinct_values(np.concatenate([found, distinct_values(known)]))
        if len(found) > MOST_NUMERIC_CLASSES:
            return False
    return len(found) > 0


def names_of(columns: str | Sequence[str]) -> list[str]:
    """Return one name or several as a list."""
    return [columns] if isinstance(columns, str) else list(columns)


def fit_target(
    table: Table, options: DataOptions, kind: TaskKind, train: Array, scales: bool, parts: Mapping[str, Array]
) -> Target:
    """Return the target fitted on the training rows.

    Args:
        table: with the target columns.
        options: of the data section.
        kind: of the task.
        train: row numbers to fit on.
        scales: whether the loss allows a scaled target.
        parts: all parts by name, whose classes must be in the training rows.

    Raises:
        DataError: a cell is missing, there are fewer than two classes, or a class is not trained on.
    """
    names = names_of(options.target)
    columns = _target_columns(table, names, kind)
    if kind == "classification":
        task, notices = fit_classes(table, columns[0], train, parts, options)
        return Target(task, [], notices)
    if kind == "multilabel":
        for column in columns:
            _indicators(column)
        return Target(Task("multilabel", tuple(names)), [], [])
    return Target(Task("regression", tuple(names)), *_fit_scalers(columns, options, train, scales))


def check_target(table: Table, options: DataOptions, kind: TaskKind, usable: Array) -> None:
    """Raise an error where no split of the usable rows can have a target of this kind."""
    columns = _target_columns(table, names_of(options.target), kind)
    if kind == "classification":
        labelled = LabelledColumn(columns[0])
        counts = labelled.counts(Selection(usable, table.rows)).tolist()
        labels = [label for label, count in zip(labelled.labels, counts, strict=True) if count]
        check_classes(table, columns[0], labels, len(usable))


def _target_columns(table: Table, names: Sequence[str], kind: TaskKind) -> list[Column]:
    """Return the target columns, whole and of the kind that the task needs."""
    if kind == "classification" and len(names) > 1:
        raise ConfigError(
            f"data.target: classification has one target, got {len(names)}",
            help="use task: multilabel for columns of 0 and 1, or name one column",
        )
    columns = [table.column(name, "data.target") for name in names]
    for column in columns:
        if kind == "regression" and column.number_share < 0.9 and column.number_like_share < 0.9:
            raise _no_numbers(column)
        _refuse_missing(column, numeric=kind == "regression")
    return columns


def _no_numbers(column: Column) -> DataError:
    """Return the error for classes where the task is to predict numbers."""
    problem = column.not_numbers().problems[0]
    return DataError(
        f"{problem.message}, and the task is regression",
        path=problem.path,
        line=problem.line,
        help="set data.task: classification, or leave out a loss that is for numbers",
        notes=problem.notes,
    )


def _fit_scalers(
    columns: Sequence[Column], options: DataOptions, train: Array, scales: bool
) -> tuple[list[Affine], list[str]]:
    name = options.target_scale
    if name == "auto":
        name = "standard" if scales else "none"
    scalers, notices = [], []
    for column in columns:
        scaler = affine_named(name)
        scaler.fit(Selection(train, len(column)).read(column.numbers))
        scalers.append(scaler)
        if scaler.finding:
            notices.append(f"warning: target {quote(column.name)} {scaler.finding}")
    return scalers, notices


def _refuse_missing(column: Column, numeric: bool) -> None:
    rows = missing_rows(column, numeric)
    if len(rows):
        places = column.places(rows[:5])
        more = [f"{len(rows)} rows lack it: lines {', '.join(str(line) for _, line in places)}"]
        raise DataError(
            f"column {quote(column.name)}: the target is missing",
            path=places[0][0],
            line=places[0][1],
            help="fill the cell, or delete the row",
            notes=more if len(rows) > 1 else (),
        )


def _count(rows: Chosen) -> int:
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def _scaled(scaler: Affine, column: Column) -> Reader:
    return lambda rows: scaler.apply(column.numbers(rows)).astype(np.float32)


def _is_indicator(column: Column) -> bool:
    _, distinct_texts = column.codes(slice(0, 0))
    return {text.strip().lower() for text in distinct_texts} <= {"0", "1", "0.0", "1.0", *_TRUTHS}


def _indicators(column: Column) -> Reader:
    """Return what reads 0 or 1 (M,) float32 of a column of labels for multilabel."""
    _, texts = column.codes(slice(0, 0))
    value = {"0": 0.0, "0.0": 0.0, "false": 0.0, "1": 1.0, "1.0": 1.0, "true": 1.0}
    values = [value.get(text.strip().lower()) for text in texts]
    for i, found in enumerate(values):
        if found is None:
            path, line = column.places([first_row(column, i)])[0]
            message = f"column {quote(column.name)}: expected 0 or 1 for a multilabel target, got {quote(texts[i])}"
            raise DataError(message, path=path, line=line, help="write 0 or 1, or choose data.task: classification")
    table = np.array(values, np.float32)
    return lambda rows: np.asarray(table[column.codes(rows)[0]])
