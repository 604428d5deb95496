"""Splits of rows by class, group and order, for any table: the rules hold for each of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from nntrain.core.array import Array
from nntrain.data.splitting import Split, apportion, by_class, by_group, by_order, count_of, fold_numbers

shares = st.floats(0.01, 0.49)
codes = st.lists(st.integers(0, 5), min_size=2, max_size=80).map(lambda c: np.unique(c, return_inverse=True)[1])


def _check_complete(split: Split, rows: int) -> None:
    parts = (split.train, split.validation, split.test)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(rows))
    assert all((np.diff(part) > 0).all() for part in parts)


def _check_undivided(split: Split, groups: Array) -> list[set[int]]:
    parts = [set(groups[part].tolist()) for part in (split.train, split.validation, split.test)]
    assert sum(map(len, parts)) == len(set(groups.tolist()))
    return parts


@given(codes, shares, shares, st.integers(0, 99))
def test_classes_are_shared_out_within_one_row(strata: Array, test: float, validation: float, seed: int) -> None:
    split = by_class(len(strata), {"test": test, "validation": validation}, seed, strata)
    _check_complete(split, len(strata))
    sizes = np.bincount(strata)
    for part, share in ((split.test, test), (split.validation, validation)):
        assert (np.abs(np.bincount(strata[part], minlength=len(sizes)) - share * sizes) < 1).all()
    assert (np.bincount(strata[split.train], minlength=len(sizes)) >= 1).all()


@given(codes, shares, st.integers(0, 99))
def test_a_split_is_a_function_of_the_seed(strata: Array, share: float, seed: int) -> None:
    first, again = (by_class(len(strata), {"validation": share}, seed, strata) for _ in range(2))
    assert np.array_equal(first.validation, again.validation)


def test_another_seed_is_another_split() -> None:
    first, other = (by_class(100, {"validation": 0.2}, seed) for seed in (0, 1))
    assert not np.array_equal(first.validation, other.validation)


@given(st.lists(st.integers(10, 400), min_size=2, max_size=6), st.floats(0.1, 0.5))
def test_stratified_counts_equal_scikit_learns_within_one(sizes: list[int], share: float) -> None:
    wanted = max(len(sizes), count_of(sum(sizes), share))
    strata = np.repeat(np.arange(len(sizes)), sizes)
    splitter = StratifiedShuffleSplit(1, test_size=wanted, train_size=sum(sizes) - wanted, random_state=0)
    _, held = next(splitter.split(strata, strata))
    _, counts = apportion(sizes, 0.0, share)
    assert np.abs(np.array(counts) - np.bincount(strata[held], minlength=len(sizes))).max() <= 1


def test_the_whole_has_its_share_where_classes_are_large() -> None:
    assert [sum(counts) for counts in apportion([37, 41, 53], 0.15, 0.2)] == [round(131 * 0.15), round(131 * 0.2)]


def test_a_class_of_one_row_is_trained_on() -> None:
    split = by_class(21, {"validation": 0.4, "test": 0.4}, 0, np.array([0] * 20 + [1]))
    assert 20 in split.train


@given(codes, shares, shares, st.integers(0, 99))
def test_groups_are_never_divided(groups: Array, test: float, validation: float, seed: int) -> None:
    split = by_group(groups, {"test": test, "validation": validation}, seed)
    _check_complete(split, len(groups))
    parts = _check_undivided(split, groups)
    assert parts[0]
    if groups.max() >= 2:
        assert all(parts)


def test_many_small_groups_come_near_to_the_share() -> None:
    split = by_group(np.repeat(np.arange(100), 5), {"validation": 0.2, "test": 0.1}, 0)
    assert (len(split.validation), len(split.test)) == (100, 50)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=60).map(np.array), shares, shares)
def test_nothing_held_out_lies_before_what_is_trained_on(order: Array, test: float, validation: float) -> None:
    split = by_order(order.astype(np.float64), {"test": test, "validation": validation})
    _check_complete(split, len(order))
    times = [order[part] for part in (split.train, split.validation, split.test) if len(part)]
    assert all(earlier.max() < later.min() for earlier, later in pairwise(times))
    assert len(split.train)


def test_the_last_rows_are_held_out_in_exact_numbers_where_no_two_are_equal() -> None:
    split = by_order(np.arange(50.0)[::-1], {"validation": 0.2, "test": 0.1})
    assert (split.test.tolist(), split.validation.tolist()) == ([*range(5)], [*range(5, 15)])


@given(codes, shares, shares)
def test_groups_in_order_are_not_divided(groups: Array, test: float, validation: float) -> None:
    split = by_order(np.arange(len(groups), dtype=np.float64), {"test": test, "validation": validation}, groups)
    _check_complete(split, len(groups))
    _check_undivided(split, groups)


@given(codes, st.integers(2, 7), st.integers(0, 99))
def test_folds_hold_equally_many_of_each_class(strata: Array, folds: int, seed: int) -> None:
    number = fold_numbers(folds, len(strata), seed, strata)
    for code in range(strata.max() + 1):
        counts = np.bincount(number[strata == code], minlength=folds)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(number, minlength=folds)
    assert len(sizes) == folds
    assert sizes.max() - sizes.min() <= 1


@given(codes, st.integers(2, 4), st.integers(0, 99))
def test_folds_keep_groups_together(groups: Array, folds: int, seed: int) -> None:
    number = fold_numbers(folds, len(groups), seed, groups=groups)
    assert all(len(set(number[groups == group].tolist())) == 1 for group in range(groups.max() + 1))
    if groups.max() + 1 >= folds:
        assert len(set(number.tolist())) == folds


def test_folds_in_order_are_consecutive() -> None:
    assert fold_numbers(3, 7, 0, order=np.array([6, 5, 4, 3, 2, 1, 0])).tolist() == [2, 2, 1, 1, 0, 0, 0]
