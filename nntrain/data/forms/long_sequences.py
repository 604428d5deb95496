"""Sequences in long form: the rows of one id are the steps of one sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.data.batches import Dataset
from nntrain.data.column import Column
from nntrain.data.column_types import ColumnKind
from nntrain.data.encoders import Encoder
from nntrain.data.faults import first_of
from nntrain.data.features import make_encoders
from nntrain.data.forms.base import Examples, at_rows, encoded
from nntrain.data.forms.grouped_rows import GroupedRows
from nntrain.data.forms.rows import EncodedColumns
from nntrain.data.labels import distinct_labels
from nntrain.data.notices import Notice
from nntrain.data.options import DataOptions, SequenceOptions
from nntrain.data.parts import order_values
from nntrain.data.table import Table
from nntrain.data.target import Target, names_of
from nntrain.errors import ConfigError, quote


class LongSequences(EncodedColumns):
    """A sequence (T, F) is the rows of one id in their order, padded with zeros to the longest training sequence.

    Its smallest row number in the file stands for it.

    Args:
        encoders: one for each feature column.
        group: column that names the sequence a row belongs to.
        order: column the rows of a sequence are sorted by, or None for their order in the file.
        per_step: whether each row has a label of its own, instead of the sequence.
        weight: name of the column of sample weights, or None.
        kinds: what each column is, by name.
        notices: what is odd about the columns.
    """

    name = "long_sequences"
    unit = "sequences"

    def __init__(
        self,
        encoders: Sequence[Encoder],
        group: str,
        order: str | None,
        per_step: bool,
        weight: str | None = None,
        kinds: Mapping[str, ColumnKind] | None = None,
        notices: Sequence[str] = (),
    ) -> None:
        super().__init__(encoders, kinds, notices)
        self.group, self.order, self.per_step, self.weight = group, order, per_step, weight
        self.steps = self.fewest = 0
        self._targets: list[str] = []
        self._grouped: tuple[Table, GroupedRows] | None = None

    @classmethod
    def axes(cls, options: DataOptions) -> int:
        return 2

    @classmethod
    def adjust(cls, options: DataOptions) -> DataOptions:
        sequence = _asked(options)
        if sequence.steps is not None:
            raise ConfigError("data.sequence: expected either 'group' or 'steps', got both")
        if sequence.target_per == "sequence":
            return options
        if options.split == "stratified":
            raise ConfigError(
                "data.split: 'stratified' needs one class a sequence, and data.sequence.target_per is 'row'",
                help="use split: random",
            )
        # The first label of many is nothing to stratify by.
        free = options.split == "auto" and options.order is None
        return dataclasses.replace(options, split="random") if free else options

    @classmethod
    def make(cls, table: Table, options: DataOptions) -> LongSequences:
        sequence = _asked(options)
        assert sequence.group is not None, "adjust has seen to it"
        own = {"data.sequence.group": sequence.group, "data.sequence.order": sequence.order}
        used = [table.column(name, key).name for key, name in own.items() if name is not None]
        ignored = [] if options.features is not None else used
        encoders, kinds, notices = make_encoders(
            table, dataclasses.replace(options, ignore=[*options.ignore, *ignored])
        )
        per_step = sequence.target_per == "row"
        form = cls(encoders, sequence.group, sequence.order, per_step, options.weight, kinds, notices)
        form._targets = names_of(options.target)
        if options.group is not None:
            form._check_same(table, table.column(options.group, "data.group"), "data.group")
        return form

    @property
    def columns(self) -> list[str]:
        own = [self.group] if self.order is None else [self.group, self.order]
        return list(dict.fromkeys([*own, *super().columns]))

    @property
    def shape(self) -> Shape:
        return (self.steps, len(self.feature_names))

    def select(self, table: Table) -> Array:
        return self.grouped(table).first

    def owners(self, table: Table) -> Array:
        return self.grouped(table).owner

    def rows_of(self, table: Table, chosen: Array) -> Array:
        return self.grouped(table).rows_of(chosen)

    def label_rows(self, table: Table, chosen: Array) -> Array:
        """Return the rows of the labels.

        Raises:
            DataError: a sequence has one label, and its rows have several.
        """
        if self.per_step:
            return self.rows_of(table, chosen)
        self._check_labels(table, self._targets)
        return chosen

    def grouped(self, table: Table) -> GroupedRows:
        """Return which rows of a table belong to which sequence.

        Raises:
            DataError: a row names no sequence, or its place in one is missing or taken.
        """
        if self._grouped is None or self._grouped[0] is not table:
            self.check_columns(table)
            column = table.columns[self.group]
            _refuse_nameless(column)
            order = None if self.order is None else order_values(table, self.order, "data.sequence.order")
            # As with classes, 1 and 01 are one id where all are whole numbers.
            whole = column.integers()
            codes = distinct_labels(column)[0] if whole is None else whole
            found = GroupedRows.of(codes, order, self.whole_rows(table))
            if self.order is not None and order is not None:
                found.check_order(table, self.group, self.order, order)
            self._grouped = table, found
        return self._grouped[1]

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        lengths = np.unique(self.grouped(table).owner[rows], return_counts=True)[1]
        self.steps, self.fewest = int(lengths.max()), int(lengths.min())
        self.ragged = self.fewest < self.steps
        return super().fit(table, rows)

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        grouped, labels = self.grouped(table), encoded(table, target)
        if target is not None and not self.per_step:
            self._check_labels(table, target.columns)
        if weight is not None and self.weight is not None and not self.per_step:
            self._check_same(table, table.columns[self.weight], "data.weight")
        inputs, notices = self.encode(table, [grouped.rows_of(chosen) for chosen in parts.values()])
        found = {
            part: self._dataset(table, chosen, flat, labels, weight)
            for (part, chosen), flat in zip(parts.items(), inputs, strict=True)
        }
        return found, notices

    def _dataset(self, table: Table, chosen: Array, flat: Array, labels: Array, weight: Array | None) -> Dataset:
        """Return the sequences chosen, their steps being the rows of ``flat`` (M, F) one after the other."""
        grouped = self.grouped(table)
        lengths, rows = grouped.lengths[grouped.numbers(chosen)], grouped.rows_of(chosen)
        steps = max(self.steps, int(lengths.max(initial=0)))
        there = np.arange(steps) < lengths[:, None]

        def padded(values: Array, filling: int = 0) -> Array:
            """Return values (M, ...) of steps as (N, T, ...)."""
            placed = np.full((*there.shape, *values.shape[1:]), filling, values.dtype)
            placed[there] = values
            return placed

        x = padded(flat)
        if self.per_step:
            weights = None if weight is None else padded(weight[rows])
            return Dataset(x, padded(labels[rows]), weights, padded(rows, -1), table, lengths, per_step=True)
        known = lengths if self.ragged or not there.all() else None
        return Dataset(x, labels[chosen], at_rows(weight, chosen), chosen, table, known)

    def identify(self, table: Table, rows: Array) -> dict[str, list[Any]]:
        return {self.group: table.columns[self.group].text()[rows].tolist()}

    def _check_same(self, table: Table, column: Column, key: str) -> None:
        help = "give all rows of a sequence the same value"
        values = np.nan_to_num(comparable(column), nan=np.inf)  # a missing cell is another value
        self.grouped(table).check_constant(table, self.group, column.name, values, f"the value that {key} reads", help)

    def _check_labels(self, table: Table, targets: Sequence[str]) -> None:
        help = "give all rows of a sequence the same label, or set data.sequence.target_per: row"
        for name in targets:
            values = comparable(table.column(name, "data.target"))
            self.grouped(table).check_constant(table, self.group, name, values, "the label", help)

    def describe(self) -> str:
        size = channels_and_steps(len(self.feature_names), self.fewest, self.steps)
        return f"sequences: {size} (long form, by {self.group})"

    def state(self) -> dict[str, Any]:
        given = {"group": self.group, "order": self.order, "per_step": self.per_step, "weight": self.weight}
        return {**super().state(), **given, "steps": self.steps, "fewest": self.fewest}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> LongSequences:
        given = (state["group"], state["order"], bool(state["per_step"]), state["weight"])
        form = cls(cls.loaded_encoders(state), *given)
        form.steps, form.fewest = int(state["steps"]), int(state["fewest"])
        form.ragged = form.fewest < form.steps
        return form


def _asked(options: DataOptions) -> SequenceOptions:
    assert options.sequence is not None, "the form is not asked for without"
    return options.sequence


def channels_and_steps(channels: int, fewest: int, most: int) -> str:
    """Return how large sequences are, in words.

    >>> channels_and_steps(1, 7, 29), channels_and_steps(4, 20, 20)
    ('1 channel, 7 to 29 steps', '4 channels, 20 steps')
    """
    steps = f"{most} step{'s' * (most != 1)}" if fewest == most else f"{fewest} to {most} steps"
    return f"{channels} channel{'s' * (channels != 1)}, {steps}"


def comparable(column: Column) -> Array:
    """Return a number (N,) for each cell, equal for equal values, NaN for a missing cell."""
    if column.number_share == 1.0:
        return column.numbers()
    return np.where(column.missing(numeric=False), np.nan, distinct_labels(column)[0])


def _refuse_nameless(column: Column) -> None:
    missing = np.flatnonzero(column.missing(numeric=False))
    if len(missing):
        message = f"column {quote(column.name)}: the cell that names the row's sequence is missing"
        raise first_of(missing, column, message, help="fill the cell, or delete the row")
