"""Which rows are trained on, validated on and tested on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.errors import DataError, quote

FEWEST_ROWS = 20
"""Of fewer rows than this none are held out unless the config asks for it."""


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, in ascending order; a part may be empty."""

    train: Array
    validation: Array
    test: Array


def by_share(
    rows: int,
    shares: Mapping[str, float],
    seed: int,
    strata: Array | None = None,
    groups: Array | None = None,
    order: Array | None = None,
    tail: bool = False,
) -> Split:
    """Return a split by shares of the rows.

    Args:
        rows: how many there are, N.
        shares: of ``validation`` and ``test``.
        seed: of the choice.
        strata: (N,) class codes; each class gives its share, within one row.
        groups: (N,) codes; rows of one group stay together.
        order: (N,) values; the last rows by them are held out, the test rows after the validation rows.
        tail: whether the last rows of the file are held out.

    >>> split = by_share(10, {"validation": 0.2, "test": 0.0}, seed=0, tail=True)
    >>> split.validation.tolist()
    [8, 9]
    """
    counts = {name: shares.get(name, 0.0) for name in ("validation", "test")}
    if order is not None or tail:
        return _last(np.arange(rows) if order is None else np.argsort(order, kind="stable"), counts, groups)
    generator = stream(seed, "split")
    if groups is not None:
        return _whole_groups(groups, counts, generator)
    return _strata(np.zeros(rows, np.int64) if strata is None else strata, counts, generator)


def _last(ordered: Array, shares: Mapping[str, float], groups: Array | None) -> Split:
    if groups is not None:
        # A group goes where its first row goes, so that none is divided.
        first: dict[int, int] = {}
        for row in ordered:
            first.setdefault(int(groups[row]), len(first))
        rank = np.array([first[int(groups[row])] for row in ordered])
        ordered = ordered[np.argsort(rank, kind="stable")]
    rows = len(ordered)
    test = _count(rows, shares["test"])
    validation = _count(rows, shares["validation"])
    cuts = [rows - test - validation, rows - test]
    if groups is not None:
        cuts = [_group_border(groups[ordered], cut) for cut in cuts]
    train, held, last = np.split(ordered, cuts)
    return Split(np.sort(train), np.sort(held), np.sort(last))


def _group_border(groups: Array, cut: int) -> int:
    while 0 < cut < len(groups) and groups[cut] == groups[cut - 1]:
        cut += 1
    return cut


def _whole_groups(groups: Array, shares: Mapping[str, float], generator: np.random.Generator) -> Split:
    names, sizes = np.unique(groups, return_counts=True)
    shuffled = generator.permutation(len(names))
    parts: dict[str, list[int]] = {"test": [], "validation": []}
    at = 0
    for part, chosen in parts.items():
        wanted, taken = _count(len(groups), shares[part]), 0
        while taken < wanted and at < len(names) - 1:
            chosen.append(int(names[shuffled[at]]))
            taken += int(sizes[shuffled[at]])
            at += 1
    is_test, is_held = np.isin(groups, parts["test"]), np.isin(groups, parts["validation"])
    return Split(np.flatnonzero(~is_test & ~is_held), np.flatnonzero(is_held), np.flatnonzero(is_test))


def _strata(strata: Array, shares: Mapping[str, float], generator: np.random.Generator) -> Split:
    members = [generator.permutation(np.flatnonzero(strata == stratum)) for stratum in np.unique(strata)]
    sizes = [len(rows) for rows in members]
    test = _apportion(sizes, shares["test"], [0] * len(sizes))
    validation = _apportion(sizes, shares["validation"], test)
    tests, held, train = [], [], []
    for rows, t, v in zip(members, test, validation, strict=True):
        tests.append(rows[:t])
        held.append(rows[t : t + v])
        train.append(rows[t + v :])
    return Split(*(np.sort(np.concatenate(part)) for part in (train, held, tests)))


def _apportion(sizes: Sequence[int], share: float, taken: Sequence[int]) -> list[int]:
    """Return how many rows each stratum gives: its share within one row, the total rounded, one left to train on."""
    exact = [size * share for size in sizes]
    counts = [math.floor(count) for count in exact]
    order = sorted(range(len(sizes)), key=lambda i: (counts[i] - exact[i], i))
    for i in order[: max(0, _count(sum(sizes), share) - sum(counts))]:
        counts[i] += 1
    return [max(0, min(count, size - done - 1)) for count, size, done in zip(counts, sizes, taken, strict=True)]


def _count(rows: int, share: float) -> int:
    """Return a share of the rows in whole rows: at least 1 where the share is above 0, never all."""
    return 0 if share <= 0 else max(1, min(rows - 1, round(rows * share)))


def by_fold(folds: int, fold: int, seed: int, strata: Array, groups: Array | None, order: Array | None) -> Split:
    """Return the split that holds out fold ``fold`` (from 0) of ``folds``.

    Every row is held out in exactly one fold; classes are spread evenly, groups stay together, and with an ``order``
    the folds are consecutive.
    """
    rows = len(strata)
    generator = stream(seed, "split")
    if order is not None:
        number = np.empty(rows, np.int64)
        number[np.argsort(order, kind="stable")] = np.arange(rows) * folds // rows
    elif groups is not None:
        names, codes = np.unique(groups, return_inverse=True)
        number = generator.permutation(np.arange(len(names)) % folds)[codes]
    else:
        shuffled = generator.permutation(rows)
        by_class = shuffled[np.argsort(strata[shuffled], kind="stable")]
        number = np.empty(rows, np.int64)
        number[by_class] = np.arange(rows) % folds
    return Split(np.flatnonzero(number != fold), np.flatnonzero(number == fold), np.empty(0, np.int64))


def from_file(path: Path, shown: str, rows: int) -> Split:
    """Return the split that a .npz or .csv file of row numbers gives.

    A .npz holds the arrays ``train``, ``val`` and ``test``; a .csv two columns, ``row`` and ``part``. Rows that no part
    names are left out.

    Raises:
        DataError: the file is missing, or its numbers are no rows, or a row is in two parts.
    """
    parts = _read_npz(path, shown) if path.suffix.lower() == ".npz" else _read_csv(path, shown)
    for name, numbers in parts.items():
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= rows):
            raise DataError(
                f"part {name} has row numbers from {numbers.min()} to {numbers.max()}, and the table has {rows} rows",
                path=shown,
                help="rows are numbered from 0, the header does not count",
            )
    every = np.concatenate(list(parts.values()))
    twice = np.flatnonzero(np.bincount(every, minlength=1) > 1)
    if len(twice):
        raise DataError(f"row {twice[0]} is named more than once ({len(twice)} such rows)", path=shown)
    if not len(parts["train"]):
        raise DataError("no row is named for training", path=shown)
    return Split(parts["train"], parts["val"], parts["test"])


def _read_npz(path: Path, shown: str) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: np.asarray(file[name]) for name in ("train", "val", "test") if name in file}
    except FileNotFoundError:
        raise DataError("file not found", path=shown) from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"not a .npz file of row numbers ({error})", path=shown) from None
    for name, numbers in found.items():
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise DataError(f"part {name}: expected a list of whole numbers, got {numbers.dtype}", path=shown)
    return {name: found.get(name, np.empty(0)).astype(np.int64) for name in ("train", "val", "test")}


def _read_csv(path: Path, shown: str) -> dict[str, Array]:
    from nntrain.data.table import read_table

    table = read_table([str(path)], None, [shown])
    numbers, parts = table.column("row").integers(), table.column("part").text()
    if numbers is None:
        raise DataError("column 'row': expected whole numbers", path=shown)
    unknown = sorted({str(part) for part in parts} - {"train", "val", "test"})
    if unknown:
        raise DataError(f"column 'part': expected train, val or test, got {quote(unknown[0])}", path=shown)
    return {name: numbers[parts == name].astype(np.int64) for name in ("train", "val", "test")}
