"""Forecasting: an example is a window of a time series, and its target are the rows behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.task import Task, TaskKind
from nntrain.data.batches import Dataset, Labels
from nntrain.data.column_types import NUMERIC_SHARE
from nntrain.data.features import NoFeaturesError, make_encoders
from nntrain.data.forms.base import Examples, Form, narrowed
from nntrain.data.forms.changes import Changes
from nntrain.data.forms.naive import naive_scores
from nntrain.data.forms.rows import EncodedColumns
from nntrain.data.forms.series_checks import check_options, check_task, missing_value, no_windows, too_low
from nntrain.data.forms.timeline import Timeline
from nntrain.data.notices import Notice
from nntrain.data.options import DataOptions, SeriesOptions
from nntrain.data.parts import Facts
from nntrain.data.table import Table
from nntrain.data.target import Target, names_of
from nntrain.data.transforms import Scaler, affine_named, scaler_named
from nntrain.errors import DataError, quote


class SeriesForm(Form):
    """Windows (window - lost, F) of the feature columns and the target's past; ``lost`` rows serve as bases only.

    The targets of the ``horizon`` rows behind a window are predicted at once, in the order of the rows.

    Args:
        options: the section ``data.series``.
        targets: names of the target columns.
        order: column that orders the rows, or None.
        group: column that tells series apart, or None.
        inputs: the feature columns.
        past_scale: name of the scaler of the target's past.
    """

    name = "series"
    unit = "windows"
    numbers_are_classes = False  # a series of counts is forecast, as any other

    def __init__(
        self,
        options: SeriesOptions,
        targets: Sequence[str],
        order: str | None,
        group: str | None,
        inputs: EncodedColumns,
        past_scale: str,
    ) -> None:
        self.options = options
        self.targets = list(targets)
        self.order = order
        self.group = group
        self.inputs = inputs
        self.kinds = inputs.kinds
        self.notices = list(inputs.notices)
        self.changes = Changes(options.log, options.lags)
        self.past_scale = past_scale
        self.past_scalers: list[Scaler] = [scaler_named(past_scale) for _ in self.targets if options.include_target]
        self.training_windows: int | None = None
        self._latest: tuple[Table, Timeline] | None = None

    @classmethod
    def axes(cls, options: DataOptions) -> int:
        return 2

    @classmethod
    def adjust(cls, options: DataOptions) -> DataOptions:
        check_options(options)
        return options

    @classmethod
    def make(cls, table: Table, options: DataOptions) -> SeriesForm:
        given = options.series
        assert given is not None, "the data section asks for a series"
        targets = names_of(options.target)
        try:
            inputs = EncodedColumns(*make_encoders(table, options))
        except NoFeaturesError as error:
            if not given.include_target or not targets:
                help = "set data.series.include_target: true, so that the target's past is an input"
                raise DataError(error.problems[0].message, path=table.path, help=help) from None
            inputs = EncodedColumns([])
        scale = {"auto": "standard", "none": options.scale}.get(options.target_scale, options.target_scale)
        return cls(given, targets, options.order, options.group, inputs, scale)

    @property
    def needs_past(self) -> bool:
        """Whether the values of the target before a window's end are needed to predict."""
        return bool(self.targets) and (self.options.include_target or bool(self.changes.lags))

    @property
    def steps(self) -> int:
        """How many steps of a window the network sees."""
        return self.options.window - self.changes.lost

    @property
    def columns(self) -> list[str]:
        own = [name for name in (self.order, self.group) if name is not None and name not in self.inputs.columns]
        return [*self.inputs.columns, *own, *(self.targets if self.needs_past else [])]

    @property
    def known_columns(self) -> set[str]:
        return {*self.columns, *self.targets}

    @property
    def shape(self) -> Shape:
        return (self.steps, len(self.feature_names))

    @property
    def embedded(self) -> dict[int, int]:
        return self.inputs.embedded

    @property
    def feature_names(self) -> list[str]:
        return [*self.inputs.feature_names, *(self.targets if self.options.include_target else [])]

    def split_facts(self, table: Table, options: DataOptions) -> Facts:
        """Return what puts the last rows into the parts held out.

        With ``data.order`` they are the last ones by time over all series, so that no series is trained on what comes
        after another one's validation. Without it nothing tells what time it is in two series, and each of them gives
        its own last share of rows.
        """
        timeline = self.timeline(table)
        if self.order is None:
            return Facts(None, None, timeline.shares())
        times = np.empty(table.rows)
        times[timeline.rows] = timeline.times
        return Facts(None, None, times)

    def timeline(self, table: Table) -> Timeline:
        """Return the rows of a table in the order of time, found once for each table."""
        if self._latest is None or self._latest[0] is not table:
            self._latest = table, Timeline.of(table, self.order, self.group)
        return self._latest[1]

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        timeline = self.timeline(table)
        # In the order of time, so that sums round alike for any order of the rows in the file.
        odd = self.inputs.fit(table, timeline.rows[np.sort(timeline.places(rows))])
        if any(table.columns[name].number_share < NUMERIC_SHARE for name in self.targets):
            check_task(self.targets, self.options, "classification")
        if self.past_scalers:
            for scaler, values in zip(self.past_scalers, self._changes_at(table, timeline, rows).T, strict=True):
                scaler.fit(values)
        return odd

    def fit_target(
        self, table: Table, options: DataOptions, kind: TaskKind, scales: bool, parts: Mapping[str, Array]
    ) -> Target:
        check_task(self.targets, self.options, kind)
        timeline = self.timeline(table)
        if kind != "regression":
            labelled = timeline.rows[self._places(table, timeline, "train", parts["train"])]
            return super().fit_target(table, options, kind, scales, {**parts, "train": labelled})
        name = options.target_scale if options.target_scale != "auto" else "standard" if scales else "none"
        scalers, notices = [affine_named(name) for _ in self.targets], []
        changes = self._changes_at(table, timeline, parts["train"])
        for column, scaler, values in zip(self.targets, scalers, changes.T, strict=True):
            scaler.fit(values)
            notices += [f"warning: target {quote(column)} {scaler.finding}"] if scaler.finding else []
        return Target(Task(kind, self._output_names()), scalers * self.options.horizon, notices)

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        timeline = self.timeline(table)
        numeric = target is None or (target.task.kind == "regression" and not target.reconstructs)
        u, ends = None, timeline.starts[1:]
        if self.needs_past or (target is not None and numeric):
            u, ends = self._values(table, timeline, may_end_early=target is None)
        values, notices = self._inputs(table, timeline, u)
        notices += timeline.irregular
        found = {}
        for part, rows in parts.items():
            places = self._places(table, timeline, part, rows, None if target is not None else ends)
            base = self.changes.base(u, places, self.options.horizon) if numeric and u is not None else None
            weights = None if target is None else self._weights(timeline, places, weight)
            found[part] = Dataset(
                values[places[:, None] + np.arange(-self.steps, 0)],
                self._labels(table, timeline, places, target, u, base),
                weights,
                timeline.row_numbers(places),
                table,
                base=base.reshape(len(base), -1) if base is not None and self.changes.lags else None,
            )
            if part == "train" or len(rows) == table.rows:
                notices += timeline.without_windows(places)
            if part == "train":
                self.training_windows = len(places)
            elif target is None:
                notices += timeline.forecasts(places[np.isin(places, ends)], self.targets)
            elif base is not None and u is not None:
                notices += naive_scores(part, self.targets, self.changes, u, places, base, weights)
        return found, notices

    def _output_names(self) -> tuple[str, ...]:
        """Return the name of each output, the targets of the first step first."""
        horizon = self.options.horizon
        steps = [""] if horizon == 1 else [f"_{j}" for j in range(1, horizon + 1)]
        return tuple(f"{column}{step}" for step in steps for column in self.targets)

    def _places(self, table: Table, timeline: Timeline, part: str, rows: Array, ends: Array | None = None) -> Array:
        """Return the places (N,) of the first rows that a part's windows predict.

        Args:
            table: of the rows.
            timeline: of the table.
            part: ``train``, whose windows lie wholly within it, or another one, whose windows may begin before it.
            rows: of the part.
            ends: (G,) the place behind the last known row of each series, from which on there is a forecast without
                labels; None for none.
        """
        given = self.options
        inside = np.zeros(table.rows, bool)
        inside[timeline.places(rows)] = True
        if ends is not None:
            inside &= np.arange(table.rows) < np.repeat(ends, np.diff(timeline.starts))
        places = timeline.windows(inside, given.window, given.horizon, given.step, reaches_back=part != "train")
        if ends is not None:
            places = np.union1d(places, ends[ends - timeline.starts[:-1] >= given.window])
        if not len(places):
            raise no_windows(table, part, len(rows), given, predicts=ends is not None)
        return places

    def _values(self, table: Table, timeline: Timeline, may_end_early: bool) -> tuple[Array, Array]:
        """Return u (R, D) at each place, and the place (G,) behind the last known row of each series."""
        columns = [table.column(name, "data.target") for name in self.targets]
        y = np.stack([column.numbers() for column in columns], axis=1)
        if self.changes.log and (y <= 0).any():
            raise too_low(table, columns, y)
        lacking = np.asarray(np.isnan(y)[timeline.rows].any(axis=1))
        ends = timeline.starts[1:]
        if may_end_early and len(lacking):
            last = np.maximum.accumulate(np.where(lacking, -1, np.arange(len(lacking))))
            ends = np.maximum(last[ends - 1] + 1, timeline.starts[:-1])
        within = lacking & (np.arange(len(lacking)) < np.repeat(ends, np.diff(timeline.starts)))
        if within.any():
            raise missing_value(table, columns, np.sort(timeline.rows[within]))
        return self.changes.forward(y[timeline.rows]), ends

    def _changes_at(self, table: Table, timeline: Timeline, rows: Array) -> Array:
        """Return the changes (N, D) at some rows, but for those at the start of a series, which have none."""
        places = np.sort(timeline.places(rows))
        places = places[places - timeline.begins[places] >= self.changes.lost]
        return np.asarray(self.changes.past(self._values(table, timeline, may_end_early=False)[0])[places])

    def _inputs(self, table: Table, timeline: Timeline, u: Array | None) -> tuple[Array, list[Notice]]:
        """Return the input (R, F) at each place: the feature columns, and the target's past."""
        (encoded,), notices = self.inputs.encode(table, [timeline.rows])
        if not self.past_scalers:
            return encoded, notices
        assert u is not None, "the target's past is an input"
        past = np.empty((len(u), len(self.targets)), np.float32)
        known = np.where(np.isnan(u), 0.0, u)  # where a file to predict for goes on without the target
        for i, (column, values) in enumerate(zip(self.targets, self.changes.past(known).T, strict=True)):
            by_row = np.empty(len(values))
            by_row[timeline.rows] = self.past_scalers[i].apply(values)
            past[:, i] = narrowed(table, column, by_row)[timeline.rows]
        return np.concatenate([encoded, past], axis=1), notices

    def _labels(
        self,
        table: Table,
        timeline: Timeline,
        places: Array,
        target: Target | None,
        u: Array | None,
        base: Array | None,
    ) -> Array:
        """Return the targets of windows: codes (N,), or scaled changes (N, horizon D)."""
        if target is None:
            return np.zeros((len(places), len(self._output_names())), np.float32)
        if u is None or base is None:
            return np.asarray(target.encode(table)[timeline.rows[places]])
        z = (u[places[:, None] + np.arange(self.options.horizon)] - base).reshape(len(places), -1)
        scaled = [scaler.apply(z[:, i]) for i, scaler in enumerate(target.scalers)]
        return np.stack(scaled, axis=1).astype(np.float32)

    def _weights(self, timeline: Timeline, places: Array, weight: Array | None) -> Array | None:
        """Return the weight (N,) of windows: the mean over the rows they predict."""
        if weight is None:
            return None
        rows = timeline.rows[places[:, None] + np.arange(self.options.horizon)]
        return np.asarray(weight[rows].mean(axis=1, dtype=np.float64).astype(np.float32))

    def truth(self, table: Table, target: Target, labels: Labels) -> dict[str, list[Any]]:
        if target.task.kind != "regression" or self.options.horizon == 1:
            return super().truth(table, target, labels)
        timeline = self.timeline(table)
        places = timeline.places(labels.rows)
        cells = {name: table.columns[name].text() for name in self.targets}
        ahead = [(j, name) for j in range(self.options.horizon) for name in self.targets]
        found = [cells[name][timeline.rows[places + j]].tolist() for j, name in ahead]
        return dict(zip(self._output_names(), found, strict=True))

    def identify(self, table: Table, rows: Array) -> dict[str, list[Any]]:
        found = {} if self.group is None else {self.group: self.timeline(table).series_of(rows)}
        if self.order is not None:
            cells = table.columns[self.order].text().tolist()
            found[self.order] = [cells[row] if row < len(cells) else "" for row in rows]
        return found

    def restore(self, values: Array, base: Array | None) -> Array:
        return self.changes.inverse(values if base is None else values + base)

    def describe(self) -> str:
        count, ahead = len(self.feature_names), self.options.horizon
        told = f"series: windows of {self.options.window} rows, {ahead} ahead, {count} input{'s' * (count != 1)}"
        if self.training_windows is not None:
            told += f"; {self.training_windows:,} training windows"
        modelled = self.changes.describe()
        return f"{told}; predicts the {modelled}" if modelled else told

    def state(self) -> dict[str, Any]:
        return {
            "series": dataclasses.asdict(self.options),
            "targets": self.targets,
            "order": self.order,
            "group": self.group,
            "inputs": self.inputs.state(),
            "past_scale": self.past_scale,
            "past": [scaler.state() for scaler in self.past_scalers],
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> SeriesForm:
        inputs = EncodedColumns(EncodedColumns.loaded_encoders(state["inputs"]))
        form = cls(
            SeriesOptions(**state["series"]), state["targets"], state["order"], state["group"], inputs,
            state["past_scale"],
        )  # fmt: skip
        for scaler, learnt in zip(form.past_scalers, state["past"], strict=True):
            scaler.load(learnt)
        return form
