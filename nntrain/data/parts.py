"""Which split the data section of a config asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import TaskKind
from nntrain.data import splitting
from nntrain.data.chunks import chunks, narrow
from nntrain.data.column import Column
from nntrain.data.column_types import instants
from nntrain.data.labels import LabelledColumn, sort_labels
from nntrain.data.options import DataOptions
from nntrain.data.split_file import from_file, is_split_file
from nntrain.data.splitting import Split
from nntrain.data.table import Table
from nntrain.data.target import names_of
from nntrain.errors import ConfigError, DataError, did_you_mean, enumerate_names, quote

Resolve = Callable[[str], Path]
"""Makes the path of a file of a path as it stands in the config."""

METHODS = ("auto", "random", "stratified", "tail")


@dataclass(frozen=True)
class Facts:
    """What a split may heed, one value for each row (N,)."""

    strata: Array | None
    groups: Array | None
    order: Array | None

    def at(self, rows: Array) -> Facts:
        """Return the facts of some of the rows."""
        return Facts(*(None if fact is None else fact[rows] for fact in (self.strata, self.groups, self.order)))


def choose_parts(
    table: Table,
    options: DataOptions,
    resolve: Resolve,
    kind: TaskKind,
    seed: int,
    fold: int | None,
    usable: Array,
    facts: Facts | None = None,
    owners: Array | None = None,
) -> tuple[Split, list[str]]:
    """Return the row numbers of each part, and notices.

    Args:
        table: of the training files.
        options: the data section.
        resolve: finds the file of ``data.split``.
        kind: of the task.
        seed: of a random split.
        fold: which fold is held out, from 0, or None.
        usable: row numbers that may be used.
        facts: of all rows, what the split heeds; None takes them from the data section.
        owners: (R,) the row that stands for the sequence a row belongs to, -1 for none; None where rows are examples.

    Raises:
        ConfigError: the keys that divide the rows contradict each other.
        DataError: the split cannot be made of these rows.
    """
    check_method(options)
    if options.split == "stratified" and kind != "classification":
        raise ConfigError(f"data.split: 'stratified' needs classes, and the task is {kind}", help="use split: random")
    if is_split_file(options.split):
        split = from_file(resolve(options.split), options.split, table.rows)
        if owners is not None:
            split = _of_owners(split, owners, options.split)
        given = (split.train, split.validation, split.test)
        return Split(*(part if _are_all(usable, table.rows) else part[np.isin(part, usable)] for part in given)), []
    heeded = facts or _facts(table, options, kind)
    if not _are_all(usable, table.rows):
        heeded = heeded.at(usable)
    shares, notices, unit = _shares(options), [], "rows" if owners is None else "sequences"
    if fold is not None:
        split = _fold(options.folds or 0, fold, seed, heeded, shares["test"], len(usable), table.path, unit)
        if options.order is not None:
            notices = [
                "warning: data.folds with data.order: all folds but the last are judged by a network that is trained"
                " on what comes after them"
            ]
    else:
        if len(usable) < splitting.FEWEST_ROWS and shares["validation"]:
            notices = [f"fewer than {splitting.FEWEST_ROWS} {unit}: none are held out for validation"]
            shares["validation"] = 0.0
        split = _by_shares(shares, seed, heeded, len(usable))
        _check_filled(split, shares, options, table.path)
    if _are_all(usable, table.rows):
        return split, notices
    return Split(usable[split.train], usable[split.validation], usable[split.test]), notices


def _are_all(usable: Array, rows: int) -> bool:
    """Return whether row numbers are those of all rows in their order, so that nothing need be chosen."""
    if len(usable) != rows:
        return False
    return all(np.array_equal(usable[some], np.arange(some.start, some.stop)) for some in chunks(rows))


def check_method(options: DataOptions) -> None:
    """Raise ConfigError where the keys that divide the rows are unknown or contradict each other."""
    _shares(options)
    split = options.split
    if is_split_file(split):
        others = {"group": options.group, "order": options.order, "folds": options.folds}
        clashing = [key for key, value in others.items() if value is not None]
        clashing += [part for part in ("validation", "test") if _is_file(getattr(options, part))]
        clashing += ["test"] if isinstance(options.test, (int, float)) else []
    elif split not in METHODS:
        known = f"{enumerate_names(METHODS)}, or a .npz or .csv file"
        raise ConfigError(f"data.split: expected {known}, got {quote(split)}{did_you_mean(split, METHODS)}")
    else:
        clashing = ["order"] if options.order is not None and split in ("random", "stratified") else []
        clashing += ["group"] if options.group is not None and split == "stratified" else []
    if options.folds is not None and _is_file(options.validation):
        raise ConfigError(
            "data.folds: cannot be combined with a file for data.validation", help="leave one of them out"
        )
    if clashing:
        message = f"data.split: {quote(split)} cannot be combined with data.{clashing[0]}"
        raise ConfigError(message, help="leave one of them out")


def _is_file(given: object) -> bool:
    return isinstance(given, list) or (isinstance(given, str) and given != "none")


def _facts(table: Table, options: DataOptions, kind: TaskKind) -> Facts:
    stratified = kind == "classification" and options.split in ("auto", "stratified")
    groups = None if options.group is None else _codes(table.column(options.group, "data.group"))
    if options.order is not None:
        return Facts(None, groups, order_values(table, options.order))
    if options.split == "tail":
        return Facts(None, groups, np.arange(table.rows, dtype=np.float64))
    return Facts(_strata(table, options) if stratified else None, groups, None)


def _codes(column: Column) -> Array:
    """Return a number (R,) for each cell, equal for equal texts."""
    return narrow(lambda rows: column.codes(rows)[0], len(column), len(column.codes(slice(0, 0))[1]))


def _strata(table: Table, options: DataOptions) -> Array:
    labelled = LabelledColumn(table.column(names_of(options.target)[0], "data.target"))
    place = {label: i for i, label in enumerate(sort_labels(labelled.labels))}
    code = np.array([place[label] for label in labelled.labels], np.int64)
    return narrow(lambda rows: code[labelled.codes(rows)], table.rows, len(code))


def order_values(table: Table, name: str, key: str = "data.order") -> Array:
    """Return a sortable number (R,) for each row: the column's numbers, or its dates.

    Raises:
        DataError: there is no such column, named by a key of the config; or a cell is missing, or no date.
    """
    column = table.column(name, key)
    sortable = "correct the cell; a column that orders rows holds numbers, or dates that begin with the year"
    values = column.numbers() if column.number_share == 1.0 else instants(column, sortable)
    lacking = np.flatnonzero(np.isnan(values))
    if len(lacking):
        path, line = table.place(int(lacking[0]))
        notes = [f"{len(lacking) - 1} more like this"] if len(lacking) > 1 else []
        message = f"column {quote(name)}: the cell that orders the row is missing"
        raise DataError(message, path=path, line=line, help="fill the cell, or delete the row", notes=notes)
    return values


def _of_owners(split: Split, owners: Array, shown: str) -> Split:
    """Return the split of sequences that one of rows gives: a sequence is where its rows are.

    Raises:
        DataError: the rows of a sequence are named in two parts.
    """
    parts = {"train": split.train, "val": split.validation, "test": split.test}
    found = {part: np.setdiff1d(owners[rows], [-1]) for part, rows in parts.items()}
    for part, other in (("train", "val"), ("train", "test"), ("val", "test")):
        both = np.intersect1d(found[part], found[other])
        if len(both):
            row, second = (int(rows[owners[rows] == both[0]][0]) for rows in (parts[part], parts[other]))
            raise DataError(
                f"rows {row} and {second} are of one sequence, and are named in {part} and in {other}",
                path=shown,
                help="name all rows of a sequence in one part; rows are numbered from 0, the header does not count",
                notes=[f"{len(both) - 1} more sequences like this"] if len(both) > 1 else (),
            )
    return Split(*found.values())


def _shares(options: DataOptions) -> dict[str, float]:
    given = {part: getattr(options, part) for part in ("validation", "test")}
    shares = {part: float(share) if isinstance(share, (int, float)) else 0.0 for part, share in given.items()}
    if sum(shares.values()) >= 1:
        text = " and ".join(f"data.{part} {share:g}" for part, share in shares.items())
        raise ConfigError(f"{text} leave no rows to train on", help="their sum must be below 1")
    return shares


def _by_shares(shares: dict[str, float], seed: int, facts: Facts, rows: int) -> Split:
    if facts.order is not None:
        return splitting.by_order(facts.order, shares, facts.groups)
    if facts.groups is not None:
        return splitting.by_group(facts.groups, shares, seed)
    return splitting.by_class(rows, shares, seed, _renumbered(facts.strata))


def _renumbered(strata: Array | None) -> Array | None:
    return None if strata is None else splitting.numbered(strata)[0]


def _fold(folds: int, fold: int, seed: int, facts: Facts, test: float, rows: int, path: str, unit: str) -> Split:
    """Return the split that holds out one fold of what a test share leaves."""
    first = _by_shares({"test": test, "validation": 0.0}, seed, facts, rows)
    rest, left = facts.at(first.train), first.train
    units = len(left) if rest.groups is None else len(splitting.numbered(rest.groups)[1])
    if folds > units:
        unit = unit if rest.groups is None else "groups"
        raise DataError(f"data.folds: {folds} folds of {units} {unit}", path=path, help=f"use at most {units} folds")
    number = splitting.fold_numbers(folds, len(left), seed, rest.strata, rest.groups, rest.order)
    return Split(left[number != fold], left[number == fold], first.test)


def _check_filled(split: Split, shares: dict[str, float], options: DataOptions, path: str) -> None:
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    for part, rows in parts.items():
        if len(rows) or not shares.get(part, 1.0):
            continue
        key = "group" if options.group is not None else "order" if options.order is not None else part
        message = f"data.{key}: no rows are left for the {part} part"
        raise DataError(message, path=path, help="use other shares, or more rows or groups")
