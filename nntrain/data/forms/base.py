"""The form of an example: how rows of a table become what the network is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.task import TaskKind
from nntrain.data.batches import Dataset, Labels
from nntrain.data.chunks import Selection, filled, rows_where, taken
from nntrain.data.column_types import ColumnKind
from nntrain.data.notices import Notice
from nntrain.data.options import DataOptions
from nntrain.data.parts import Facts
from nntrain.data.storage import Storage
from nntrain.data.table import Table
from nntrain.data.target import Target, fit_target
from nntrain.errors import DataError, did_you_mean, enumerate_names, quote

Examples = tuple[dict[str, Dataset], list[Notice]]
"""The examples of each part, and what was odd about their cells."""


class Form:
    """Base of all forms. What a form learns comes from training rows, and travels in the checkpoint.

    Attributes:
        name: key of the form in :data:`nntrain.data.forms.FORMS`.
        unit: what an example is called, in the plural.
        streams: whether its examples may be kept on disk, for tables that are larger than the memory.
        is_table: whether an example is one row of independent columns, whose copies and repetitions mean something.
        numbers_are_classes: whether few whole numbers as a target are taken for classes, as in a table.
        kinds: what each feature column is, by name.
        notices: what is worth knowing about the columns.
        per_step: whether each step of a sequence has a label.
        ragged: whether sequences differ in their numbers of steps.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "rows"
    streams: ClassVar[bool] = False
    is_table: ClassVar[bool] = False
    numbers_are_classes: ClassVar[bool] = True
    per_step: bool = False
    ragged: bool = False
    kinds: Mapping[str, ColumnKind] = {}
    notices: list[str]

    @classmethod
    def axes(cls, options: DataOptions) -> int:
        """Return how many axes an example has: 1 for a row, 2 for a sequence, 3 for an image."""
        return 1

    @classmethod
    def make(cls, table: Table, options: DataOptions) -> Form:
        """Return the form for a table of training rows, not fitted yet.

        Raises:
            ConfigError: the data section asks for what the form does not have.
            DataError: the columns do not fit the form.
        """
        raise TypeError(f"{cls.__name__} does not implement make")

    @classmethod
    def adjust(cls, options: DataOptions) -> DataOptions:
        """Return the data section as the form understands it, where a key means another thing to it.

        Raises:
            ConfigError: keys contradict the form.
        """
        return options

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns that the form reads, in order."""
        raise TypeError(f"{type(self).__name__} does not tell its columns")

    @property
    def known_columns(self) -> set[str]:
        """Names of the columns that mean something to the form; others are told to be unused."""
        return set(self.columns)

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        raise TypeError(f"{type(self).__name__} does not tell its shape")

    @property
    def embedded(self) -> dict[int, int]:
        """Indexes on the last axis that hold codes to be embedded, with the number of codes."""
        return {}

    @property
    def feature_names(self) -> list[str]:
        """Names of the places on the last axis of an example."""
        return list(self.columns)

    @property
    def place_names(self) -> list[str]:
        """Names of all places of an example, in row-major order."""
        names, count = self.feature_names, math.prod(self.shape)
        times = count // max(1, len(names))
        return names if times == 1 else [f"{name}_{i}" for i in range(times) for name in names]

    def dropped(self, table: Table) -> int:
        """Return how many rows are left out for a missing cell."""
        return 0

    def select(self, table: Table) -> Array:
        """Return the row numbers that stand for one example each, among which a split chooses."""
        return np.arange(table.rows)

    def split_facts(self, table: Table, options: DataOptions) -> Facts | None:
        """Return what a split of all rows heeds, or None where it is what the data section says."""
        return None

    def owners(self, table: Table) -> Array | None:
        """Return (R,) the row that stands for the example of each row, as in :meth:`select`, -1 where it is in none.

        None where each row stands for itself.
        """
        return None

    def rows_of(self, table: Table, chosen: Array) -> Array:
        """Return the numbers of all rows that belong to the examples chosen: what is fitted on."""
        return chosen

    def label_rows(self, table: Table, chosen: Array) -> Array:
        """Return the numbers of the rows whose cells are the labels of the examples chosen."""
        return chosen

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        """Learn from training rows; return what is odd about them."""
        raise TypeError(f"{type(self).__name__} does not implement fit")

    def fit_target(
        self, table: Table, options: DataOptions, kind: TaskKind, scales: bool, parts: Mapping[str, Array]
    ) -> Target:
        """Return the target, fitted on the labels of the training part.

        Args:
            table: with the target columns.
            options: the data section.
            kind: of the task.
            scales: whether the loss allows a scaled target.
            parts: the row numbers chosen by :meth:`select` of each part; ``train`` is one of them.
        """
        held = {part: self.label_rows(table, rows) for part, rows in parts.items() if part != "train"}
        return fit_target(table, options, kind, self.label_rows(table, parts["train"]), scales, held)

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        """Return the examples of each part of a table.

        Args:
            table: that holds :attr:`columns`.
            parts: row numbers chosen by :meth:`select`, by part.
            target: fitted, or None where there are no labels: the datasets' targets are then zeros.
            weight: (R,) of each row of the table, or None.

        Raises:
            DataError: a cell is not what it must be.
        """
        raise TypeError(f"{type(self).__name__} does not implement examples")

    def truth(self, table: Table, target: Target, labels: Labels) -> dict[str, list[Any]]:
        """Return the cells that are the labels, as they stand, by the names of the targets."""
        return {name: table.columns[name].text()[labels.rows].tolist() for name in target.columns}

    def identify(self, table: Table, rows: Array) -> dict[str, list[Any]]:
        """Return columns of ``predictions.csv`` that tell of some rows (L,) what they belong to, by name."""
        return {}

    def restore(self, values: Array, base: Array | None) -> Array:
        """Return values (L, D) of the target in the units of the table, from unscaled ones and their base."""
        return values

    def describe(self) -> str:
        """Return a line of the summary on the inputs: ``columns: 4 numeric -> 4 inputs``."""
        raise TypeError(f"{type(self).__name__} does not describe itself")

    def state(self) -> dict[str, Any]:
        """Return everything given and learnt, as plain values and arrays."""
        raise TypeError(f"{type(self).__name__} does not implement state")

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Form:
        """Return the form that :meth:`state` described."""
        raise TypeError(f"{cls.__name__} does not implement load")

    def check_columns(self, table: Table) -> None:
        """Raise DataError where the table lacks a column that the form reads."""
        lacking = [name for name in self.columns if name not in table.columns]
        if lacking:
            raise DataError(
                f"column {quote(lacking[0])} is missing{did_you_mean(lacking[0], table.names)}",
                path=table.path,
                help="the training rows have it, and the network reads it; give the file this column",
                notes=[
                    *([f"{len(lacking)} are missing: {enumerate_names(lacking)}"] if len(lacking) > 1 else []),
                    f"columns found: {enumerate_names(table.names)}",
                ],
            )


def encoded(table: Table, target: Target | None) -> Array:
    """Return the target array of all rows of a table, zeros (R,) without a target."""
    return np.zeros(table.rows, np.int64) if target is None else target.encode(table)


def at_rows(weight: Array | None, rows: Array) -> Array | None:
    """Return the weights of some rows, None where there are none."""
    return None if weight is None else weight[rows]


def plain_examples(
    table: Table,
    parts: Mapping[str, Array],
    inputs: Sequence[Array],
    target: Target | None,
    weight: Array | None,
    storage: Storage,
) -> dict[str, Dataset]:
    """Return the examples of each part where a row is an example and has one label.

    Args:
        table: that the rows are of.
        parts: row numbers (N,), by part.
        inputs: of each part.
        target: fitted, or None where there are no labels.
        weight: (R,) of each row of the table, or None.
        storage: where labels and weights are kept.
    """
    read = _no_labels if target is None else target.reader(table)
    none = read(slice(0, 0))
    found = {}
    for (part, rows), x in zip(parts.items(), inputs, strict=True):
        out = storage.empty((len(rows), *none.shape[1:]), none.dtype)
        labels = Selection(rows, table.rows).read(read, out)
        own = None
        if weight is not None:
            own = taken(weight, rows, storage.empty(rows.shape, weight.dtype))
        numbers = filled(storage.empty(rows.shape, rows.dtype), rows.__getitem__)
        found[part] = Dataset(x, labels, own, numbers, table)
    return found


def _no_labels(rows: slice) -> Array:
    return np.zeros(rows.stop - rows.start, np.int64)


def kept_rows(table: Table, whole: Array, what: str = "cell", instead: str = "auto") -> Array:
    """Return the numbers of the rows (R,) that ``missing: drop`` keeps, those without a missing cell.

    Raises:
        DataError: there is none.
    """
    if not whole.any():
        message = f"every row has a missing {what}, and data.missing is 'drop'"
        raise DataError(message, path=table.path, help=f"use {instead}")
    return rows_where(whole)


def narrowed(table: Table, name: str, values: Array) -> Array:
    """Return scaled values (R,) of a column as float32.

    Raises:
        DataError: one does not fit into float32.
    """
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if np.isfinite(narrow).all():
        return narrow
    raise too_large(table, name, int(np.flatnonzero(~np.isfinite(narrow))[0]))


def too_large(table: Table, name: str, row: int) -> DataError:
    """Return the error for a cell whose scaled value does not fit into float32."""
    path, line = table.place(row)
    return DataError(
        f"column {quote(name)}: the scaled value does not fit into float32",
        path=path,
        line=line,
        help="correct the cell, or use data.scale: quantile",
    )
