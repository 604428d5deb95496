"""From the data section of a config to arrays: read, split, fit on the training rows, apply to all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.data.batches import Dataset, Labels, Loader
from nntrain.data.chunks import filled
from nntrain.data.classes import class_weights
from nntrain.data.encoders import IMPUTED
from nntrain.data.findings import Summary, absent_classes, summarize
from nntrain.data.forms import form_of
from nntrain.data.labels import labels_of
from nntrain.data.named import check_columns, check_files
from nntrain.data.notices import Notice, grouped
from nntrain.data.options import DataOptions
from nntrain.data.parts import Resolve, check_method, choose_parts
from nntrain.data.pipeline import Preprocessing, dropped_rows, sample_weights
from nntrain.data.storage import MEMORY, storage_for
from nntrain.data.table import ReadOptions, Table, read_table
from nntrain.data.target import check_target, decide_kind, names_of, reconstruction
from nntrain.errors import ConfigError, DataError, enumerate_names, quote
from nntrain.gathering import Gathering


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

    def loader(self, batch_size: int | str, seed: int, shards: int = 1) -> Loader:
        """Return the batches of the training examples."""
        return Loader(self.train, batch_size, seed, shards)

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
    reconstructs: bool = False,
    stream: bool | str = "auto",
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
        reconstructs: whether the input itself is the target; columns named as target are then no features.
        stream: whether the tables stay on disk; auto decides by their size.

    Raises:
        ConfigError: keys of the data section contradict each other.
        DataError: a file or column is missing or unusable.
    """
    options = checked(options, resolve)
    form_class = form_of(options)
    stream = stream if form_class.streams else False
    table = _read(names_of(options.train), options, resolve, stream)
    check_columns(table, options)
    kind = "regression" if reconstructs else decide_kind(table, options, task_hint, form_class.numbers_are_classes)
    outside = _outside_tables(options, resolve, stream)
    form = form_class.make(table, options)
    usable = form.select(table)
    if not reconstructs:
        check_target(table, options, kind, form.label_rows(table, usable))
    facts, owners = form.split_facts(table, options), form.owners(table)
    split, said = choose_parts(table, options, resolve, kind, seed, fold, usable, facts, owners)
    inside = {"train": split.train, "validation": split.validation, "test": split.test}
    rows = {part: chosen for part, chosen in inside.items() if part == "train" or len(chosen)}
    odd = form.fit(table, form.rows_of(table, rows["train"]))
    if reconstructs:
        target = reconstruction(form.place_names, names_of(options.target))
    else:
        target = form.fit_target(table, options, kind, scales_target, rows)
    preprocessing = Preprocessing(form, target, read_options(options), options.weight)
    parts, found = _all_examples(table, outside, preprocessing, rows)
    if class_weight is not None:
        parts["train"] = _weighted(parts["train"], target.task, class_weight, table.path)
    summary = summarize(table, preprocessing, parts)
    read_as = {"train": table, **outside}
    read = [notice for each in read_as.values() for notice in each.notices]
    about = [*target.notices, *form.notices, *grouped([*odd, *found]), *summary.findings]
    return Prepared(
        target.task,
        parts["train"],
        parts.get("validation"),
        parts.get("test"),
        preprocessing,
        summary,
        [*read, *said, *about, *dropped_rows(form.dropped(table))],
        {path: {"sha256": digest, "part": part} for part, t in read_as.items() for path, digest in t.sha256.items()},
    )


def checked(options: DataOptions, resolve: Resolve) -> DataOptions:
    """Return the options as the form of the examples takes them, after every check that needs no file's content.

    Raises:
        ConfigError: keys of the data section contradict each other.
        DataError: a file is missing.
    """
    checks = Gathering()
    with checks.next():
        options = form_of(options).adjust(options)
        check_method(options)
    with checks.next():
        check_files(options, resolve)
    checks.end()
    return options


def _all_examples(
    table: Table, outside: Mapping[str, Table], preprocessing: Preprocessing, rows: Mapping[str, Array]
) -> tuple[dict[str, Dataset], list[Notice]]:
    """Return the examples of all parts, those within the training table and those with tables of their own."""
    parts, notices = _examples(table, preprocessing, rows)
    _check_weight(parts["train"], preprocessing.weight)
    form = preprocessing.form
    # of a table the summary counts the missing cells
    notices = [notice for notice in notices if not form.is_table or notice.sentence != IMPUTED]
    checks = Gathering()
    for part, other in outside.items():
        with checks.next(), _naming(part):
            given, found = _examples(other, preprocessing, {part: form.select(other)})
            parts |= given
            notices += found
    checks.end()
    return parts, notices


def read_options(options: DataOptions) -> ReadOptions:
    """Return how the files of a data section are written."""
    return ReadOptions(
        options.delimiter, options.decimal, options.header, options.encoding, tuple(options.missing_values)
    )


def _read(paths: list[str], options: DataOptions, resolve: Resolve, stream: bool | str) -> Table:
    return read_table([str(resolve(path)) for path in paths], read_options(options), paths, stream=stream)


@contextmanager
def _naming(part: str) -> Iterator[None]:
    """Give errors about a whole file the key that names it."""
    try:
        yield
    except DataError as error:
        raise DataError(
            replace(problem, at=("data", part)) if problem.line is None else problem for problem in error.problems
        ) from None


def _outside_tables(options: DataOptions, resolve: Resolve, stream: bool | str) -> dict[str, Table]:
    """Return the tables of the parts that have files of their own."""
    given = {"validation": options.validation, "test": options.test}
    return {
        part: _read(names_of(files), options, resolve, stream)
        for part, files in given.items()
        if not isinstance(files, (int, float)) and files is not None and files != "none"
    }


def _examples(
    table: Table, preprocessing: Preprocessing, rows: Mapping[str, Array]
) -> tuple[dict[str, Dataset], list[Notice]]:
    """Return the examples at some rows of a table, by part, and notices."""
    weight = None if preprocessing.weight is None else sample_weights(table, preprocessing.weight)
    parts, notices = preprocessing.examples(table, rows, preprocessing.target, weight)
    if preprocessing.task.is_classification:
        labels = [data.labels() for data in parts.values()]
        unknown = np.concatenate([found.rows[found.target < 0] for found in labels])
        if len(unknown):
            help = "add rows of this class to the training data"
            raise unknown_classes(table, preprocessing, np.sort(unknown), help)
    return parts, notices


def _check_weight(train: Dataset, name: str | None) -> None:
    labels = train.labels()
    if labels.weight is not None and train.table is not None and not labels.weight.any():
        raise DataError(
            f"column {quote(name)}: the weights of all training rows are 0",
            path=train.table.path,
            help="give some training row a weight",
        )


def _weighted(data: Dataset, task: Task, spec: str | Mapping[str, float], path: str) -> Dataset:
    """Return training examples with the weights of their classes multiplied into theirs."""
    if not task.is_classification:
        raise ConfigError(f"class_weight: expected a classification, and the task is {task.kind}", help="leave it out")
    by_class, given = class_weights(task, data.labels().target, spec, path), data.weight
    storage = MEMORY if data.table is None else storage_for(data.table)
    weight = storage.empty(data.target.shape, np.float32)
    filled(weight, lambda rows: by_class[data.target[rows]] * (1.0 if given is None else given[rows]))
    return data.replace(weight=weight)


_UNKNOWN_HELP = "nntrain eval --unknown-class wrong counts such rows as errors, skip leaves them out"


def unknown_classes(table: Table, preprocessing: Preprocessing, rows: Array, help: str = _UNKNOWN_HELP) -> DataError:
    """Return the error for rows whose class the training never saw."""
    name = preprocessing.task.targets[0]
    labels = [str(label) for label in labels_of(table.columns[name], rows)]
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
        dataset: its examples; a label of an unknown class has the code -1.
        labels: of the examples.
        known: (L,) whether the class of a label is known.
        truth: the target columns at the labels, as they stand, by name.
        notices: what is worth knowing.
    """

    dataset: Dataset
    labels: Labels
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
    data, notices = preprocessing.labelled(table)
    labels = data.labels()
    known = labels.target >= 0 if preprocessing.task.is_classification else np.ones(len(labels), bool)
    if not known.all():
        if unknown_class == "error":
            raise unknown_classes(table, preprocessing, np.sort(labels.rows[~known]))
        verb = "count as errors" if unknown_class == "wrong" else "are left out"
        notices.append(
            f"{int((~known).sum())} of {len(known)} rows have a class the network was not trained on: they {verb}"
        )
    notices += preprocessing.extra_columns(table)
    if preprocessing.task.is_classification:
        counts = np.bincount(labels.target[known], minlength=len(preprocessing.task.classes))
        notices += absent_classes(preprocessing.task, counts, "rows")
    truth = preprocessing.form.truth(table, preprocessing.target, labels)
    return Judged(data, labels, known, truth, notices)
