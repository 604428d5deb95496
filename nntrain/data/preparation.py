"""From the data section of a config to arrays: read, split, fit on the training rows, apply to all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.data.batches import Dataset, Loader
from nntrain.data.classes import class_weights
from nntrain.data.encoders import IMPUTED, Encoder
from nntrain.data.features import make_encoders
from nntrain.data.findings import Summary, summarize
from nntrain.data.labels import labels_of
from nntrain.data.notices import Notice, grouped
from nntrain.data.options import DataOptions
from nntrain.data.parts import Resolve, check_method, choose_parts
from nntrain.data.pipeline import Preprocessing, sample_weights
from nntrain.data.table import ReadOptions, Table, read_table
from nntrain.data.target import check_target, decide_kind, fit_target, names_of
from nntrain.errors import ConfigError, DataError, enumerate_names, quote


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
        sources: SHA-256 of each file and the part it is (``train`` for a file that shares are held out of), by path.
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
        ConfigError: keys of the data section contradict each other.
        DataError: a file or column is missing or unusable.
    """
    check_method(options)
    table = _read(names_of(options.train), options, resolve)
    kind = decide_kind(table, options, task_hint)
    outside = _outside_tables(options, resolve)
    encoders, kinds, notices = make_encoders(table, options)
    usable = _usable_rows(table, encoders)
    check_target(table, options, kind, usable)
    split, said = choose_parts(table, options, resolve, kind, seed, fold, usable)
    inside = {"train": split.train, "validation": split.validation, "test": split.test}
    rows = {part: chosen for part, chosen in inside.items() if part == "train" or len(chosen)}
    preprocessing, odd = _fit(table, options, kind, encoders, rows, scales_target)
    parts, found = _examples(table, preprocessing, rows)
    _check_weight(parts["train"], options.weight)
    odd += [notice for notice in found if notice.sentence != IMPUTED]  # the summary counts missing cells
    for part, other in outside.items():
        given, found = _examples(other, preprocessing, {part: _usable_rows(other, encoders)})
        parts |= given
        odd += found
    if class_weight is not None:
        parts["train"] = _weighted(parts["train"], preprocessing.task, class_weight, table.path)
    summary = summarize(table, preprocessing, kinds, parts)
    tables = [table, *outside.values()]
    read = [notice for t in tables for notice in t.notices]
    told = [*read, *said, *preprocessing.target.notices, *notices, *grouped(odd), *summary.findings]
    read_as = {"train": table, **outside}
    sources = {
        path: {"sha256": digest, "part": part} for part, t in read_as.items() for path, digest in t.sha256.items()
    }
    return Prepared(
        preprocessing.task,
        parts["train"],
        parts.get("validation"),
        parts.get("test"),
        preprocessing,
        summary,
        [*told, *_dropped(table, usable)],
        sources,
    )


def _fit(
    table: Table,
    options: DataOptions,
    kind: TaskKind,
    encoders: Sequence[Encoder],
    rows: Mapping[str, Array],
    scales_target: bool,
) -> tuple[Preprocessing, list[Notice]]:
    """Return the preprocessing, fitted on the training rows alone, and what was odd about the columns."""
    held = {part: chosen for part, chosen in rows.items() if part != "train"}
    target = fit_target(table, options, kind, rows["train"], scales_target, held)
    odd: list[Notice] = []
    for encoder in encoders:
        encoder.fit(table.columns[encoder.name], rows["train"])
        odd += encoder.notices
    return Preprocessing(encoders, target, read_options(options), options.weight), odd


def _dropped(table: Table, usable: Array) -> list[str]:
    count = table.rows - len(usable)
    return [f"{count} rows with missing cells are left out (missing: drop)"] if count else []


def read_options(options: DataOptions) -> ReadOptions:
    """Return how the files of a data section are written."""
    return ReadOptions(
        options.delimiter, options.decimal, options.header, options.encoding, tuple(options.missing_values)
    )


def _read(paths: list[str], options: DataOptions, resolve: Resolve) -> Table:
    return read_table([str(resolve(path)) for path in paths], read_options(options), paths)


def _outside_tables(options: DataOptions, resolve: Resolve) -> dict[str, Table]:
    """Return the tables of the parts that have files of their own."""
    given = {"validation": options.validation, "test": options.test}
    return {
        part: _read(names_of(files), options, resolve)
        for part, files in given.items()
        if not isinstance(files, (int, float)) and files is not None and files != "none"
    }


def _usable_rows(table: Table, encoders: Sequence[Encoder]) -> Array:
    """Return the rows that are kept: all, but for ``missing: drop`` those without a missing cell."""
    whole = np.ones(table.rows, bool)
    for encoder in encoders:
        if encoder.missing == "drop" and encoder.name in table.columns:
            whole &= ~table.columns[encoder.name].missing(numeric=encoder.kind != "categorical")
    if not whole.any():
        raise DataError("every row has a missing cell, and data.missing is 'drop'", path=table.path, help="use auto")
    return np.flatnonzero(whole)


def _examples(
    table: Table, preprocessing: Preprocessing, rows: Mapping[str, Array]
) -> tuple[dict[str, Dataset], list[Notice]]:
    """Return the examples at some rows of a table, by part, and notices."""
    target = preprocessing.target.encode(table)
    used = np.concatenate(list(rows.values()))
    if preprocessing.task.is_classification and (target[used] < 0).any():
        unknown = np.sort(used[target[used] < 0])
        raise unknown_classes(table, preprocessing, unknown, "add rows of this class to the training data")
    weight = None if preprocessing.weight is None else sample_weights(table, preprocessing.weight)
    inputs, notices = preprocessing.parts(table, list(rows.values()))
    parts = {
        part: Dataset(x, target[chosen], None if weight is None else weight[chosen], chosen, table)
        for (part, chosen), x in zip(rows.items(), inputs, strict=True)
    }
    return parts, notices


def _check_weight(train: Dataset, name: str | None) -> None:
    if train.weight is not None and train.table is not None and not train.weight.any():
        raise DataError(
            f"column {quote(name)}: the weights of all training rows are 0",
            path=train.table.path,
            help="give some training row a weight",
        )


def _weighted(data: Dataset, task: Task, spec: str | Mapping[str, float], path: str) -> Dataset:
    """Return training examples with the weights of their classes multiplied into theirs."""
    if not task.is_classification:
        raise ConfigError(f"class_weight: expected a classification, and the task is {task.kind}", help="leave it out")
    by_class = class_weights(task, data.target, spec, path)[data.target]
    weight = by_class if data.weight is None else by_class * data.weight
    return Dataset(data.x, data.target, weight.astype(np.float32), data.rows, data.table)


_UNKNOWN_HELP = "nntrain eval --unknown-class wrong counts such rows as errors, skip leaves them out"


def unknown_classes(table: Table, preprocessing: Preprocessing, rows: Array, help: str = _UNKNOWN_HELP) -> DataError:
    """Return the error for rows whose class the training never saw."""
    name = preprocessing.task.targets[0]
    labels = [str(label) for label in labels_of(table.columns[name])[rows]]
    distinct = list(dict.fromkeys(labels))
    places = table.places(rows[:5])
    return DataError(
        f"column {quote(name)}: class {quote(distinct[0])} is not one the network was trained on",
        path=places[0][0],
        line=places[0][1],
        help=help,
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
    notices += preprocessing.extra_columns(table)
    if preprocessing.task.is_classification:
        absent = set(range(len(preprocessing.task.classes))) - set(target.tolist())
        listed = [quote(preprocessing.task.classes[code]) for code in sorted(absent)]
        if listed:
            notices.append(f"no rows of class {enumerate_names(listed, 10)}")
    truth: dict[str, list[Any]] = {name: table.columns[name].text().tolist() for name in preprocessing.task.targets}
    weight = preprocessing.weights(table)
    return Judged(Dataset(x, target, weight, np.arange(len(x)), table), known, truth, notices)
