"""What a look at the data shows: the summary at the start of ``fit``, and what is likely not as it was meant."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args

import numpy as np

from nntrain.core.array import Array, distinct_values
from nntrain.core.task import Task
from nntrain.data.batches import Dataset
from nntrain.data.chunks import chunks
from nntrain.data.column import Column
from nntrain.data.column_types import FEWEST_FOR_IDS, ColumnKind
from nntrain.data.content import repeated, row_keys, shared
from nntrain.data.labels import LabelledColumn
from nntrain.data.missing import count_missing
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
        counts = {part: np.bincount(data.labels().target, minlength=len(task.classes)) for part, data in parts.items()}
        summary.classes = dict(zip(task.classes, np.sum(list(counts.values()), axis=0).tolist(), strict=True))
        summary.findings += [said for part in counts for said in absent_classes(task, counts[part], f"{part} rows")]
    if form.is_table:
        summary.missing = _missing(kinds, parts)
        summary.findings += [*_ids(table, names["numeric"]), *_copies(table, preprocessing, kinds), *_duplicates(parts)]
    return summary


def absent_classes(task: Task, counts: Array, rows: str) -> list[str]:
    """Return what to say of the classes that no row is of, by their counts (K,): some metrics are undefined then.

    >>> absent_classes(Task("classification", ("y",), ("a", "b")), np.array([3, 0]), "validation rows")
    ["no validation rows of class 'b'"]
    """
    absent = [quote(task.classes[code]) for code in np.flatnonzero(counts == 0)]
    return [f"no {rows} of class {enumerate_names(absent, 10)}"] if absent else []


def _missing(kinds: Mapping[str, ColumnKind], parts: Mapping[str, Dataset]) -> dict[str, int]:
    """Return the number of missing cells of the columns that have any, in the rows that are used."""
    counts = {}
    for name, kind in kinds.items():
        counts[name] = 0
        for data in parts.values():
            if kind != "text" and data.table is not None:  # a missing text is an empty one
                counts[name] += count_missing(data.table.columns[name], kind != "categorical", data.rows)
    return {name: count for name, count in counts.items() if count}


def _ids(table: Table, numeric: list[str]) -> list[str]:
    """Whole numbers that grow by one from row to row are a numbering, not a measurement."""
    found = [name for name in numeric if table.rows >= FEWEST_FOR_IDS and is_numbering(table.columns[name])]
    if not found:
        return []
    return [
        f"warning: {enumerate_names([quote(n) for n in found])} looks like a row number (data.ignore leaves it out)"
    ]


def is_numbering(column: Column) -> bool:
    """Return whether the cells are whole numbers, each one more than the one before it."""
    for rows in (slice(0, _FIRST_LOOK), *chunks(len(column))):
        values = column.integers(slice(max(0, rows.start - 1), rows.stop))
        if values is None or not np.all(np.diff(values.astype(np.int64)) == 1):
            return False
    return True


def _copies(table: Table, preprocessing: Preprocessing, kinds: Mapping[str, ColumnKind]) -> list[str]:
    """A column that determines the target, one value to one, gives the answer away."""
    targets = preprocessing.task.targets
    if len(targets) != 1 or table.rows < FEWEST_FOR_COPIES or preprocessing.task.kind == "multilabel":
        return []
    target = table.columns[targets[0]]
    if preprocessing.task.is_classification:
        truth = _labels(target)
        plain = [name for name, kind in kinds.items() if kind != "text"]
        copies = [name for name in plain if is_relabelling(_plain(table, name, kinds[name]), truth)]
    else:
        numbers = _numbers(target)
        numeric = [name for name, kind in kinds.items() if kind == "numeric"]
        copies = [name for name in numeric if is_rescaling(_numbers(table.columns[name]), numbers)]
    if not copies:
        return []
    shown = enumerate_names([quote(name) for name in copies])
    return [f"warning: {shown} says the same as the target, one value for one; is the answer among the features?"]


class Values(Protocol):
    """Values that are asked for stretch by stretch: an array (N,), or what a column's cells stand for."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, rows: slice, /) -> Array:
        """Return those of a stretch of rows."""
        ...


class _Cells:
    """What the cells of a column stand for, read as it is asked for."""

    def __init__(self, rows: int, read: Callable[[slice], Array]) -> None:
        self._rows, self._read = rows, read

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, rows: slice, /) -> Array:
        return self._read(rows)


def _numbers(column: Column) -> Values:
    return _Cells(len(column), column.numbers)


def _labels(column: Column) -> Values:
    return _Cells(len(column), LabelledColumn(column).codes)


def _plain(table: Table, name: str, kind: ColumnKind) -> Values:
    column = table.columns[name]
    return _numbers(column) if kind == "numeric" else _labels(column)


def _looks(rows: int) -> tuple[int, int]:
    """Return how many rows to look at: the first few, which tell most columns apart, and then all."""
    return min(rows, _FIRST_LOOK), rows


def is_relabelling(values: Values, codes: Values) -> bool:
    """Return whether values (N,) are codes (N,), from 0 without a gap, under other names: one value for one code.

    >>> is_relabelling(np.array([7.0, 5.0, 7.0]), np.array([0, 1, 0]))
    True
    """
    return all(_is_relabelling(values, codes, rows) for rows in _looks(len(values)))


def _is_relabelling(values: Values, codes: Values, rows: int) -> bool:
    named, seen = np.zeros(0), np.zeros(0, bool)
    for stretch in chunks(rows):
        own, name = codes[stretch], values[stretch]
        beyond = int(own.max()) + 1 - len(seen)
        if beyond > 0:
            named, seen = np.append(named, np.zeros(beyond)), np.append(seen, np.zeros(beyond, bool))
        new = ~seen[own]
        named[own[new]], seen[own[new]] = name[new], True
        if not np.array_equal(named[own], name):
            return False
    names = named[seen]
    return 1 < len(names) == len(distinct_values(names))


def is_rescaling(values: Values, target: Values) -> bool:
    """Return whether target (N,) is a straight line of values (N,), to 9 digits.

    >>> is_rescaling(np.array([0.0, 1.0, 2.0]), np.array([32.0, 33.8, 35.6]))
    True
    """
    return all(_is_rescaling(values, target, rows) for rows in _looks(len(values)))


def _is_rescaling(values: Values, target: Values, rows: int) -> bool:
    low = high = (0.0, 0.0)  # the smallest and the largest value, and the target beside it
    for stretch in chunks(rows):
        x, y = values[stretch], target[stretch]
        if np.isnan(x).any():
            return False
        least, most = int(np.argmin(x)), int(np.argmax(x))
        low = (x[least], y[least]) if not stretch.start or x[least] < low[0] else low
        high = (x[most], y[most]) if not stretch.start or x[most] > high[0] else high
    spread, rise = high[0] - low[0], high[1] - low[1]
    if not is_spread(spread, 0.0) or low[1] == high[1]:
        return False
    for stretch in chunks(rows):
        line = low[1] + (values[stretch] - low[0]) * (rise / spread)
        if np.abs(line - target[stretch]).max() > 1e-9 * np.abs(rise):
            return False
    return True


def _duplicates(parts: Mapping[str, Dataset]) -> list[str]:
    """Rows of equal features and target that stand on both sides of a split are judged by heart."""
    trained = row_keys([parts["train"].x, parts["train"].target])
    trained.sort()
    found, count = [], repeated(trained)
    if count:
        found.append(f"{count} training row{'s repeat' if count > 1 else ' repeats'} another one exactly")
    for part in ("validation", "test"):
        data = parts.get(part)
        both = 0 if data is None else shared(row_keys([data.x, data.target]), trained)
        if both:
            found.append(
                f"warning: {both} of {len(parts[part])} {part} rows also stand in the training rows"
                " (data.group keeps equal rows together)"
            )
    return found
