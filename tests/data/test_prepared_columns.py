"""Which rows and columns are used: missing cells that drop or refuse rows, chosen and ignored columns, no header."""

from __future__ import annotations

from typing import Any

import pytest

from nntrain.data.options import DataOptions
from nntrain.data.preparation import prepare
from nntrain.errors import NntrainError

Y30 = [row / 7 for row in range(30)]
NUMBERS = [None if row % 7 == 3 else (row * 37 % 11) / 2 for row in range(30)]
CATEGORIES = [["red", "green", "blue", "red"][row % 4] for row in range(30)]


def refusal(workplace: Any, columns: dict[str, Any], **options: Any) -> NntrainError:
    with pytest.raises(NntrainError) as caught:
        workplace.prepare(columns, **options)
    return caught.value


def test_missing_error_names_the_lines(workplace: Any) -> None:
    for cells in (NUMBERS, [None if row % 7 == 3 else name for row, name in enumerate(CATEGORIES)]):
        error = refusal(workplace, {"x": cells, "y": Y30}, missing="error")
        assert error.problems[0].place == "data.csv:5"
        for words in ("column 'x'", "missing", "12", "19", "26"):
            assert words in error.render()


def test_missing_drop_leaves_rows_out(workplace: Any) -> None:
    prepared = workplace.prepare({"x": NUMBERS, "z": range(30), "y": Y30}, missing="drop")
    rows = sorted([*prepared.train.rows.tolist(), *prepared.validation.rows.tolist()])
    assert rows == [row for row in range(30) if NUMBERS[row] is not None]
    assert prepared.preprocessing.feature_names == ["x", "z"]
    assert any("4 rows" in notice and "left out" in notice for notice in prepared.notices)
    assert not any("imputed" in line for line in prepared.summary.lines())


def test_missing_drop_of_one_column_heeds_that_column_alone(workplace: Any) -> None:
    other = [None, *range(29)]
    columns = {"x": NUMBERS, "z": other, "y": Y30}
    prepared = workplace.prepare(columns, types={"x": {"missing": "drop"}}, validation="none")
    assert prepared.train.rows.tolist() == [row for row in range(30) if NUMBERS[row] is not None]


def test_dropping_every_row(workplace: Any) -> None:
    columns = {"x": [None, 1] * 15, "z": [1, None] * 15, "y": Y30}
    assert "missing" in refusal(workplace, columns, missing="drop").render()


def test_an_unused_column_drops_no_row(workplace: Any) -> None:
    columns = {"x": NUMBERS, "z": range(30), "g": [None, 1] * 15, "y": Y30}
    prepared = workplace.prepare(columns, missing="drop", ignore=["x", "g"], validation="none")
    assert len(prepared.train) == 30


@pytest.mark.parametrize("key", ["features", "ignore", "columns"])
def test_names_that_are_no_columns(workplace: Any, key: str) -> None:
    given: Any = {"heigth": {"scale": "none"}} if key == "columns" else ["heigth"]
    options = {"types" if key == "columns" else key: given}
    error = refusal(workplace, {"height": range(30), "y": Y30}, **options)
    assert f"data.{key}: column 'heigth' not found; did you mean 'height'?" in error.render()


def test_no_features_left(workplace: Any) -> None:
    error = refusal(workplace, {"x": range(30), "y": Y30}, ignore=["x"])
    assert error.exit_code == 3
    assert "no feature columns left" in error.render()


def test_features_keep_their_order_and_contradictions_are_refused(workplace: Any) -> None:
    columns = {"a": range(30), "b": NUMBERS, "c": CATEGORIES, "y": Y30}
    prepared = workplace.prepare(columns, features=["c", "a"])
    assert prepared.preprocessing.feature_names == ["c = blue", "c = green", "c = red", "a"]
    assert "data.target" in refusal(workplace, columns, features=["a", "y"]).render()
    assert "data.ignore" in refusal(workplace, columns, features=["a", "b"], ignore=["b"]).render()


def test_a_file_without_a_header(workplace: Any) -> None:
    (workplace.folder / "bare.csv").write_text("".join(f"{row},{row % 5},{row / 7}\n" for row in range(30)))
    prepared = prepare(DataOptions(train="bare.csv", target="c2", header=False), workplace.resolve, 0)
    assert prepared.preprocessing.feature_names == ["c0", "c1"]
    assert prepared.row_counts() == {"train": 24, "validation": 6}
    named = prepare(DataOptions(train="bare.csv", target="z", header=["x", "y", "z"]), workplace.resolve, 0)
    assert named.preprocessing.feature_names == ["x", "y"]
