"""Which rows are trained on, validated on and tested on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.data.chunks import narrow, row_numbers, rows_where

FEWEST_ROWS = 20
"""Of fewer rows than this none are held out for validation."""


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, in ascending order; a part may be empty."""

    train: Array
    validation: Array
    test: Array


def by_class(rows: int, shares: Mapping[str, float], seed: int, strata: Array | None = None) -> Split:
    """Return a random split; of each class the same share, within one row.

    Args:
        rows: how many there are, N.
        shares: of ``validation`` and ``test``.
        seed: of the choice.
        strata: (N,) class codes; None takes all rows for one class.
    """
    shuffled = _shuffled(rows, seed)
    sizes = [rows] if strata is None else np.bincount(strata).tolist()
    test, validation = apportion(sizes, shares.get("test", 0.0), shares.get("validation", 0.0))
    part = np.zeros(rows, np.int8)
    by_code = shuffled if strata is None else shuffled[np.argsort(strata[shuffled], kind="stable")]
    starts = np.cumsum([0, *sizes[:-1]])
    for start, t, v in zip(starts, test, validation, strict=True):
        part[by_code[start : start + t]] = 2
        part[by_code[start + t : start + t + v]] = 1
    return _split_of(part)


def apportion(sizes: Sequence[int], test: float, validation: float) -> tuple[list[int], list[int]]:
    """Return how many rows each class gives to the test and to the validation part.

    Each count is the class's exact share rounded down or up; those with the largest remainders are rounded up until the
    part has its share of all rows. A class always keeps a row to train on.

    >>> apportion([50, 50, 1], test=0.0, validation=0.2)
    ([0, 0, 0], [10, 10, 0])
    """
    floors = {share: [math.floor(size * share) for size in sizes] for share in (test, validation)}
    tests = _rounded_up(sizes, test, [size - 1 - v for size, v in zip(sizes, floors[validation], strict=True)])
    validations = _rounded_up(sizes, validation, [size - 1 - t for size, t in zip(sizes, tests, strict=True)])
    return tests, validations


def _rounded_up(sizes: Sequence[int], share: float, most: Sequence[int]) -> list[int]:
    counts = [max(0, min(math.floor(size * share), room)) for size, room in zip(sizes, most, strict=True)]
    lacking = count_of(sum(sizes), share) - sum(counts)
    order = sorted(range(len(sizes)), key=lambda i: (math.floor(sizes[i] * share) - sizes[i] * share, i))
    for i in order:
        if lacking > 0 and counts[i] < most[i] and counts[i] < sizes[i] * share:
            counts[i] += 1
            lacking -= 1
    return counts


def count_of(rows: int, share: float) -> int:
    """Return a share of the rows in whole rows: at least 1 where the share is above 0, never all."""
    return 0 if share <= 0 else max(1, min(rows - 1, round(rows * share)))


def by_group(groups: Array, shares: Mapping[str, float], seed: int) -> Split:
    """Return a random split in which rows of one group (codes (N,)) stay together.

    Groups in random order fill the test part, then the validation part, as near to their shares as whole groups come;
    each has one group at least, and one is left to train on.
    """
    place, sizes = numbered(groups)
    waiting = stream(seed, "split").permutation(len(sizes)).tolist()
    part = np.zeros(len(sizes), np.int8)
    wanted = [(2, shares.get("test", 0.0)), (1, shares.get("validation", 0.0))]
    for number, (code, share) in enumerate(wanted):
        others = 1 + sum(later > 0 for _, later in wanted[number + 1 :])
        left = float(count_of(len(groups), share))
        while left > 0 and len(waiting) > others:
            size = int(sizes[waiting[0]])
            if size / 2 > left and (part == code).any():
                break
            part[waiting.pop(0)] = code
            left -= size
    return _split_of(part[place])


def by_order(order: Array, shares: Mapping[str, float], groups: Array | None = None) -> Split:
    """Return a split that holds out the last rows by ``order`` (N,): validation, and behind it test.

    Rows of equal order are never divided, and neither are groups: a group stands where its first row stands.
    """
    if groups is not None:
        place, sizes = numbered(groups)
        first = np.full(len(sizes), np.inf)
        np.minimum.at(first, place, order)
        # Groups that begin together are told apart by their number, so that each can be kept whole.
        order = np.unique(np.stack([first[place], place], axis=1), axis=0, return_inverse=True)[1].ravel()
    rows = len(order)
    rising = bool((order[1:] >= order[:-1]).all())
    ranked = row_numbers(rows) if rising else np.argsort(order, kind="stable")
    ordered = order if rising else order[ranked]
    test, validation = count_of(rows, shares.get("test", 0.0)), count_of(rows, shares.get("validation", 0.0))
    second = _border(ordered, rows - test)
    first_cut = _border(ordered, rows - test - validation) if validation else second
    train, held, last = np.split(ranked, [first_cut, second])
    return Split(np.sort(train), np.sort(held), np.sort(last))


def _border(ordered: Array, cut: int) -> int:
    """Return the border nearest before ``cut`` at which the order changes; behind it where there is none before."""
    cut = max(1, cut)
    if cut >= len(ordered):
        return len(ordered)
    before = int(np.searchsorted(ordered, ordered[cut], "left"))
    return before or int(np.searchsorted(ordered, ordered[cut], "right"))


def fold_numbers(
    folds: int,
    rows: int,
    seed: int,
    strata: Array | None = None,
    groups: Array | None = None,
    order: Array | None = None,
) -> Array:
    """Return the fold (N,) in which each row is held out.

    Classes are dealt out so that the folds hold equally many of each, within one row; groups stay together, the largest
    dealt first, each to the smallest fold; with an ``order`` the folds are consecutive.
    """
    numbers = np.empty(rows, np.int64)
    if order is not None:
        numbers[np.argsort(order, kind="stable")] = np.arange(rows) * folds // rows
        return numbers
    if groups is not None:
        return _dealt_groups(folds, groups, seed)
    shuffled = _shuffled(rows, seed)
    by_code = shuffled if strata is None else shuffled[np.argsort(strata[shuffled], kind="stable")]
    numbers[by_code] = np.arange(rows) % folds
    return numbers


def _dealt_groups(folds: int, groups: Array, seed: int) -> Array:
    place, sizes = numbered(groups)
    shuffled = stream(seed, "split").permutation(len(sizes))
    filled, fold_of = np.zeros(folds, np.int64), np.empty(len(sizes), np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = fold = int(np.argmin(filled))
        filled[fold] += sizes[group]
    return np.asarray(fold_of[place])


def numbered(values: Array) -> tuple[Array, Array]:
    """Return the place (N,) of each value among the distinct ones (G,), ascending, and how many (G,) there are of each.

    >>> numbered(np.array([5, 2, 5]))
    (array([1, 0, 1], dtype=uint8), array([1, 2]))
    """
    if values.dtype.kind not in "iu" or values.min(initial=0) < 0 or values.max(initial=0) > 2 * len(values):
        _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
        return place, sizes
    sizes = np.bincount(values)
    place_of = np.cumsum(sizes > 0) - 1
    return narrow(lambda rows: place_of[values[rows]], len(values), int(place_of[-1]) + 1), sizes[sizes > 0]


def _shuffled(rows: int, seed: int) -> Array:
    numbers = row_numbers(rows)
    stream(seed, "split").shuffle(numbers)
    return numbers


def _split_of(part: Array) -> Split:
    return Split(*(rows_where(part == code) for code in (0, 1, 2)))
