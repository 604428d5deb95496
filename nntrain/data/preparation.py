"""From the data section of a config to arrays: read, split, fit on the training rows, apply to all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.data import splitting
from nntrain.data.batches import Dataset, Loader
from nntrain.data.findings import Summary, summarize
from nntrain.data.labels import class_weights, decide_kind, encode_labels, fit_target, labels_of, names_of
from nntrain.data.options import DataOptions
from nntrain.data.pipeline import Preprocessing, make_encoders, sample_weights
from nntrain.data.splitting import Split
from nntrain.data.table import ReadOptions, Table, read_table
from nntrain.errors import DataError, enumerate_names, quote

Resolve = Callable[[str], Path]


@dataclass
class Prepared:
    """Data, ready to train on.

    Attributes:
        task: what is predicted.
        train: examples to train on.
        validation: examples to judge each epoch by, or None.
        test: examples to judge the best epoch by, or None.
        preprocessing: fitted on ``train``.
        summary: of the data.
        notices: what is worth knowing.
        sources: SHA-256 and number of rows of each file, by its path.
    """

    task: Task
    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    preprocessing: Preprocessing
    summary: Summary
    notices: list[str]
    sources: dict[str, dict[str, Any]]

    def loader(self, batch_size: int | str, seed: int) -> Loader:
        """Return the batches of the training examples."""
        return Loader(self.train, batch_size, seed)

    def row_counts(self) -> dict[str, int]:
        """Return the number of rows of each part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: len(part) for name, part in parts.items() if part is not None}


def prepare(
    options: DataOptions,
    resolve: Resolve,
    seed: int,
    task_hint: TaskKind | None = None,
    scales_target: bool = True,
    fold: int | None = None,
    class_weight: str | Mapping[str, float] | None = None,
) -> Prepared:
    """Return the data of a config.

    Args:
        options: the data section.
        resolve: makes a path of a path in the config.
        seed: of the split.
        task_hint: the kind of task that the named loss implies, or None.
        scales_target: whether the loss allows a scaled target.
        fold: which fold is held out, from 0, where there are folds.
        class_weight: ``balanced`` or weights by label.

    Raises:
        DataError: a file or column is missing or unusable.
    """
    table = _read(names_of(options.train), options, resolve)
    kind = decide_kind(table, options, task_hint)
    outside = {part: _outside(options, part, resolve) for part in ("validation", "test")}
    usable = _usable_rows(table, options)
    split = _split(table, options, resolve, kind, seed, fold, usable)
    encoders, kinds, notices = make_encoders(table, options)
    parts = {"validation": split.validation, "test": split.test}
    target = fit_target(table, options, kind, split.train, scales_target, {k: v for k, v in parts.items() if len(v)})
    for encoder in encoders:
        encoder.fit(table.columns[encoder.name], split.train)
        notices += encoder.notices
    preprocessing = Preprocessing(encoders, target, read_options(options), options.weight)
    whole = _examples(table, preprocessing)
    if class_weight is not None:
        whole = _weighted(whole, target.task, split.train, class_weight, table.path)
    found = {name: whole.subset(rows) if len(rows) else None for name, rows in parts.items()}
    for name, other in outside.items():
        if other is not None:
            found[name] = _examples(other, preprocessing)
    train = whole.subset(split.train)
    tables = [table, *(other for other in outside.values() if other is not None)]
    everything = {"train": train, **{name: part for name, part in found.items() if part is not None}}
    summary = summarize(table, preprocessing, kinds, everything)
    notices = [*(notice for t in tables for notice in t.notices), *target.notices, *notices, *summary.findings]
    if len(usable) < table.rows:
        notices.append(f"{table.rows - len(usable)} rows with missing cells are left out (missing: drop)")
    sources = {path: {"sha256": digest} for t in tables for path, digest in t.sha256.items()}
    return Prepared(target.task, train, found["validation"], found["test"], preprocessing, summary, notices, sources)


def read_options(options: DataOptions) -> ReadOptions:
    """Return how the files of a data section are written."""
    return ReadOptions(
        options.delimiter, options.decimal, options.header, options.encoding, tuple(options.missing_values)
    )


def _read(paths: list[str], options: DataOptions, resolve: Resolve) -> Table:
    return read_table([str(resolve(path)) for path in paths], read_options(options), paths)


def _outside(options: DataOptions, part: str, resolve: Resolve) -> Table | None:
    """Return the table of a part that has files of its own, or None."""
    given = getattr(options, part)
    if isinstance(given, (int, float)) or given in (None, "none"):
        return None
    return _read(names_of(given), options, resolve)


def _usable_rows(table: Table, options: DataOptions) -> Array:
    """Return the rows that are kept: all, but for ``missing: drop`` those without a missing feature."""
    dropping = [name for name, own in options.columns.items() if own.missing == "drop"]
    if options.missing == "drop":
        used = options.features if options.features is not None else table.names
        kept_otherwise = {name for name, own in options.columns.items() if own.missing not in (None, "drop")}
        dropping = [name for name in used if name not in kept_otherwise and name not in names_of(options.target)]
    whole = np.ones(table.rows, bool)
    for name in dropping:
        column = table.column(name, "data.columns")
        whole &= ~column.missing(numeric=column.number_share >= 0.9)
    if not whole.any():
        raise DataError(
            "every row has a missing cell, and missing is 'drop'", path=table.path, help="use missing: auto"
        )
    return np.flatnonzero(whole)


def _split(
    table: Table, options: DataOptions, resolve: Resolve, kind: TaskKind, seed: int, fold: int | None, usable: Array
) -> Split:
    """Return the rows of each part, among the usable ones."""
    if options.split.endswith((".npz", ".csv")):
        return splitting.from_file(resolve(options.split), options.split, table.rows)
    strata = _strata(table, options, kind)[usable]
    groups = None if options.group is None else table.column(options.group, "data.group").codes()[0][usable]
    order = None if options.order is None else _order(table, options.order)[usable]
    if fold is not None:
        assert options.folds is not None, "a fold belongs to folds"
        if options.folds > len(usable):
            raise DataError(f"data.folds: {options.folds} folds of {len(usable)} rows", path=table.path)
        found = splitting.by_fold(options.folds, fold, seed, strata, groups, order)
    else:
        stratified = kind == "classification" and options.split in ("auto", "stratified")
        shares = _shares(options, len(usable))
        tail = options.split == "tail"
        found = splitting.by_share(len(usable), shares, seed, strata if stratified else None, groups, order, tail)
    return Split(usable[found.train], usable[found.validation], usable[found.test])


def _shares(options: DataOptions, rows: int) -> dict[str, float]:
    shares = {}
    for part in ("validation", "test"):
        given = getattr(options, part)
        shares[part] = float(given) if isinstance(given, (int, float)) else 0.0
    if rows < splitting.FEWEST_ROWS:
        shares["validation"] = 0.0
    if shares["validation"] + shares["test"] >= 1:
        raise DataError(f"data.validation and data.test leave no rows to train on ({shares})")
    return shares


def _strata(table: Table, options: DataOptions, kind: TaskKind) -> Array:
    if kind != "classification":
        return np.zeros(table.rows, np.int64)
    labels = labels_of(table.column(names_of(options.target)[0], "data.target"))
    return encode_labels(labels, sorted({str(label) for label in labels}))


def _order(table: Table, name: str) -> Array:
    """Return a sortable number for each row: the column's numbers, or its dates."""
    from nntrain.data.column_types import instants

    column = table.column(name, "data.order")
    values = column.numbers() if column.number_share == 1.0 else instants(column)
    if np.isnan(values).any():
        path, line = table.place(int(np.flatnonzero(np.isnan(values))[0]))
        raise DataError(f"column {quote(name)}: the cell that orders the row is missing", path=path, line=line)
    return values


def _examples(table: Table, preprocessing: Preprocessing) -> Dataset:
    x, _ = preprocessing.features(table)
    target = preprocessing.target.encode(table)
    weight = None if preprocessing.weight is None else sample_weights(table, preprocessing.weight)
    if preprocessing.task.is_classification and (target < 0).any():
        raise unknown_classes(table, preprocessing, np.flatnonzero(target < 0))
    return Dataset(x, target, weight, np.arange(table.rows), table)


def _weighted(data: Dataset, task: Task, train: Array, spec: str | Mapping[str, float], path: str) -> Dataset:
    """Return the data with class weights multiplied into the weights of the training rows."""
    by_class = class_weights(task, data.target[train], spec, path)
    weight = np.ones(len(data), np.float32) if data.weight is None else data.weight.copy()
    weight[train] = weight[train] * by_class[data.target[train]].astype(np.float32)
    return Dataset(data.x, data.target, weight, data.rows, data.table)


def unknown_classes(table: Table, preprocessing: Preprocessing, rows: Array) -> DataError:
    """Return the error for rows whose class the training never saw."""
    name = preprocessing.task.targets[0]
    labels = [str(label) for label in labels_of(table.columns[name])[rows]]
    distinct = list(dict.fromkeys(labels))
    places = table.places(rows[:5])
    return DataError(
        f"column {quote(name)}: class {quote(distinct[0])} is not one the network was trained on",
        path=places[0][0],
        line=places[0][1],
        help="nntrain eval --unknown-class wrong counts such rows as errors, skip leaves them out",
        notes=[
            f"{len(rows)} rows of unknown classes ({enumerate_names([quote(d) for d in distinct], 5)}),"
            f" lines {', '.join(str(line) for _, line in places)}{', ...' if len(rows) > 5 else ''}",
            f"classes: {enumerate_names(list(preprocessing.task.classes))}",
        ],
    )


@dataclass(frozen=True)
class Judged:
    """A table to be judged.

    Attributes:
        dataset: its examples; a row of an unknown class has the code -1.
        known: (N,) whether the class is known.
        truth: the target columns as they stand, by name.
        notices: what is worth knowing.
    """

    dataset: Dataset
    known: Array
    truth: dict[str, list[Any]]
    notices: list[str]


def load_for_eval(
    preprocessing: Preprocessing, table: Table, unknown_class: Literal["error", "wrong", "skip"]
) -> Judged:
    """Return a held-out table as the network takes it, with its target.

    Raises:
        DataError: a column is missing, or a class is unknown and that is an error.
    """
    target = preprocessing.target.encode(table)
    x, notices = preprocessing.features(table)
    known = target >= 0 if preprocessing.task.is_classification else np.ones(len(x), bool)
    if not known.all():
        if unknown_class == "error":
            raise unknown_classes(table, preprocessing, np.flatnonzero(~known))
        verb = "count as errors" if unknown_class == "wrong" else "are left out"
        notices.append(
            f"{int((~known).sum())} of {len(x)} rows have a class the network was not trained on: they {verb}"
        )
    extra = preprocessing.extra_columns(table)
    if extra:
        notices.append(f"columns that are not used: {enumerate_names(extra, 10)}")
    if preprocessing.task.is_classification:
        absent = set(range(len(preprocessing.task.classes))) - set(target.tolist())
        listed = [quote(preprocessing.task.classes[code]) for code in sorted(absent)]
        if listed:
            notices.append(f"no rows of class {enumerate_names(listed, 10)}")
    truth: dict[str, list[Any]] = {name: table.columns[name].text().tolist() for name in preprocessing.task.targets}
    weight = preprocessing.weights(table)
    return Judged(Dataset(x, target, weight, np.arange(len(x)), table), known, truth, notices)
