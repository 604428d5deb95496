"""Labels and classes: which cells are one class, their order, what is odd about them, and their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.task import Task
from nntrain.data.classes import class_weights, fit_classes
from nntrain.data.labels import distinct_labels, label_codes
from nntrain.data.options import DataOptions
from nntrain.errors import DataError


def _fit(
    workplace: Any, cells: list[Any], wanted: Any = None, train: list[int] | None = None, **options: Any
) -> tuple[Task, list[str]]:
    table = workplace.table({"y": cells, "a": [1] * len(cells)})
    rows = np.arange(len(cells)) if train is None else np.array(train)
    parts = {"validation": np.setdiff1d(np.arange(len(cells)), rows)} if train is not None else {}
    chosen = DataOptions(train="other.csv", target="y", positive_class=wanted, **options)
    return fit_classes(table, table.columns["y"], rows, parts, chosen)


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["b", "a", "B", "b"], ("B", "a", "b")),
        (["10", "9", "9.0", "+9", "09"], ("9", "10")),
        (["10", "9", "x", "9"], ("10", "9", "x")),
        (["NA", "x", "NA"], ("NA", "x")),
        (["-1", "1", "-1"], ("-1", "1")),
        (["0.5", "1.5", "0.5"], ("0.5", "1.5")),
    ],
)
def test_labels_and_their_order(workplace: Any, cells: list[str], classes: tuple[str, ...]) -> None:
    assert _fit(workplace, cells)[0].classes == classes


@pytest.mark.parametrize(("wanted", "positive"), [(None, 1), ("no", 0), ("yes", 1)])
def test_the_positive_class(workplace: Any, wanted: str | None, positive: int) -> None:
    assert _fit(workplace, ["no", "yes", "no"], wanted)[0].positive == positive


@pytest.mark.parametrize(
    ("cells", "wanted"), [(["0", "1", "1"], 0), (["0", "1", "1"], 0.0), (["False", "True", "True"], False)]
)
def test_the_positive_class_may_be_a_number_or_a_truth_value(workplace: Any, cells: list[str], wanted: Any) -> None:
    assert _fit(workplace, cells, wanted)[0].positive == 0


@pytest.mark.parametrize(
    ("cells", "wanted", "message"),
    [
        (
            ["no", "yes", "no"],
            "yess",
            "other.csv: data.positive_class: column 'y' has no class 'yess'; did you mean 'yes'?",
        ),
        (["a", "b", "c", "a"], "a", "other.csv: data.positive_class: column 'y' has 3 classes, expected 2"),
        (["a", "a", "a"], None, "other.csv: column 'y' has 1 class ('a'); classification needs 2"),
        (["1.5", "2.5", "3"], None, "other.csv: column 'y' has 3 distinct values in 3 rows; regression?"),
    ],
)
def test_what_is_wrong_with_classes(workplace: Any, cells: list[str], wanted: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        _fit(workplace, cells, wanted)
    assert str(caught.value).startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"split": "tail"}, "use data.split: stratified, or shuffle the file"),
        ({"split": "random", "folds": 5}, "use data.split: stratified, or shuffle the file"),
        ({"folds": 5}, "add rows: with data.folds each class needs 2"),
        ({"order": "t"}, "hold out fewer rows, or leave data.order out: the rows of each class are then divided"),
        ({"group": "g"}, "hold out fewer groups, or leave data.group out: the rows of each class are then divided"),
        ({"split": "rows.npz"}, "name rows of each class under 'train' in 'rows.npz'"),
    ],
)
def test_a_class_that_is_never_trained_on(workplace: Any, options: dict[str, Any], remedy: str) -> None:
    with pytest.raises(DataError) as caught:
        _fit(workplace, ["a", "b", "a", "b", "c"], train=[0, 1, 2, 3], **options)
    (problem,) = caught.value.problems
    assert problem.message == "column 'y': no training row has class 'c' (only validation rows have it)"
    assert problem.help == remedy


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            ["setosa"] * 3 + ["Setosa "] * 2,
            "classes that differ only in case, blanks or look: 'Setosa ' (2 rows), 'setosa' (3",
        ),
        (
            ["setosa"] * 3 + ["sеtosa"] * 2,
            "classes that differ only in case, blanks or look: 'setosa' (3 rows), 'sеtosa' (2",
        ),
        (["setosa"] * 3 + ["set\u200bosa"] * 2, "class 'set\\u200bosa' (2 rows) holds invisible characters"),
        (["no"] * 3 + ["no\ufe0f"] * 2, "class 'no\\ufe0f' (2 rows) holds invisible characters"),
        (["no"] * 3 + ["n\u3164o"] * 2, "only in case, blanks or look: 'no' (3 rows), 'n\\u3164o' (2"),
        (["a", "a", "b"], "classes with a single row: 'b'"),
    ],
)
def test_what_is_odd_about_classes(workplace: Any, cells: list[str], told: str) -> None:
    assert any(told in notice for notice in _fit(workplace, cells)[1])


def test_ordinary_classes_are_not_remarked_upon(workplace: Any) -> None:
    assert _fit(workplace, ["a", "b", "a", "b"])[1] == []


@pytest.mark.parametrize(
    ("classes", "cells", "codes"),
    [
        (("1", "2"), ["01", "2.0", "1"], [0, 1, 0]),
        (("1", "2"), ["1.0", "new", "2"], [0, -1, 1]),
        (("1.0", "x"), ["1.0", "1.0", "1"], [0, 0, -1]),
        (("a", "b"), ["b", "B", "a "], [1, -1, -1]),
    ],
)
def test_labels_of_a_later_file_are_read_as_those_of_training(
    workplace: Any, classes: tuple[str, ...], cells: list[str], codes: list[int]
) -> None:
    column = workplace.table({"y": cells, "a": [1] * len(cells)}).columns["y"]
    assert label_codes(column, classes)(slice(0, len(cells))).tolist() == codes


def test_integers_beyond_float64_stay_apart(workplace: Any) -> None:
    column = workplace.table({"y": ["9007199254740993", "9007199254740992"], "a": [1, 1]}).columns["y"]
    assert distinct_labels(column)[1] == ["9007199254740993", "9007199254740992"]


def test_weights_of_classes() -> None:
    task = Task("classification", ("y",), ("a", "b", "c"))
    codes = np.array([0] * 6 + [1] * 3 + [2])
    np.testing.assert_allclose(class_weights(task, codes, "balanced", "x.csv"), [10 / 18, 10 / 9, 10 / 3])
    assert class_weights(task, codes, {"b": 2.5}, "x.csv").tolist() == [1.0, 2.5, 1.0]
    with pytest.raises(DataError, match=r"x\.csv: class_weight: column 'y' has no class 'bb'; did you mean 'b'\?"):
        class_weights(task, codes, {"bb": 1.0}, "x.csv")
    with pytest.raises(DataError, match="all classes have the weight 0"):
        class_weights(task, codes, {"a": 0.0, "b": 0.0, "c": 0.0}, "x.csv")
