"""Which split a config asks for, and what it may not ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.errors import ConfigError, DataError

NUMBERS = [*range(40)]
TABLE = {"x": NUMBERS, "g": [i // 5 for i in NUMBERS], "t": NUMBERS[::-1], "y": ["a", "b"] * 20}


def _rows(prepared: Any) -> list[list[int]]:
    parts = (prepared.train, prepared.validation, prepared.test)
    return [[] if part is None else part.rows.tolist() for part in parts]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "stratfied"}, "data.split: expected auto, random, stratified, tail, or a .npz or .csv file, got"),
        ({"split": "stratified", "group": "g"}, "data.split: 'stratified' cannot be combined with data.group"),
        ({"split": "random", "order": "t"}, "data.split: 'random' cannot be combined with data.order"),
        ({"split": "rows.npz", "group": "g"}, "data.split: 'rows.npz' cannot be combined with data.group"),
        ({"split": "rows.npz", "test": 0.1}, "data.split: 'rows.npz' cannot be combined with data.test"),
        (
            {"split": "rows.csv", "validation": "v.csv"},
            "data.split: 'rows.csv' cannot be combined with data.validation",
        ),
        ({"validation": 0.6, "test": 0.5}, "data.validation 0.6 and data.test 0.5 leave no rows to train on"),
        ({"folds": 3, "validation": "data.csv"}, "data.folds: cannot be combined with a file for data.validation"),
    ],
)
def test_what_contradicts_itself(workplace: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        workplace.prepare(TABLE, **options)
    assert str(caught.value).startswith(f"error: {message}")


def test_numbers_cannot_be_stratified(workplace: Any) -> None:
    with pytest.raises(ConfigError, match=r"'stratified' needs classes, and the task is regression"):
        workplace.prepare({**TABLE, "y": [i / 7 for i in NUMBERS]}, split="stratified")


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"g": [1] * 40}, {"group": "g"}, "data.group: no rows are left for the validation part"),
        ({"t": [1] * 40}, {"order": "t"}, "data.order: no rows are left for the validation part"),
        ({}, {"folds": 41, "fold": 0}, "data.folds: 41 folds of 40 rows"),
        ({}, {"folds": 9, "fold": 0, "group": "g"}, "data.folds: 9 folds of 8 groups"),
    ],
)
def test_rows_that_cannot_be_divided_so(
    workplace: Any, columns: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        workplace.prepare({**TABLE, **columns}, **options)
    assert str(caught.value).startswith(f"error: data.csv: {message}")


def test_the_cell_that_orders_a_row_must_be_there(workplace: Any) -> None:
    with pytest.raises(DataError, match=r"data\.csv:4: column 't': the cell that orders the row is missing"):
        workplace.prepare({**TABLE, "t": [3, 2, None, *NUMBERS[3:]]}, order="t")


def test_rows_may_be_ordered_by_dates(workplace: Any) -> None:
    dates = [f"20{60 - i:02d}-01-01" for i in NUMBERS]
    prepared = workplace.prepare({**TABLE, "t": dates}, order="t", validation=0.25)
    assert _rows(prepared)[1] == [*range(10)]
    assert "t" not in prepared.preprocessing.feature_names


def test_no_rows_are_held_out_of_a_small_table_and_it_is_said(workplace: Any) -> None:
    prepared = workplace.prepare({name: cells[:19] for name, cells in TABLE.items()})
    assert prepared.validation is None
    assert "fewer than 20 rows: none are held out for validation" in prepared.notices


def test_the_folds_hold_out_every_row_once_behind_a_test_part(workplace: Any) -> None:
    folds = [_rows(workplace.prepare(TABLE, folds=4, fold=fold, test=0.2)) for fold in range(4)]
    test = folds[0][2]
    assert len(test) == 8 and all(parts[2] == test for parts in folds)
    assert sorted([*test, *(row for parts in folds for row in parts[1])]) == NUMBERS
    assert all(sorted([*test, *parts[0], *parts[1]]) == NUMBERS for parts in folds)


def test_a_split_file_is_found_and_leaves_rows_out(workplace: Any) -> None:
    np.savez(workplace.folder / "rows.npz", train=np.arange(10), val=np.arange(20, 30))
    assert _rows(workplace.prepare(TABLE, split="rows.npz")) == [[*range(10)], [*range(20, 30)], []]


def test_rows_that_are_dropped_are_in_no_part(workplace: Any) -> None:
    columns = {**TABLE, "x": [None, *NUMBERS[1:]]}
    np.savez(workplace.folder / "rows.npz", train=np.arange(10), val=np.arange(20, 30))
    assert _rows(workplace.prepare(columns, split="rows.npz", missing="drop"))[0] == [*range(1, 10)]
    prepared = workplace.prepare(columns, missing="drop")
    assert sorted(_rows(prepared)[0] + _rows(prepared)[1]) == NUMBERS[1:]
    assert "1 rows with missing cells are left out (missing: drop)" in prepared.notices
