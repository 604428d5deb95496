"""What a look at the data says, and what it keeps silent about."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from nntrain.data.content import row_keys
from nntrain.data.findings import is_relabelling, is_rescaling

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=60).round(4).tolist()
CLASSES = RANDOM.choice(["a", "b", "c"], 60).tolist()


def told(workplace: Any, columns: dict[str, Any], words: str, **options: Any) -> list[str]:
    return [notice for notice in workplace.prepare(columns, **options).notices if words in notice]


def test_the_summary_in_lines_and_as_json(workplace: Any) -> None:
    cells = [None, *NOISE[1:]]
    prepared = workplace.prepare(
        {"n": cells, "c": ["u", "v"] * 30, "b": ["yes", "no", "no"] * 20, "y": CLASSES}, test=0.1
    )
    lines = prepared.summary.lines()
    assert lines[0] == "rows: 42 train, 12 validation, 6 test"
    assert lines[1].startswith("columns: 1 numeric, 1 categorical, 1 boolean -> ")
    assert lines[2].startswith("target: y (classification): 'a' ")
    assert lines[3] == "missing: n 1 (imputed)"
    plain = json.loads(json.dumps(prepared.summary.as_json(), allow_nan=False))
    assert plain["classes"] == {label: CLASSES.count(label) for label in "abc"}
    assert plain["rows"] == {"train": 42, "validation": 12, "test": 6}
    assert plain["inputs"] == prepared.train.x.shape[1]


def test_a_row_number_among_the_features(workplace: Any) -> None:
    columns = {"id": range(100, 160), "x": NOISE, "y": CLASSES}
    assert ["'id'" in notice for notice in told(workplace, columns, "row number")] == [True]
    assert told(workplace, {**columns, "id": [row // 2 for row in range(60)]}, "row number") == []
    assert told(workplace, columns, "row number", ignore=["id"]) == []


def test_a_feature_that_is_the_class_under_another_name(workplace: Any) -> None:
    other = {"a": "rot", "b": "gelb", "c": "blau"}
    columns = {"x": NOISE, "leak": [other[label] for label in CLASSES], "y": CLASSES}
    assert ["'leak'" in notice for notice in told(workplace, columns, "the same as the target")] == [True]
    columns["leak"] = [{"a": 2, "b": 5.5, "c": -1}[label] for label in CLASSES]
    assert len(told(workplace, columns, "the same as the target")) == 1
    columns["leak"][59] = 2 if columns["leak"][59] != 2 else 5.5
    assert told(workplace, columns, "the same as the target") == []


def test_a_feature_that_is_the_number_in_another_unit(workplace: Any) -> None:
    celsius = [round(20 + 5 * value, 2) for value in NOISE]
    columns = {"x": NOISE[::-1], "leak": [32 + 1.8 * value for value in celsius], "y": celsius}
    assert ["'leak'" in notice for notice in told(workplace, columns, "the same as the target")] == [True]
    assert told(workplace, {**columns, "leak": [v**2 for v in celsius]}, "the same as the target") == []
    assert (
        told(
            workplace,
            {"x": range(60), "y": [v * 1.0 for v in np.random.default_rng(1).permutation(60) / 7]},
            "same as the target",
        )
        == []
    )


def test_classes_that_a_part_lacks(workplace: Any) -> None:
    columns = {"x": NOISE, "y": ["a", "b", "c"] * 16 + ["c"] * 12}
    assert told(workplace, columns, "rows of class", split="tail") == ["no validation rows of class 'a', 'b'"]
    assert told(workplace, columns, "rows of class", test=0.2) == []
    workplace.write({"x": [1.5, 2.5], "y": ["a", "b"]}, "few.csv")
    assert told(workplace, columns, "rows of class", test="few.csv") == ["no test rows of class 'c'"]


def test_rows_that_stand_twice(workplace: Any) -> None:
    columns = {"x": [*NOISE[:58], NOISE[0], NOISE[1]], "y": [*CLASSES[:58], CLASSES[0], CLASSES[1]]}
    prepared = workplace.prepare(columns, split="tail", validation=2 / 60)
    assert [n for n in prepared.notices if "2 of 2 validation rows also stand in the training rows" in n]
    inside = workplace.prepare(columns, validation="none")
    assert [n for n in inside.notices if "2 training rows repeat another one exactly" in n]
    assert not [n for n in workplace.prepare({"x": NOISE, "y": CLASSES}).notices if "repeat" in n or "also stand" in n]


def test_equal_features_of_another_class_are_no_duplicate(workplace: Any) -> None:
    columns = {"x": [*NOISE[:59], NOISE[0]], "y": [*CLASSES[:59], {"a": "b", "b": "c", "c": "a"}[CLASSES[0]]]}
    assert told(workplace, columns, "repeat", validation="none") == []


def test_row_keys_tell_all_rows_of_0_and_1_apart() -> None:
    rows = 1 << 14
    x = ((np.arange(rows)[:, None] >> np.arange(14)) & 1).astype(np.float32)
    keys = row_keys([x, np.zeros(rows, np.int64)])
    assert len(np.unique(keys)) == rows
    again = row_keys([-x * -1.0, np.zeros(rows, np.int64)])
    assert again.tolist() == keys.tolist()
    # Each bit of a key is decided by the row: no low bits are always 0.
    assert all(0.2 < np.mean((keys >> np.uint64(bit)) & np.uint64(1)) < 0.8 for bit in range(64))


def test_relabelling_and_rescaling_look_at_all_rows() -> None:
    codes = np.tile([0, 1, 2], 200)
    names = np.array([7.0, 5.0, 9.0])[codes]
    assert is_relabelling(names, codes)
    names[-1] = 5.0
    assert not is_relabelling(names, codes)
    x = np.linspace(0, 1, 600)
    target = 3 - 2 * x
    assert is_rescaling(x, target)
    target[-2] += 0.01
    assert not is_rescaling(x, target)
    assert not is_rescaling(np.full(600, 1e-310) * np.arange(600), target)
