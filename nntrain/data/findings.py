"""What a look at the data shows: the summary at the start of ``fit``, and what is likely not as it was meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.data.batches import Dataset
from nntrain.data.column_types import ColumnKind
from nntrain.data.labels import labels_of
from nntrain.data.pipeline import Preprocessing
from nntrain.data.table import Table
from nntrain.errors import enumerate_names, quote

MOST_COLUMNS = 2000
"""Of more columns than this, copies of the target are not looked for."""


@dataclass
class Summary:
    """A summary of the data.

    Attributes:
        rows: of each part.
        columns: names by kind.
        inputs: how many inputs the network has.
        target: names of the target columns.
        task: kind of the task.
        classes: rows of each class, empty where there are none.
        missing: missing cells by column, of those that have any.
        findings: sentences about what is likely not as it was meant.
    """

    rows: dict[str, int]
    columns: dict[str, list[str]]
    inputs: int
    target: list[str]
    task: str
    classes: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        rows = ", ".join(f"{count:,} {part}" for part, count in self.rows.items())
        kinds = ", ".join(f"{len(names)} {kind}" for kind, names in self.columns.items() if names)
        lines = [f"rows: {rows}", f"columns: {kinds} -> {self.inputs} inputs"]
        if self.classes:
            counts = ", ".join(f"{quote(label)} {count:,}" for label, count in list(self.classes.items())[:12])
            more = f", ... ({len(self.classes)} classes)" if len(self.classes) > 12 else ""
            lines.append(f"target: {self.target[0]} ({self.task}): {counts}{more}")
        else:
            lines.append(f"target: {enumerate_names(self.target, 5)} ({self.task})")
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


def summarize(
    table: Table, preprocessing: Preprocessing, kinds: Mapping[str, ColumnKind], parts: Mapping[str, Dataset]
) -> Summary:
    """Return the summary of a table and its parts."""
    task = preprocessing.task
    names = {
        kind: [n for n, k in kinds.items() if k == kind] for kind in ("numeric", "categorical", "boolean", "datetime")
    }
    summary = Summary(
        rows={part: len(data) for part, data in parts.items()},
        columns={kind: found for kind, found in names.items() if found},
        inputs=preprocessing.shape[0],
        target=list(task.targets),
        task=task.kind,
    )
    if task.is_classification:
        counts = sum(np.bincount(data.target, minlength=len(task.classes)) for data in parts.values())
        summary.classes = {label: int(count) for label, count in zip(task.classes, np.asarray(counts), strict=True)}
    for name, kind in kinds.items():
        count = int(table.columns[name].missing(numeric=kind == "numeric").sum())
        if count:
            summary.missing[name] = count
    summary.findings = [*_ids(table, names["numeric"]), *_copies(table, preprocessing, kinds), *_duplicates(parts)]
    return summary


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
    if len(kinds) > MOST_COLUMNS or len(preprocessing.task.targets) != 1:
        return []
    target = table.columns[preprocessing.task.targets[0]]
    truth = _codes(labels_of(target) if preprocessing.task.is_classification else target.numbers())
    copies = [name for name in kinds if _is_copy(_codes_of(table, name, kinds[name]), truth)]
    if not copies:
        return []
    shown = enumerate_names([quote(name) for name in copies])
    return [f"warning: {shown} says the same as the target, one value for one; is the answer among the features?"]


def _codes_of(table: Table, name: str, kind: ColumnKind) -> Array:
    column = table.columns[name]
    return _codes(np.nan_to_num(column.numbers(), nan=-np.inf)) if kind == "numeric" else column.codes()[0]


def _codes(values: Array) -> Array:
    _, codes = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    return np.asarray(codes)


def _is_copy(codes: Array, truth: Array) -> bool:
    distinct = int(truth.max()) + 1
    if int(codes.max()) + 1 != distinct or distinct < 2:
        return False
    pairs = np.unique(codes.astype(np.int64) * distinct + truth)
    return len(pairs) == distinct


def _duplicates(parts: Mapping[str, Dataset]) -> list[str]:
    """Rows of equal features and target that stand on both sides of a split are judged by heart."""
    keys = {part: Counter(_keys(data)) for part, data in parts.items()}
    found = []
    inside = sum(count - 1 for count in keys["train"].values() if count > 1)
    if inside:
        found.append(f"{inside} training rows repeat another one exactly")
    for part in ("validation", "test"):
        if part in keys:
            shared = sum(count for key, count in keys[part].items() if key in keys["train"])
            if shared:
                found.append(
                    f"warning: {shared} of {len(parts[part])} {part} rows also stand in the training rows"
                    " (data.group keeps equal rows together)"
                )
    return found


def _keys(data: Dataset) -> list[bytes]:
    rows = np.ascontiguousarray(data.x)
    target = np.ascontiguousarray(data.target.reshape(len(data), -1))
    return [x.tobytes() + t.tobytes() for x, t in zip(rows, target, strict=True)]
