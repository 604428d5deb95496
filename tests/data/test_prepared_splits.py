"""Splits: every row in one part, classes in equal shares, groups whole, time in order, the same again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nntrain.data.preparation import Prepared
from nntrain.errors import ConfigError, DataError, NntrainError

CLASS_SIZES = st.lists(st.integers(1, 30), min_size=2, max_size=5).filter(lambda sizes: 20 <= sum(sizes) <= 100)
SHARES = st.sampled_from([0.1, 0.2, 0.25, 1 / 3, 0.4])
few = settings(max_examples=40, deadline=None)


def parts(prepared: Prepared) -> list[list[int]]:
    found = (prepared.train, prepared.validation, prepared.test)
    return [[] if part is None else part.rows.tolist() for part in found]


def shuffled_classes(sizes: Sequence[int], seed: int) -> list[str]:
    labels = [f"class {i}" for i, size in enumerate(sizes) for _ in range(size)]
    return [labels[i] for i in np.random.default_rng(seed).permutation(len(labels))]


def check_partition(split: list[list[int]], rows: int) -> None:
    assert sorted(row for part in split for row in part) == list(range(rows))
    assert all(part == sorted(part) for part in split)


@few
@given(sizes=CLASS_SIZES, validation=SHARES, test=st.one_of(st.none(), SHARES), seed=st.integers(0, 5))
def test_stratified(workplace: Any, sizes: list[int], validation: float, test: float | None, seed: int) -> None:
    labels = shuffled_classes(sizes, seed)
    columns = {"x": range(len(labels)), "y": labels}
    options = {"validation": validation, "test": test, "seed": seed, "ignore": []}
    split = parts(workplace.prepare(columns, **options))
    check_partition(split, len(labels))
    assert split == parts(workplace.prepare(columns, **options))
    for share, part in ((validation, split[1]), (test or 0.0, split[2])):
        counts = Counter(labels[row] for row in part)
        for i, size in enumerate(sizes):
            count = counts[f"class {i}"]
            assert count <= math.ceil(size * share)
            assert count >= math.floor(size * share) or count + 1 >= size * (1 - validation - (test or 0.0))
    assert {labels[row] for row in split[0]} == set(labels)
    if test is None and min(sizes) >= 5:
        assert len(split[1]) == round(len(labels) * validation)


@few
@given(rows=st.integers(20, 90), validation=SHARES, test=st.one_of(st.none(), SHARES), seed=st.integers(0, 5))
def test_random(workplace: Any, rows: int, validation: float, test: float | None, seed: int) -> None:
    columns = {"x": range(rows), "y": [row / 7 for row in range(rows)]}
    split = parts(workplace.prepare(columns, validation=validation, test=test, seed=seed))
    check_partition(split, rows)
    assert len(split[1]) == round(rows * validation)
    assert len(split[2]) == (0 if test is None else round(rows * test))


def test_another_seed_is_another_split_and_another_column_is_not(workplace: Any) -> None:
    columns = {"x": range(60), "y": ["a", "b", "c"] * 20}
    first = parts(workplace.prepare(columns, seed=1))
    assert first != parts(workplace.prepare(columns, seed=2))
    assert first == parts(workplace.prepare({"z": [0.5, 2.5] * 30, **columns}, seed=1))


@few
@given(order=st.permutations(range(4)), seed=st.integers(0, 3))
def test_new_names_of_classes_in_the_same_order_change_nothing(workplace: Any, order: list[int], seed: int) -> None:
    labels = [f"{order[row % 4]}" for row in range(44)]
    names = {"0": "Ant", "1": "bee", "2": "cat", "3": "dog"}
    first = workplace.prepare({"x": range(44), "y": labels}, seed=seed)
    second = workplace.prepare({"x": range(44), "y": [names[label] for label in labels]}, seed=seed)
    assert parts(first) == parts(second)
    assert first.train.target.tolist() == second.train.target.tolist()
    assert first.train.x.tobytes() == second.train.x.tobytes()


@few
@given(
    groups=st.lists(st.integers(0, 12), min_size=20, max_size=60),
    validation=SHARES,
    test=st.one_of(st.none(), SHARES),
    order=st.booleans(),
    seed=st.integers(0, 3),
)
def test_groups_never_straddle(
    workplace: Any, groups: list[int], validation: float, test: float | None, order: bool, seed: int
) -> None:
    assume(len(set(groups)) > 3)
    rows = len(groups)
    columns = {
        "x": [row * 0.5 for row in range(rows)],
        "t": range(rows),
        "g": groups,
        "y": [r / 7 for r in range(rows)],
    }
    options = {"group": "g", "validation": validation, "test": test, "seed": seed, **({"order": "t"} if order else {})}
    try:
        split = parts(workplace.prepare(columns, **options))
    except DataError as error:  # whole groups in the order of time may leave nothing for a part
        assert order and "no rows are left" in error.render()
        return
    check_partition(split, rows)
    seen = [{groups[row] for row in part} for part in split]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert split[0] and split[1]


def test_a_group_column_is_no_feature(workplace: Any) -> None:
    prepared = workplace.prepare({"x": range(30), "g": [0, 1, 2] * 10, "y": [0.5, 1.5] * 15}, group="g")
    assert prepared.preprocessing.feature_names == ["x"]


@few
@given(
    times=st.lists(st.integers(0, 40), min_size=20, max_size=60), validation=SHARES, test=st.one_of(st.none(), SHARES)
)
def test_the_last_by_order_are_held_out(
    workplace: Any, times: list[int], validation: float, test: float | None
) -> None:
    assume(len(set(times)) > 12)
    columns = {"x": range(len(times)), "t": times, "y": [row / 7 for row in range(len(times))]}
    try:
        split = parts(workplace.prepare(columns, order="t", validation=validation, test=test))
    except DataError as error:
        assert "no rows are left" in error.render()
        return
    check_partition(split, len(times))
    train, held, last = ([times[row] for row in part] for part in split)
    assert max(train) < min(held)
    assert not last or max(held) < min(last)


def test_dates_order_rows_too(workplace: Any) -> None:
    days = [f"2024-01-{31 - row:02d}" for row in range(30)]
    split = parts(workplace.prepare({"x": range(30), "t": days, "y": [r / 7 for r in range(30)]}, order="t"))
    assert split[1] == [0, 1, 2, 3, 4, 5]


def test_tail_holds_out_the_last_rows_of_the_file(workplace: Any) -> None:
    columns = {"x": range(40), "y": ["a", "b"] * 20}
    split = parts(workplace.prepare(columns, split="tail", validation=0.25, test=0.1))
    assert split == [list(range(26)), list(range(26, 36)), list(range(36, 40))]


def test_a_class_that_is_only_held_out_is_an_error(workplace: Any) -> None:
    columns = {"x": range(40), "y": ["a"] * 20 + ["b"] * 12 + ["c"] * 8}
    with pytest.raises(DataError) as caught:
        workplace.prepare(columns, split="tail", validation=0.2)
    said = caught.value.render()
    assert "data.csv: column 'y': no training row has class 'c'" in said
    assert "validation" in said
    assert "stratified" in said


@few
@given(
    labels=st.lists(st.sampled_from("abc"), min_size=20, max_size=60), folds=st.integers(2, 7), seed=st.integers(0, 3)
)
def test_folds_hold_out_each_row_once(workplace: Any, labels: list[str], folds: int, seed: int) -> None:
    assume(min(Counter(labels).values()) >= 2 and len(set(labels)) > 1)
    columns = {"x": range(len(labels)), "y": labels}
    held = []
    for fold in range(folds):
        split = parts(workplace.prepare(columns, folds=folds, fold=fold, seed=seed))
        check_partition(split, len(labels))
        held.append(split[1])
    check_partition([sorted(row for part in held for row in part)], len(labels))
    for label in set(labels):
        counts = [sum(labels[row] == label for row in part) for part in held]
        assert max(counts) - min(counts) <= 1
    assert max(map(len, held)) - min(map(len, held)) <= 1


def test_folds_keep_groups_whole_and_of_like_size(workplace: Any) -> None:
    groups = [0] * 12 + [1] * 10 + [2] * 9 + [3] * 3 + [4] * 3 + [5] * 2
    columns = {"x": range(len(groups)), "g": groups, "y": [row / 7 for row in range(len(groups))]}
    held = [parts(workplace.prepare(columns, folds=3, fold=fold, group="g"))[1] for fold in range(3)]
    check_partition([sorted(row for part in held for row in part)], len(groups))
    for group in range(6):
        assert sum(any(groups[row] == group for row in part) for part in held) == 1
    assert max(map(len, held)) - min(map(len, held)) <= 3


def test_folds_by_order_are_consecutive(workplace: Any) -> None:
    columns = {"x": range(20), "t": range(20, 0, -1), "y": [row / 7 for row in range(20)]}
    held = [parts(workplace.prepare(columns, folds=4, fold=fold, order="t"))[1] for fold in range(4)]
    assert held == [list(range(15, 20)), list(range(10, 15)), list(range(5, 10)), list(range(5))]


def test_more_folds_than_groups(workplace: Any) -> None:
    columns = {"x": range(20), "g": [0, 1] * 10, "y": [row / 7 for row in range(20)]}
    with pytest.raises(DataError, match=r"data\.folds: 3 folds of 2 groups"):
        workplace.prepare(columns, folds=3, fold=0, group="g")


@pytest.mark.parametrize("rows", [4, 19])
def test_of_few_rows_none_are_held_out(workplace: Any, rows: int) -> None:
    prepared = workplace.prepare({"x": range(rows), "y": [row / 7 for row in range(rows)]})
    assert prepared.validation is None
    assert len(prepared.train) == rows


def test_validation_none(workplace: Any) -> None:
    prepared = workplace.prepare({"x": range(50), "y": [row / 7 for row in range(50)]}, validation="none")
    assert prepared.row_counts() == {"train": 50}


COLUMNS = {"x": range(25), "y": [row / 7 for row in range(25)]}


def test_split_files(workplace: Any) -> None:
    train, val, test = np.array([5, 3, 1]), np.array([2]), np.array([24, 0])
    np.savez(workplace.folder / "split.npz", train=train, val=val, test=test)
    expected = [[1, 3, 5], [2], [0, 24]]
    assert parts(workplace.prepare(COLUMNS, split="split.npz")) == expected
    workplace.write({"train": [5, 3, 1], "val": [2, None, None], "test": [24, 0, None]}, "split.csv")
    assert parts(workplace.prepare(COLUMNS, split="split.csv")) == expected
    np.savez(workplace.folder / "split.npz", train=train)
    assert parts(workplace.prepare(COLUMNS, split="split.npz")) == [[1, 3, 5], [], []]


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"train": [0, 25]}, ["row", "25"]),
        ({"train": [-1, 2]}, ["row", "-1"]),
        ({"train": [0, 1], "val": [1]}, ["row 1", "more than once"]),
        ({"val": [0, 1]}, ["train"]),
        ({"train": [0.5, 1.0]}, ["train", "whole numbers"]),
        ({"train": [0, 1], "valid": [2]}, ["valid", "val"]),
    ],
)
def test_wrong_split_files(workplace: Any, arrays: dict[str, list[Any]], expected: list[str]) -> None:
    np.savez(workplace.folder / "wrong.npz", **{name: np.array(values) for name, values in arrays.items()})
    with pytest.raises(DataError) as caught:
        workplace.prepare(COLUMNS, split="wrong.npz")
    assert caught.value.problems[0].path == "wrong.npz"
    for words in expected:
        assert words in caught.value.render()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"train,val\n"])
def test_a_file_that_is_no_npz(workplace: Any, content: bytes) -> None:
    (workplace.folder / "broken.npz").write_bytes(content)
    with pytest.raises(DataError) as caught:
        workplace.prepare(COLUMNS, split="broken.npz")
    assert caught.value.problems[0].path == "broken.npz"


def test_a_split_file_with_pickled_objects_is_refused(workplace: Any) -> None:
    np.savez(workplace.folder / "objects.npz", train=np.array([{"a": 1}], object))
    with pytest.raises(DataError, match=r"objects\.npz"):
        workplace.prepare(COLUMNS, split="objects.npz")


def test_a_missing_split_file(workplace: Any) -> None:
    with pytest.raises(DataError, match=r"absent\.npz: file not found"):
        workplace.prepare(COLUMNS, split="absent.npz")


def test_a_wrong_cell_in_a_split_file_is_named_by_its_line(workplace: Any) -> None:
    workplace.write({"train": [0, 1, "two"]}, "words.csv")
    with pytest.raises(DataError) as caught:
        workplace.prepare(COLUMNS, split="words.csv")
    assert caught.value.problems[0].place == "words.csv:4"
    assert "'two'" in caught.value.render()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"split": "stratifed"}, "did you mean 'stratified'?"),
        ({"split": "stratified"}, "needs classes"),
        ({"validation": 0.5, "test": 0.5}, "leave no rows to train on"),
    ],
)
def test_wrong_options(workplace: Any, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        workplace.prepare(COLUMNS, **options)
    assert expected in caught.value.render()


@pytest.mark.parametrize("key", ["group", "order"])
def test_a_column_that_is_not_there(workplace: Any, key: str) -> None:
    columns = {"patient": [0, 1] * 15, "x": range(30), "y": [row / 7 for row in range(30)]}
    with pytest.raises(NntrainError) as caught:
        workplace.prepare(columns, **{key: "pattient"})
    assert f"data.{key}: column 'pattient' not found; did you mean 'patient'?" in caught.value.render()


def test_a_missing_cell_of_the_order_is_named_by_its_line(workplace: Any) -> None:
    columns = {"x": range(30), "t": [*range(10), None, *range(11, 30)], "y": [row / 7 for row in range(30)]}
    with pytest.raises(DataError) as caught:
        workplace.prepare(columns, order="t")
    assert caught.value.problems[0].place == "data.csv:12"
    assert "column 't'" in caught.value.render()
