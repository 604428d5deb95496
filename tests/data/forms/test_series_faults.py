"""What forecasting refuses: the place, the reason and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nntrain.data.options import SeriesOptions
from nntrain.data.preparation import Prepared
from nntrain.errors import ConfigError, DataError, NntrainError
from tests.data.conftest import Columns, Workplace

COLUMNS: dict[str, list[Any]] = {
    "t": list(range(30)),
    "a": [i * 7 % 11 for i in range(30)],
    "y": [10 + (i * 5 % 13) + i / 10 for i in range(30)],
}


def prepared(workplace: Workplace, columns: Columns = COLUMNS, **options: Any) -> Prepared:
    own = ("window", "horizon", "step", "include_target", "log", "difference")
    form = {"window": 3, **{key: options.pop(key) for key in own if key in options}}
    return workplace.prepare(columns, **{"series": SeriesOptions(**form), "order": "t", **options})


def problem(of: Callable[[], Any], kind: type[NntrainError]) -> tuple[str, str]:
    """Return the first printed line of an error, and its remedy."""
    with pytest.raises(kind) as caught:
        of()
    found = caught.value.problems[0]
    return found.render().splitlines()[0].removeprefix("error: "), found.help or ""


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        ({"split": "random", "order": None}, "data.split: 'random' would train on rows that come after", "leave it"),
        ({"split": "stratified", "order": None}, "data.split: 'stratified' would train on rows", "last rows"),
        ({"split": "rows.npz", "order": None}, "data.split: 'rows.npz' would train on rows that", "file of its own"),
        ({"folds": 3, "validation": "none"}, "data.folds: a fold would be predicted by a network", "data.validation"),
        ({"missing": "drop"}, "data.missing: 'drop' would leave gaps in the series", "use auto"),
        ({"types": {"a": {"missing": "drop"}}}, "data.columns.a.missing: 'drop' would leave gaps", "use auto"),
        ({"difference": 3}, "data.series.window: expected more than 3 rows, which only serve", "6 gives it 3"),
        ({"difference": [1, 2]}, "data.series.window: expected more than 3 rows, which only serve", "6 gives it 3"),
        (
            {"window": 4, "difference": [1, 2], "horizon": 3},
            "data.series.window: expected at least 5 rows, which the differences of lag 1 and 2 of 3 rows ahead",
            "set it to 5",
        ),
    ],
)
def test_options_that_contradict_a_series(
    workplace: Workplace, options: dict[str, Any], message: str, remedy: str
) -> None:
    found, help = problem(lambda: prepared(workplace, **options), ConfigError)
    assert found.startswith(message)
    assert remedy in help


def test_a_lag_of_two_operators_needs_what_its_bases_read(workplace: Workplace) -> None:
    """Three rows ahead the bases of lags 1 and 2 are 3, 4 and 7 rows before the row: 5 from the end of the window."""
    data = prepared(workplace, window=5, difference=[1, 2], horizon=3)
    assert data.train.x.shape[1:] == (2, 2)


def with_classes() -> dict[str, list[Any]]:
    return {**COLUMNS, "y": ["up" if i * 5 % 3 else "down" for i in range(30)]}


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "include_target"),
        ({"include_target": False, "horizon": 2}, "horizon"),
        ({"include_target": False, "log": True}, "log"),
        ({"include_target": False, "difference": 1}, "difference"),
    ],
)
@pytest.mark.parametrize("numbers", [False, True])
def test_classes_are_not_numbers(workplace: Workplace, options: dict[str, Any], key: str, numbers: bool) -> None:
    columns = with_classes()
    if numbers:
        columns["y"] = [int(label == "up") for label in columns["y"]]
        assert prepared(workplace, columns, include_target=True).task.kind == "regression"  # a series of counts
        options = {**options, "task": "classification"}
    found, help = problem(lambda: prepared(workplace, columns, **options), ConfigError)
    assert found == f"data.series.{key}: the task is classification ('y'), and this is for numbers only"
    assert help.startswith("set data.task: regression to forecast numbers; for classes set data.series.")


def changed(name: str, row: int, cell: Any) -> dict[str, list[Any]]:
    return {**COLUMNS, name: [cell if i == row else value for i, value in enumerate(COLUMNS[name])]}


def test_values_without_a_logarithm(workplace: Workplace) -> None:
    columns = changed("y", 7, -3)
    found, help = problem(lambda: prepared(workplace, columns, log=True), DataError)
    assert found == "data.csv:9: column 'y': expected a number above 0 for its logarithm, got '-3'"
    assert "data.series.log" in help
    with pytest.raises(DataError) as caught:
        prepared(workplace, {**columns, "y": [0.0 if i in (7, 9) else v for i, v in enumerate(columns["y"])]}, log=True)
    assert caught.value.problems[0].notes == ("1 more like this on line 11",)


def test_a_time_that_repeats(workplace: Workplace) -> None:
    found, help = problem(lambda: prepared(workplace, changed("t", 12, 4)), DataError)
    assert found == "data.csv:14: column 't': expected a time of its own, got '4' as on line 6"
    assert "data.group names the column that tells several series apart" in help
    two = {**changed("t", 12, 4), "s": ["a" if i == 4 else "b" for i in range(30)]}
    prepared(workplace, two, group="s")


def test_missing_cells(workplace: Workplace) -> None:
    found, _ = problem(lambda: prepared(workplace, changed("t", 5, None)), DataError)
    assert found == "data.csv:7: column 't': the cell that orders the row is missing"
    grouped = {**COLUMNS, "s": [None if i == 3 else "b" for i in range(30)]}
    found, _ = problem(lambda: prepared(workplace, grouped, group="s"), DataError)
    assert found == "data.csv:5: column 's': the cell that names the row's series is missing"
    found, _ = problem(lambda: prepared(workplace, changed("y", 2, None)), DataError)
    assert found == "data.csv:4: column 'y': the target is missing"
    data = prepared(workplace)
    hole = workplace.table(changed("y", 20, None), "hole.csv")
    for judge in (data.preprocessing.apply, data.preprocessing.labelled):
        found, help = problem(lambda judge=judge: judge(hole), DataError)  # type: ignore[misc]
        assert found == "hole.csv:22: column 'y': the target is missing, and windows need it in each row"
        assert help.startswith("fill the cell")


def first(rows: int, columns: Columns = COLUMNS) -> dict[str, list[Any]]:
    return {name: list(cells)[:rows] for name, cells in columns.items()}


def test_too_few_rows_for_a_window(workplace: Workplace) -> None:
    found, help = problem(lambda: prepared(workplace, window=20, horizon=9), DataError)
    assert found == "data.csv: 24 rows for training do not hold a window of 20 rows and the 9 rows it predicts"
    assert help == "use a smaller data.series.window, or hold out fewer rows"
    found, help = problem(lambda: prepared(workplace, horizon=8), DataError)
    assert found == "data.csv: 6 rows for the validation part do not hold a window of 3 rows and the 8 rows it predicts"
    assert help == "hold out at least 8 rows with data.validation, or use a smaller horizon or window"
    workplace.write(first(3), "short.csv")
    found, help = problem(lambda: prepared(workplace, test="short.csv"), DataError)
    assert found == "short.csv: 3 rows for the test part do not hold a window of 3 rows and the 1 row it predicts"
    assert help.startswith("give the file at least 4 rows of a series, the first 3 of which are history")
    data = prepared(workplace)
    table = workplace.table(first(2), "two.csv")
    found, _ = problem(lambda: data.preprocessing.labelled(table), DataError)
    assert found == "two.csv: 2 rows do not hold a window of 3 rows and the 1 row it predicts"
    found, help = problem(lambda: data.preprocessing.apply(table), DataError)
    assert found == "two.csv: 2 rows do not hold a window of 3 rows"
    assert help.startswith("give the file at least 3 rows")
    assert len(data.preprocessing.apply(workplace.table(first(3)))[0]) == 1


def test_columns_that_a_file_lacks(workplace: Workplace) -> None:
    data = prepared(workplace)
    for name in ("t", "a", "y"):
        table = workplace.table({key: cells for key, cells in COLUMNS.items() if key != name})
        found, _ = problem(lambda table=table: data.preprocessing.apply(table), DataError)  # type: ignore[misc]
        assert found == f"other.csv: column '{name}' is missing"
    alone = {"t": COLUMNS["t"], "y": COLUMNS["y"]}
    found, help = problem(lambda: prepared(workplace, alone, include_target=False), DataError)
    assert found == "data.csv: no feature columns left; the file has t, y"
    assert "include_target: true" in help


def test_under_twenty_rows_none_are_held_out(workplace: Workplace) -> None:
    data = prepared(workplace, first(19))
    assert data.validation is None
    assert len(data.train) == 16
