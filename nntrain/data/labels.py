"""The target: which task it sets, its classes or its scale, and back from predictions to what the table says."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.data.column import Column
from nntrain.data.options import DataOptions
from nntrain.data.table import Table
from nntrain.data.transforms import Affine, affine_named
from nntrain.errors import DataError, did_you_mean, enumerate_names, escape, quote

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
    """

    task: Task
    scalers: list[Affine]
    notices: list[str]

    def decode(self, values: Array) -> Array:
        """Return predicted values (N, D) in the units of the table, float64."""
        columns = [scaler.invert(values[:, i].astype(np.float64)) for i, scaler in enumerate(self.scalers)]
        return np.stack(columns, axis=1)

    def encode(self, table: Table) -> Array:
        """Return the target array of a table; a class that is not known has the code -1.

        Raises:
            DataError: a target column or cell is missing, or a cell is no number where numbers are predicted.
        """
        columns = [table.column(name, "data.target") for name in self.task.targets]
        for column in columns:
            _refuse_missing(column, numeric=self.task.kind == "regression")
        if self.task.kind == "classification":
            return encode_labels(labels_of(columns[0]), self.task.classes)
        if self.task.kind == "multilabel":
            return np.stack([_indicators(column) for column in columns], axis=1)
        scaled = [scaler.apply(c.numbers()) for scaler, c in zip(self.scalers, columns, strict=True)]
        return np.stack(scaled, axis=1).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """Return everything fitted, as plain values."""
        task = self.task
        return {
            "kind": task.kind,
            "targets": list(task.targets),
            "classes": list(task.classes),
            "positive": task.positive,
            "scalers": [scaler.state() for scaler in self.scalers],
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Target:
        """Return the target that :meth:`state` described."""
        task = Task(state["kind"], tuple(state["targets"]), tuple(state["classes"]), state["positive"])
        scalers = [Affine() for _ in state["scalers"]]
        for scaler, plain in zip(scalers, state["scalers"], strict=True):
            scaler.load(plain)
        return cls(task, scalers, [])


def decide_kind(table: Table, options: DataOptions, hint: TaskKind | None) -> TaskKind:
    """Return the kind of task: the config's, else that of the named loss, else what the target looks like."""
    if options.task != "auto":
        return options.task
    names = names_of(options.target)
    if hint is not None:
        return "multilabel" if hint == "classification" and len(names) > 1 else hint
    columns = [table.column(name, "data.target") for name in names]
    if len(columns) > 1:
        return "multilabel" if all(_is_indicator(column) for column in columns) else "regression"
    return "classification" if looks_like_classes(columns[0]) else "regression"


def looks_like_classes(column: Column) -> bool:
    """Return whether a target column holds classes: text, booleans, or whole numbers with few distinct values."""
    if column.number_share < 0.9:
        return True
    if column.number_share < 1.0:
        return False  # numbers with a few other cells: an error of the data, which names them
    values = column.numbers()
    known = values[~np.isnan(values)]
    if not len(known) or not np.all(known == np.floor(known)):
        return False
    return len(np.unique(known)) <= MOST_NUMERIC_CLASSES


def names_of(columns: str | Sequence[str]) -> list[str]:
    """Return one name or several as a list."""
    return [columns] if isinstance(columns, str) else list(columns)


def labels_of(column: Column) -> Array:
    """Return the labels (N,): text as it stands, or whole numbers where all cells are, so that 1, 1.0 and 01 are one."""
    codes, distinct = column.codes()
    return np.array(_plain_labels(distinct), object)[codes]


def _plain_labels(distinct: Sequence[str]) -> list[str]:
    numbers = [_whole(text) for text in distinct]
    if numbers and all(number is not None for number in numbers):
        return [str(number) for number in numbers]
    return list(distinct)


def _whole(text: str) -> int | None:
    stripped = text.strip(" \t")
    if not stripped.isascii() or "_" in stripped or not any(character.isdigit() for character in stripped):
        return None
    try:
        number = float(stripped)
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number == int(number) and abs(number) < 2**53 else None


def sort_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return distinct labels as classes: by number where all are whole numbers, else by code point.

    >>> sort_labels(["10", "9"]), sort_labels(["b", "B", "a"])
    (('9', '10'), ('B', 'a', 'b'))
    """
    distinct = set(labels)
    if all(_whole(label) is not None for label in distinct):
        return tuple(sorted(distinct, key=int))
    return tuple(sorted(distinct))


def encode_labels(labels: Array, classes: Sequence[str]) -> Array:
    """Return the codes (N,) int64 of labels, -1 for a label that is no class."""
    code = {label: i for i, label in enumerate(classes)}
    distinct, inverse = np.unique(labels.astype(str), return_inverse=True)
    return np.array([code.get(str(label), -1) for label in distinct], np.int64)[inverse]


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
    columns = [table.column(name, "data.target") for name in names]
    for column in columns:
        _refuse_missing(column, numeric=kind == "regression")
    if kind == "classification":
        return _fit_classes(table, columns[0], options, train, parts)
    if kind == "multilabel":
        for column in columns:
            _indicators(column)
        return Target(Task("multilabel", tuple(names)), [], [])
    return Target(Task("regression", tuple(names)), *_fit_scalers(columns, options, train, scales))


def _fit_scalers(
    columns: Sequence[Column], options: DataOptions, train: Array, scales: bool
) -> tuple[list[Affine], list[str]]:
    name = options.target_scale
    if name == "auto":
        name = "standard" if scales else "none"
    scalers, notices = [], []
    for column in columns:
        scaler = affine_named(name)
        scaler.fit(column.numbers()[train])
        scalers.append(scaler)
        if scaler.finding:
            notices.append(f"target {quote(column.name)} {scaler.finding}")
    return scalers, notices


def _fit_classes(
    table: Table, column: Column, options: DataOptions, train: Array, parts: Mapping[str, Array]
) -> Target:
    labels = labels_of(column)
    classes = sort_labels([str(label) for label in np.unique(labels.astype(str))])
    _check_classes(table, column, classes, len(labels))
    trained = set(labels[train])
    absent = [label for label in classes if label not in trained]
    if absent:
        where = [part for part, rows in parts.items() if set(labels[rows]) & set(absent)]
        raise DataError(
            f"column {quote(column.name)}: no training row has class {enumerate_names([quote(a) for a in absent], 5)}"
            f" (it is only among the rows for {' and '.join(where) or 'other parts'})",
            path=table.path,
            help="use data.split: stratified, or shuffle the file",
        )
    positive = _positive(column.name, classes, options.positive_class, table.path)
    notices = _label_findings(column.name, classes, labels)
    return Target(Task("classification", (column.name,), classes, positive), [], notices)


def _check_classes(table: Table, column: Column, classes: Sequence[str], rows: int) -> None:
    if len(classes) < 2:
        raise DataError(
            f"column {quote(column.name)} has 1 class ({quote(classes[0])}); classification needs 2",
            path=table.path,
            help="choose another target, or add rows of another class",
        )
    if len(classes) == rows or (rows >= 40 and len(classes) > rows / 2):
        raise DataError(
            f"column {quote(column.name)} has {len(classes)} distinct values in {rows} rows; regression?",
            path=table.path,
            help="set data.task: regression (and a loss such as mse), or choose another target",
        )


def _positive(name: str, classes: Sequence[str], wanted: Any, path: str) -> int | None:
    if len(classes) != 2:
        return None
    if wanted is None:
        return 1
    text = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
    for i, label in enumerate(classes):
        if label == text or (isinstance(wanted, bool) and label.lower() == text):
            return i
    raise DataError(
        f"data.positive_class: column {quote(name)} has no class {quote(text)}{did_you_mean(text, classes)}"
        f" (classes: {enumerate_names(list(classes))})",
        path=path,
        help="name one of the two classes",
    )


def _label_findings(name: str, classes: Sequence[str], labels: Array) -> list[str]:
    counts = dict(zip(*np.unique(labels.astype(str), return_counts=True), strict=True))
    shown = {label: f"{quote(label)} ({counts[label]} rows)" for label in classes}
    notices = []
    alike: dict[str, list[str]] = {}
    for label in classes:
        alike.setdefault(_folded(label), []).append(label)
    for group in alike.values():
        if len(group) > 1:
            listed = ", ".join(shown[label] for label in group)
            notices.append(f"warning: target {quote(name)}: classes that differ only in case or blanks: {listed}")
    for label in classes:
        if escape(label) != label or any(unicodedata.category(c) == "Cf" for c in label):
            notices.append(f"warning: target {quote(name)}: class {shown[label]} holds invisible characters")
    rare = [shown[label] for label in classes if counts[label] == 1]
    if rare:
        notices.append(f"warning: target {quote(name)}: classes with a single row: {', '.join(rare[:5])}")
    return notices


def _folded(label: str) -> str:
    visible = "".join(c for c in unicodedata.normalize("NFKC", label) if unicodedata.category(c)[0] != "C")
    return "".join(visible.split()).casefold()


def _refuse_missing(column: Column, numeric: bool) -> None:
    missing = column.missing(numeric=numeric)
    if missing.any():
        rows = np.flatnonzero(missing)
        places = column.places(rows[:5])
        more = [f"{len(rows)} rows lack it: lines {', '.join(str(line) for _, line in places)}"]
        raise DataError(
            f"column {quote(column.name)}: the target is missing",
            path=places[0][0],
            line=places[0][1],
            help="fill the cell, or delete the row",
            notes=more if len(rows) > 1 else (),
        )


def _is_indicator(column: Column) -> bool:
    _, distinct = column.codes()
    return {text.strip().lower() for text in distinct} <= {"0", "1", "0.0", "1.0", *_TRUTHS}


def _indicators(column: Column) -> Array:
    """Return 0 or 1 (N,) float32 of a column of labels for multilabel."""
    codes, distinct = column.codes()
    value = {"0": 0.0, "0.0": 0.0, "false": 0.0, "1": 1.0, "1.0": 1.0, "true": 1.0}
    values = [value.get(text.strip().lower()) for text in distinct]
    for i, found in enumerate(values):
        if found is None:
            path, line = column.places(np.flatnonzero(codes == i)[:1])[0]
            message = f"column {quote(column.name)}: expected 0 or 1 for a multilabel target, got {quote(distinct[i])}"
            raise DataError(message, path=path, line=line, help="write 0 or 1, or choose data.task: classification")
    return np.array(values, np.float32)[codes]


def class_weights(task: Task, codes: Array, spec: str | Mapping[str, float], path: str) -> Array:
    """Return the weight of each class (K,): ``balanced`` is N / (K n_k); a mapping gives them, 1 where it is silent.

    >>> task = Task("classification", ("y",), ("a", "b"))
    >>> class_weights(task, np.array([0, 0, 0, 1]), "balanced", "x.csv").tolist()
    [0.6666666666666666, 2.0]
    """
    if not isinstance(spec, Mapping):
        counts = np.bincount(codes, minlength=len(task.classes))
        return np.asarray(len(codes) / (len(task.classes) * np.maximum(counts, 1)))
    weights = np.ones(len(task.classes))
    for label, weight in spec.items():
        if label not in task.classes:
            raise DataError(
                f"class_weight: column {quote(task.targets[0])} has no class {quote(label)}"
                f"{did_you_mean(label, task.classes)} (classes: {enumerate_names(list(task.classes))})",
                path=path,
                help="name the classes as they stand in the file",
            )
        weights[task.classes.index(label)] = weight
    return weights
