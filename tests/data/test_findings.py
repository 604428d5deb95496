"""What a look at the data finds, and what it must not find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nntrain.data.chunks import CHUNK_ROWS
from nntrain.data.content import content_order, repeated, row_keys, shared
from nntrain.data.findings import is_relabelling, is_rescaling

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=60).round(6).tolist()
OTHER = RNG.normal(size=60).round(6).tolist()
LABELS = ["a", "b", "c"] * 20


def _findings(prepared: Any, word: str) -> list[str]:
    return [notice for notice in prepared.notices if word in notice]


def test_columns_without_a_relation_to_the_target_are_not_copies(workplace: Any) -> None:
    for target in (OTHER, LABELS):
        assert _findings(workplace.prepare({"x": NOISE, "y": target}), "same as the target") == []


def test_a_copy_of_the_classes_under_other_names(workplace: Any) -> None:
    columns = {"x": NOISE, "number": [7, 5, 6] * 20, "name": ["u", "v", "w"] * 20, "half": [0, 1, 1] * 20, "y": LABELS}
    found = _findings(workplace.prepare(columns), "same as the target")
    assert len(found) == 1 and found[0].startswith("warning: 'number', 'name' says")


def test_a_copy_of_a_numeric_target_in_other_units(workplace: Any) -> None:
    fahrenheit = [value * 1.8 + 32 for value in OTHER]
    found = _findings(workplace.prepare({"x": NOISE, "fahrenheit": fahrenheit, "y": OTHER}), "same as the target")
    assert found and "'fahrenheit'" in found[0] and "'x'" not in found[0]


def test_a_column_that_agrees_only_at_first_is_no_copy() -> None:
    codes = np.tile([0, 1], 500)
    values = codes.astype(np.float64)
    assert is_relabelling(values, codes)
    values[-1] = 0.0
    assert not is_relabelling(values, codes)
    line = np.arange(1000.0)
    bent = line.copy()
    bent[700] += 0.5
    assert is_rescaling(line, 3 * line - 7) and not is_rescaling(line, bent)


def test_a_missing_cell_makes_it_no_copy() -> None:
    assert not is_relabelling(np.array([0.0, 1.0, np.nan, 1.0]), np.array([0, 1, 0, 1]))
    assert not is_rescaling(np.array([0.0, 1.0, np.nan]), np.array([0.0, 1.0, 2.0]))


@pytest.mark.parametrize("at", [CHUNK_ROWS - 1, CHUNK_ROWS, 2 * CHUNK_ROWS + 4])
def test_one_row_far_behind_tells_apart(at: int) -> None:
    rows = 2 * CHUNK_ROWS + 5
    codes = np.arange(rows) % 3
    names = np.array([7.0, -1.0, 2.5])[codes]
    assert is_relabelling(names, codes)
    names[at] = 8.0
    assert not is_relabelling(names, codes)
    late = codes.copy()
    late[at] = 3
    assert not is_relabelling(np.array([7.0, -1.0, 2.5, 7.0])[late], late)  # two codes of one name
    line = np.random.default_rng(0).normal(size=rows)
    line[at] = 9.0  # the largest, so that it decides the slope
    assert is_rescaling(line, 2 - 0.5 * line)
    bent = 2 - 0.5 * line
    bent[at] += 0.01
    assert not is_rescaling(line, bent)


@given(arrays(np.uint64, st.integers(0, 50), elements=st.integers(0, 12)), st.data())
def test_repeated_and_shared_keys(keys: np.ndarray, data: st.DataObject) -> None:
    others = data.draw(arrays(np.uint64, st.integers(0, 50), elements=st.integers(0, 12)))
    assert repeated(np.sort(keys)) == len(keys) - len(set(keys.tolist()))
    assert shared(others, np.sort(keys)) == int(np.isin(others, keys).sum())


@given(arrays(np.float32, st.tuples(st.integers(0, 40), st.integers(1, 3)), elements=st.sampled_from([0.0, 1.0, -2.5])))
def test_content_alone_orders_rows(x: np.ndarray) -> None:
    order, first = content_order([x])
    assert sorted(order.tolist()) == list(range(len(x)))
    assert np.array_equal(x[order][first], x[order]) and np.array_equal(first[first], first)
    assert len(set(first.tolist())) == len({tuple(row) for row in x.tolist()})
    shuffled = np.random.default_rng(0).permutation(len(x))
    again, _ = content_order([x[shuffled]])
    assert np.array_equal(x[shuffled][again], x[order])


def test_row_numbers(workplace: Any) -> None:
    columns = {"row": [*range(100, 160)], "x": NOISE, "y": OTHER}
    assert _findings(workplace.prepare(columns), "row number") == [
        "warning: 'row' looks like a row number (data.ignore leaves it out)"
    ]


def test_constants_are_said_once(workplace: Any) -> None:
    found = _findings(workplace.prepare({"c": [5] * 60, "d": [0.1] * 60, "x": NOISE, "y": OTHER}), "constant")
    assert found == ["warning: constant in the training rows, so not scaled: 'c', 'd'"]


def test_equal_rows_on_both_sides_of_the_split(workplace: Any) -> None:
    columns = {"x": [*range(40), *range(40)], "y": [*("ab" * 20), *("ab" * 20)]}
    prepared = workplace.prepare(columns, split="tail", validation=0.5)
    assert _findings(prepared, "also stand") == [
        "warning: 40 of 40 validation rows also stand in the training rows (data.group keeps equal rows together)"
    ]
    prepared = workplace.prepare({**columns, "y": [*("ab" * 20), *("ba" * 20)]}, split="tail", validation=0.5)
    assert _findings(prepared, "also stand") == []


@pytest.mark.parametrize("width", [1, 7, 3000])
def test_keys_are_equal_exactly_for_equal_rows(width: int) -> None:
    x = np.random.default_rng(0).integers(0, 3, (2000, width)).astype(np.float32)
    target = np.random.default_rng(1).integers(0, 2, 2000)
    keys = row_keys([x, target])
    rows = [(*row, label) for row, label in zip(x.tolist(), target.tolist(), strict=True)]
    assert len(set(keys.tolist())) == len(set(rows))
    x[x == 0] = -0.0
    assert np.array_equal(row_keys([x, target]), keys)


def test_the_summary_counts(workplace: Any) -> None:
    columns = {"x": [None, *NOISE[1:]], "k": ["u", "v", ""] * 20, "b": ["yes", "no"] * 30, "y": LABELS}
    prepared = workplace.prepare(columns)
    assert prepared.summary.as_json() == {
        "rows": {"train": 48, "validation": 12},
        "columns": {"numeric": ["x"], "categorical": ["k"], "boolean": ["b"]},
        "inputs": len(prepared.preprocessing.feature_names),
        "target": ["y"],
        "task": "classification",
        "classes": {"a": 20, "b": 20, "c": 20},
        "missing": {"x": 1, "k": 20},
        "findings": ["warning: 'k' says the same as the target, one value for one; is the answer among the features?"],
    }
    assert prepared.summary.lines() == [
        "rows: 48 train, 12 validation",
        f"columns: 1 numeric, 1 categorical, 1 boolean -> {len(prepared.preprocessing.feature_names)} inputs",
        "target: y (classification): 'a' 20, 'b' 20, 'c' 20",
        "missing: x 1, k 20 (imputed)",
    ]
