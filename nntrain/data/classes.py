"""Classes of a classification: which there are, which is the positive one, what is odd about them, their weights."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import Task
from nntrain.data.chunks import Selection
from nntrain.data.column import Column
from nntrain.data.labels import LabelledColumn, are_whole, sort_labels
from nntrain.data.options import DataOptions
from nntrain.data.split_file import is_split_file
from nntrain.data.table import Table
from nntrain.errors import DataError, Problem, did_you_mean, enumerate_names, escape, quote

_MOST_SHOWN = 5
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһοαρν", "aeopcyxijsdhoapv")
"""Cyrillic and Greek small letters that look like Latin ones."""


def fit_classes(
    table: Table, column: Column, train: Array, parts: Mapping[str, Array], options: DataOptions
) -> tuple[Task, list[str]]:
    """Return the task that a column of labels sets, and what is odd about its classes.

    Args:
        table: of the column.
        column: without missing cells.
        train: row numbers to train on.
        parts: the other parts' row numbers, by name.
        options: of the data section: the positive class, by its label, is the last where it names none.

    Raises:
        DataError: there are fewer than two classes, or as many as rows, or one is in no training row.
    """
    labelled = LabelledColumn(column)
    found = {part: _counts(labelled, rows) for part, rows in {"train": train, **parts}.items()}
    counts = sum(found.values(), Counter[str]())
    classes = sort_labels(list(counts))
    check_classes(table, column, classes, counts.total())
    _check_trained(table, column, classes, found, options)
    positive = _positive(column.name, classes, options.positive_class, table.path)
    return Task("classification", (column.name,), classes, positive), label_findings(column.name, classes, counts)


def check_classes(table: Table, column: Column, classes: Sequence[str], rows: int) -> None:
    """Raise DataError where rows have one class, or so many that they are rather numbers to be predicted."""
    if rows < 2:
        raise DataError(
            f"1 data row, expected at least 2: column {quote(column.name)} has 1 class, and classification needs 2",
            path=table.path,
        )
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


def _counts(labelled: LabelledColumn, rows: Array) -> Counter[str]:
    """Return how many of some rows have each label, of those that any has."""
    counts = labelled.counts(Selection(rows, len(labelled.column))).tolist()
    return Counter({label: count for label, count in zip(labelled.labels, counts, strict=True) if count})


def _check_trained(
    table: Table, column: Column, classes: Sequence[str], counts: Mapping[str, Counter[str]], options: DataOptions
) -> None:
    trained = counts["train"]
    absent = [label for label in classes if label not in trained]
    if not absent:
        return
    where = [part for part, found in counts.items() if not found.keys() <= trained.keys()]
    raise DataError(
        f"column {quote(column.name)}: no training row has class {_listed(absent)}"
        f" (only {' and '.join(where)} rows have it)",
        path=table.path,
        help=_trained_on_by(options),
    )


def _trained_on_by(options: DataOptions) -> str:
    """Return how each class comes to have a row to train on, where rows are divided as the options say."""
    if is_split_file(options.split):
        return f"name rows of each class under 'train' in {quote(options.split)}"
    for key, held_out in (("order", "rows"), ("group", "groups")):
        if getattr(options, key) is not None:
            return f"hold out fewer {held_out}, or leave data.{key} out: the rows of each class are then divided"
    if options.folds is not None and options.split in ("auto", "stratified"):
        return "add rows: with data.folds each class needs 2"
    return "use data.split: stratified, or shuffle the file"


def _positive(name: str, classes: Sequence[str], wanted: Any, path: str) -> int | None:
    if len(classes) != 2 and wanted is None:
        return None
    if len(classes) != 2:
        message = f"data.positive_class: column {quote(name)} has {len(classes)} classes, expected 2"
        raise DataError(message, path=path, help="leave data.positive_class out")
    if wanted is None:
        return 1
    text = _label_text(wanted, classes)
    for i, label in enumerate(classes):
        if label == text or (isinstance(wanted, bool) and label.lower() == text):
            return i
    raise DataError(
        f"data.positive_class: column {quote(name)} has no class {quote(text)}{did_you_mean(text, classes)}"
        f" (classes: {enumerate_names(list(classes))})",
        path=path,
        help="name one of the two classes",
    )


def _label_text(wanted: Any, classes: Sequence[str]) -> str:
    """Return a label as the config gives it (text, number or truth value) in the form that labels have."""
    if isinstance(wanted, bool):
        return str(wanted).lower()
    if isinstance(wanted, float) and wanted.is_integer() and are_whole(classes):
        return str(int(wanted))
    return str(wanted)


def label_findings(name: str, classes: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """Return a warning for classes that hardly differ, hold invisible characters, or have a single row."""
    shown = {label: f"{quote(label)} ({counts[label]} rows)" for label in classes}
    target = f"warning: target {quote(name)}:"
    alike: dict[str, list[str]] = {}
    for label in classes:
        alike.setdefault(_folded(label), []).append(shown[label])
    notices = [
        f"{target} classes that differ only in case, blanks or look: {', '.join(group[:_MOST_SHOWN])}"
        for group in alike.values()
        if len(group) > 1
    ]
    unseen = [shown[label] for label in classes if escape(label) != label]
    notices += [f"{target} class {label} holds invisible characters" for label in unseen[:_MOST_SHOWN]]
    rare = [label for label in classes if counts[label] == 1]
    if rare:
        notices.append(f"{target} classes with a single row: {_listed(rare)}")
    return notices


def _folded(label: str) -> str:
    """Return what is left of a label without case, blanks, invisible characters and the script of its letters."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", label) if escape(c) == c or c.isspace())
    return "".join(visible.split()).casefold().translate(_LOOKALIKES)


def _listed(labels: Sequence[str]) -> str:
    return enumerate_names([quote(label) for label in labels], _MOST_SHOWN)


def class_weights(task: Task, codes: Array, spec: str | Mapping[str, float], path: str) -> Array:
    """Return the weight of each class (K,): ``balanced`` is N / (K n_k); a mapping gives them, 1 where it is silent.

    >>> task = Task("classification", ("y",), ("a", "b"))
    >>> class_weights(task, np.array([0, 0, 0, 1]), "balanced", "x.csv").tolist()
    [0.6666666666666666, 2.0]
    """
    if not isinstance(spec, Mapping):
        counts = np.bincount(codes, minlength=len(task.classes))
        return np.asarray(len(codes) / (len(task.classes) * np.maximum(counts, 1)))
    unknown = [label for label in spec if label not in task.classes]
    if unknown:
        known = f" (classes: {enumerate_names(list(task.classes))})"
        help = "name the classes as they stand in the file"
        raise DataError(
            Problem(
                f"class_weight: column {quote(task.targets[0])} has no class {quote(label)}"
                f"{did_you_mean(label, task.classes)}{'' if i else known}",
                None if i else path,
                help=None if i else help,
                at=("class_weight", label),
            )
            for i, label in enumerate(unknown)
        )
    weights = np.array([spec.get(label, 1.0) for label in task.classes])
    if not weights.any():
        raise DataError("class_weight: all classes have the weight 0, so there is nothing to train on", path=path)
    return weights
