"""Sequences in wide form: a row holds the steps of one sequence side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.data.batches import Dataset
from nntrain.data.encoders import IMPUTED, missing_cells
from nntrain.data.faults import first_of
from nntrain.data.features import feature_columns
from nntrain.data.forms.base import Examples, Form, at_rows, encoded, kept_rows, narrowed
from nntrain.data.imputing import Imputer
from nntrain.data.notices import Notice
from nntrain.data.options import ColumnOptions, DataOptions, SequenceOptions
from nntrain.data.table import Table
from nntrain.data.target import Target
from nntrain.data.transforms import Scaler, scaler_named
from nntrain.errors import ConfigError, DataError, enumerate_names, quote


class Channel:
    """One value of each step: missing ones imputed, then scaled, by the true steps of the training rows.

    Args:
        scale: name of the scaler.
        missing: auto, error, drop, mean, median, most_frequent or constant; auto is the median.
        fill: what ``constant`` puts in.
    """

    def __init__(self, scale: str, missing: str, fill: float) -> None:
        self.scaler: Scaler = scaler_named(scale)
        self.imputer = Imputer("median" if missing == "auto" else missing, fill)

    def fit(self, values: Array) -> None:
        """Learn from the values (M,) of true steps, NaN for missing."""
        self.imputer.fit(values)
        self.scaler.fit(values[~np.isnan(values)])

    def apply(self, values: Array) -> Array:
        """Return the scaled values (M,), without a missing one."""
        return self.scaler.apply(self.imputer.apply(values))


class WideSequences(Form):
    """A sequence (T, F) is a row that holds T steps of F channels side by side, step after step.

    Args:
        columns: of the steps, T F of them.
        sequence: the section of the config.
        scale: name of the scaler of each channel.
        missing: what is done about a missing cell within the true steps.
        fill: what ``missing: constant`` puts in.
    """

    name = "wide_sequences"
    unit = "sequences"

    def __init__(
        self, columns: Sequence[str], sequence: SequenceOptions, scale: str, missing: str, fill: float
    ) -> None:
        assert sequence.steps is not None, "adjust has seen to it"
        self.steps, self.channels, self.length = sequence.steps, sequence.channels or 1, sequence.length
        self.scale, self.missing, self.fill = scale, missing, fill
        self.notices = []
        self.kinds = dict.fromkeys(columns, "numeric")
        self.by_channel = [Channel(scale, missing, fill) for _ in range(self.channels)]
        self.fewest = self.most = self.steps
        self._steps_of = list(columns)
        self._lengths: tuple[Table, Array] | None = None

    @classmethod
    def axes(cls, options: DataOptions) -> int:
        return 2

    @classmethod
    def adjust(cls, options: DataOptions) -> DataOptions:
        sequence = _asked(options)
        if sequence.steps is None:
            raise ConfigError("data.sequence: expected either 'group' or 'steps', got neither")
        if sequence.target_per == "row":
            raise ConfigError(
                "data.sequence.target_per: a row of the file is a whole sequence where 'steps' is given, and has one"
                " label, not one a step",
                help="leave target_per out; for a label a step write one row a step, and name the column of ids in"
                " data.sequence.group",
            )
        return options

    @classmethod
    def make(cls, table: Table, options: DataOptions) -> WideSequences:
        sequence = _asked(options)
        names = _step_columns(table, options, sequence)
        _check_own(names, options.columns)
        return cls(names, sequence, options.scale, options.missing, options.fill)

    @property
    def columns(self) -> list[str]:
        return self._steps_of if self.length is None else [self.length, *self._steps_of]

    @property
    def shape(self) -> Shape:
        return (self.steps, self.channels)

    @property
    def feature_names(self) -> list[str]:
        return [_channel_name(channel) for channel in range(self.channels)]

    @property
    def place_names(self) -> list[str]:
        return list(self._steps_of)

    def lengths(self, table: Table) -> Array:
        """Return the true number of steps (R,) int64 of each row.

        Raises:
            DataError: the column of lengths holds something else than whole numbers from 1 to ``steps``; or, without
                one, a row has no step at all.
        """
        if self._lengths is None or self._lengths[0] is not table:
            self.check_columns(table)
            found = self._last_steps(table) if self.length is None else self._given_lengths(table, self.length)
            self._lengths = table, found
        return self._lengths[1]

    def _given_lengths(self, table: Table, name: str) -> Array:
        column = table.columns[name]
        values = column.numbers()
        wrong = np.flatnonzero(~((values >= 1) & (values <= self.steps) & (values == np.floor(values))))
        if len(wrong):
            cell = quote(str(column.text()[wrong[0]]))
            message = f"column {quote(name)}: expected a whole number of steps from 1 to {self.steps}, got {cell}"
            raise first_of(wrong, column, message, help="correct the cell, or delete the row")
        return values.astype(np.int64)

    def _last_steps(self, table: Table) -> Array:
        """Return for each row the number of its last step with any cell, from 1."""
        last = np.zeros(table.rows, np.int64)
        for i, name in enumerate(self._steps_of):
            last[~np.isnan(table.columns[name].numbers())] = i // self.channels + 1
        empty = np.flatnonzero(last == 0)
        if len(empty):
            message = f"the row has no step: all {len(self._steps_of)} cells of its sequence are empty"
            raise first_of(empty, table, message, help="delete the row")
        return last

    def select(self, table: Table) -> Array:
        lengths = self.lengths(table)
        whole = np.ones(table.rows, bool)
        if self.missing == "drop":
            for i in range(len(self._steps_of)):
                whole &= ~np.isnan(self._values(table, i)) | (lengths <= i // self.channels)
        return kept_rows(table, whole)

    def dropped(self, table: Table) -> int:
        return table.rows - len(self.select(table)) if self.missing == "drop" else 0

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        lengths = self.lengths(table)[rows]
        self.fewest, self.most = int(lengths.min()), int(lengths.max())
        self.ragged = self.fewest < self.steps
        there = np.arange(self.steps) < lengths[:, None]
        odd = []
        for number, channel in enumerate(self.by_channel):
            places = range(number, len(self._steps_of), self.channels)
            values = np.stack([self._values(table, i)[rows] for i in places], axis=1)
            channel.fit(values[there])
            if channel.scaler.finding:
                odd.append(Notice(f"warning: {channel.scaler.finding}", _channel_name(number)))
        return odd

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        labels, lengths = encoded(table, target), self.lengths(table)
        inputs = {part: np.zeros((len(rows), *self.shape), np.float32) for part, rows in parts.items()}
        imputed = np.zeros(self.channels, np.int64)
        for i, name in enumerate(self._steps_of):
            step, number = divmod(i, self.channels)
            there = lengths > step
            values = self._values(table, i)
            missing = np.isnan(values) & there
            if self.missing == "error" and missing.any():
                raise missing_cells(table.columns[name], np.flatnonzero(missing))
            imputed[number] += int(np.count_nonzero(missing))
            scaled = self.by_channel[number].apply(values)
            narrow = narrowed(table, name, np.where(there, scaled, 0.0))
            for part, rows in parts.items():
                inputs[part][:, step, number] = narrow[rows]
        found = {
            part: Dataset(x, labels[rows], at_rows(weight, rows), rows, table, self._known(lengths[rows]))
            for (part, rows), x in zip(parts.items(), inputs.values(), strict=True)
        }
        notices = [Notice(IMPUTED, _channel_name(i), str(count)) for i, count in enumerate(imputed.tolist()) if count]
        return found, notices

    def _known(self, lengths: Array) -> Array | None:
        """Return lengths (N,), or None where there is no padding: neither here nor in training."""
        return lengths if self.ragged or (lengths < self.steps).any() else None

    def _values(self, table: Table, place: int) -> Array:
        """Return the numbers (R,) of a column of the steps, NaN for missing."""
        return table.columns[self._steps_of[place]].numbers()

    def describe(self) -> str:
        channels = f"{self.channels} channel{'s' * (self.channels != 1)}"
        spread = f"{self.fewest} to {self.most}" if self.fewest < self.most else f"{self.most}"
        steps = f"{spread} of {self.steps} steps" if self.ragged else f"{self.steps} step{'s' * (self.steps != 1)}"
        return f"sequences: {channels}, {steps} (wide form)"

    def state(self) -> dict[str, Any]:
        given = {"columns": self._steps_of, "steps": self.steps, "channels": self.channels, "length": self.length}
        treated = {"scale": self.scale, "missing": self.missing, "fill": self.fill}
        learnt = [{**channel.imputer.state(), "scaler": channel.scaler.state()} for channel in self.by_channel]
        return {**given, **treated, "fewest": self.fewest, "most": self.most, "by_channel": learnt}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> WideSequences:
        sequence = SequenceOptions(steps=state["steps"], channels=state["channels"], length=state["length"])
        form = cls(state["columns"], sequence, state["scale"], state["missing"], state["fill"])
        form.fewest, form.most = int(state["fewest"]), int(state["most"])
        form.ragged = form.fewest < form.steps
        for channel, learnt in zip(form.by_channel, state["by_channel"], strict=True):
            channel.imputer.load(learnt)
            channel.scaler.load(learnt["scaler"])
        return form


def _asked(options: DataOptions) -> SequenceOptions:
    assert options.sequence is not None, "the form is not asked for without"
    return options.sequence


def _channel_name(number: int) -> str:
    return f"channel {number}"


def _step_columns(table: Table, options: DataOptions, sequence: SequenceOptions) -> list[str]:
    """Return the columns of the steps: the features in the order of the file, or as ``data.features`` lists them.

    Raises:
        DataError: there are more or fewer than steps times channels.
    """
    length = sequence.length
    if length is not None:
        table.column(length, "data.sequence.length")
        if length in (options.features or ()):
            message = f"data.features: column {quote(length)} is named by data.sequence.length too"
            raise DataError(message, path=table.path, help="take it out of one of the two")
        options = dataclasses.replace(options, ignore=[*options.ignore, length])
    names = feature_columns(table, options)
    steps, channels = sequence.steps or 0, sequence.channels or 1
    if len(names) == steps * channels:
        return names
    raise DataError(
        f"data.sequence: {steps} steps of {channels} channel{'s' * (channels != 1)} are {steps * channels} columns,"
        f" and there are {len(names)} feature columns",
        path=table.path,
        help=_count_remedy(len(names), steps, channels, length),
        notes=[f"the feature columns: {enumerate_names(names, 6)}"],
    )


def _count_remedy(found: int, steps: int, channels: int, length: str | None) -> str:
    if found == steps * channels + 1 and length is None:
        return "name the column of true lengths in data.sequence.length, or leave one column out with data.ignore"
    if found % channels == 0:
        return f"set data.sequence.steps: {found // channels}, or leave columns out with data.ignore"
    if found % steps == 0:
        return f"set data.sequence.channels: {found // steps}, or leave columns out with data.ignore"
    return "leave columns that are no steps out with data.ignore, or list those of the steps in data.features"


def _check_own(names: Sequence[str], columns: Mapping[str, ColumnOptions]) -> None:
    """Refuse a treatment of single columns: the steps of a channel are treated alike."""
    for name in names:
        own = columns.get(name)
        if own is None or own in (ColumnOptions(), ColumnOptions(type="numeric")):
            continue
        raise ConfigError(
            f"data.columns.{name}: a step of a sequence has no treatment of its own, all steps of a channel have one",
            help="use data.scale, data.missing and data.fill, or write the file in long form (data.sequence.group)",
        )
