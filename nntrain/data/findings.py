"""What a look at the data shows: the summary at the start of ``fit``, and what is likely not as it was meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from nntrain.core.array import Array
from nntrain.data.batches import Dataset
from nntrain.data.column_types import ColumnKind
from nntrain.data.content import row_keys
from nntrain.data.labels import distinct_labels
from nntrain.data.pipeline import Preprocessing
from nntrain.data.statistics import is_spread
from nntrain.data.table import Table
from nntrain.errors import enumerate_names, quote

FEWEST_FOR_COPIES = 5
"""Of fewer rows than this, a column that says the same as the target says nothing."""

_FIRST_LOOK = 200


@dataclass
class Summary:
    """A summary of the data.

    Attributes:
        rows: examples of each part.
        unit: what they are called.
        columns: names by kind.
        inputs: how many inputs the network has.
        form: a line on how columns become inputs.
        target: names of the target columns.
        task: kind of the task.
        classes: rows of each class, empty where there are none.
        missing: missing cells by column, of those that have any.
        findings: sentences about what is likely not as it was meant.
    """

    rows: dict[str, int]
    unit: str
    columns: dict[str, list[str]]
    inputs: int
    form: str
    target: list[str]
    task: str
    classes: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        rows = ", ".join(f"{count:,} {part}" for part, count in self.rows.items())
        lines = [f"{self.unit}: {rows}", self.form]
        if self.classes:
            counts = ", ".join(f"{quote(label)} {count:,}" for label, count in list(self.classes.items())[:12])
            more = f", ... ({len(self.classes)} classes)" if len(self.classes) > 12 else ""
            lines.append(f"target: {self.target[0]} ({self.task}): {counts}{more}")
        else:
            target = enumerate_names(self.target, 5) if self.target else "the input itself"
            lines.append(f"target: {target} ({self.task})")
        if self.missing:
            shown = [f"{name} {count:,}" for name, count in self.missing.items()]
            lines.append(f"missing: {enumerate_names(shown, 10)} (imputed)")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "inputs": self.inputs,
            "target": self.target,
            "task": self.task,
            "classes": self.classes,
            "missing": self.missing,
            "findings": self.findings,
        }


def summarize(table: Table, preprocessing: Preprocessing, parts: Mapping[str, Dataset]) -> Summary:
    """Return the summary of a table and its parts."""
    task, form = preprocessing.task, preprocessing.form
    kinds = form.kinds
    names = {kind: [n for n, k in kinds.items() if k == kind] for kind in get_args(ColumnKind)}
    summary = Summary(
        rows={part: len(data) for part, data in parts.items()},
        unit=form.unit,
        columns={kind: found for kind, found in names.items() if found},
        inputs=math.prod(preprocessing.shape),
        form=form.describe(),
        target=list(preprocessing.target.columns),
        task=task.kind,
    )
    if task.is_classification:
        counts = sum(np.bincount(data.labels().target, minlength=len(task.classes)) for data in parts.values())
        summary.classes = {label: int(count) for label, count in zip(task.classes, np.asarray(counts), strict=True)}
    if form.is_table:
        summary.missing = _missing(kinds, parts)
        summary.findings = [*_ids(table, names["numeric"]), *_copies(table, preprocessing, kinds), *_duplicates(parts)]
    return summary


def _missing(kinds: Mapping[str, ColumnKind], parts: Mapping[str, Dataset]) -> dict[str, int]:
    """Return the number of missing cells of the columns that have any, in the rows that are used."""
    counts = {name: 0 for name, kind in kinds.items() if kind != "text"}  # a missing text is an empty one
    for name in counts:
        numeric = kinds[name] != "categorical"
        for data in parts.values():
            if data.table is not None:
                counts[name] += int(data.table.columns[name].missing(numeric=numeric)[data.rows].sum())
    return {name: count for name, count in counts.items() if count}


def _ids(table: Table, numeric: list[str]) -> list[str]:
    """Whole numbers that grow by one from row to row are a numbering, not a measurement."""
    found = []
    for name in numeric:
        values = table.columns[name].integers()
        if values is not None and len(values) >= 20 and np.all(np.diff(values.astype(np.int64)) == 1):
            found.append(name)
    if not found:
        return []
    return [
        f"warning: {enumerate_names([quote(n) for n in found])} looks like a row number (data.ignore leaves it out)"
    ]


def _copies(table: Table, preprocessing: Preprocessing, kinds: Mapping[str, ColumnKind]) -> list[str]:
    """A column that determines the target, one value to one, gives the answer away."""
    targets = preprocessing.task.targets
    if len(targets) != 1 or table.rows < FEWEST_FOR_COPIES or preprocessing.task.kind == "multilabel":
        return []
    target = table.columns[targets[0]]
    if preprocessing.task.is_classification:
        truth = distinct_labels(target)[0]
        plain = [name for name, kind in kinds.items() if kind != "text"]
        copies = [name for name in plain if is_relabelling(_plain(table, name, kinds[name]), truth)]
    else:
        numbers = target.numbers()
        numeric = [name for name, kind in kinds.items() if kind == "numeric"]
        copies = [name for name in numeric if is_rescaling(table.columns[name].numbers(), numbers)]
    if not copies:
        return []
    shown = enumerate_names([quote(name) for name in copies])
    return [f"warning: {shown} says the same as the target, one value for one; is the answer among the features?"]


def _plain(table: Table, name: str, kind: ColumnKind) -> Array:
    column = table.columns[name]
    return column.numbers() if kind == "numeric" else distinct_labels(column)[0]


def is_relabelling(values: Array, codes: Array) -> bool:
    """Return whether values (N,) are codes (N,), from 0 without a gap, under other names: one value for one code.

    >>> is_relabelling(np.array([7.0, 5.0, 7.0]), np.array([0, 1, 0]))
    True
    """
    for rows in (slice(_FIRST_LOOK), slice(None)):  # most columns are told apart by their first rows
        _, first, place = np.unique(codes[rows], return_index=True, return_inverse=True)
        named = values[rows][first]
        if not np.array_equal(named[place], values[rows]) or len(np.unique(named)) < len(named):
            return False
    return len(first) > 1


def is_rescaling(values: Array, target: Array) -> bool:
    """Return whether target (N,) is a straight line of values (N,), to 9 digits.

    >>> is_rescaling(np.array([0.0, 1.0, 2.0]), np.array([32.0, 33.8, 35.6]))
    True
    """
    for rows in (slice(_FIRST_LOOK), slice(None)):
        x, y = values[rows], target[rows]
        low, high = int(np.argmin(x)), int(np.argmax(x))
        if np.isnan(x).any() or not is_spread(x[high] - x[low], 0.0) or y[low] == y[high]:
            return False
        line = y[low] + (x - x[low]) * ((y[high] - y[low]) / (x[high] - x[low]))
        if np.abs(line - y).max() > 1e-9 * np.abs(y[high] - y[low]):
            return False
    return True


def _duplicates(parts: Mapping[str, Dataset]) -> list[str]:
    """Rows of equal features and target that stand on both sides of a split are judged by heart."""
    keys = {part: row_keys([data.x, data.target]) for part, data in parts.items()}
    found = []
    distinct = np.unique(keys["train"])
    if len(distinct) < len(keys["train"]):
        count = len(keys["train"]) - len(distinct)
        found.append(f"{count} training row{'s repeat' if count > 1 else ' repeats'} another one exactly")
    for part in ("validation", "test"):
        shared = int(np.isin(keys[part], distinct).sum()) if part in keys else 0
        if shared:
            found.append(
                f"warning: {shared} of {len(parts[part])} {part} rows also stand in the training rows"
                " (data.group keeps equal rows together)"
            )
    return found
