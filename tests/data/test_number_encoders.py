"""Columns of numbers, truth values and dates as inputs of the network."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array
from nntrain.data.column import Column
from nntrain.data.column_types import instants, kind_of
from nntrain.data.features import encoder_from
from nntrain.data.number_encoders import BooleanEncoder, DatetimeEncoder, NumericEncoder
from nntrain.errors import DataError
from tests.data.encoding import inputs_of


def _column(workplace: Any, cells: list[Any]) -> Column:
    return workplace.table({"a": cells, "other": ["x"] * len(cells)}).columns["a"]


def _all(column: Column) -> Array:
    return np.arange(len(column))


def test_numbers_are_scaled_by_the_training_rows_alone(workplace: Any) -> None:
    column = _column(workplace, [1, 3, 1000])
    encoder = NumericEncoder("a", "standard", "auto")
    encoder.fit(column, np.array([0, 1]))
    assert inputs_of(encoder, column)[0].tolist() == [-1.0, 1.0, 998.0]


def test_missing_numbers_get_the_median_and_a_mark(workplace: Any) -> None:
    column = _column(workplace, [1, None, 3, "NA", 8])
    encoder = NumericEncoder("a", "none", "auto")
    encoder.fit(column, _all(column))
    assert [values.tolist() for values in inputs_of(encoder, column)] == [[1, 3, 3, 3, 8], [0, 1, 0, 1, 0]]
    assert encoder.outputs() == ["a", "a is missing"]
    assert [tuple(notice) for notice in encoder.notices] == [("missing cells imputed", "a", "2")]


def test_missing_error_names_the_lines(workplace: Any) -> None:
    column = _column(workplace, [1, None, 3, None])
    encoder = NumericEncoder("a", "none", "error")
    encoder.fit(column, np.array([0, 2]))
    with pytest.raises(DataError) as caught:
        inputs_of(encoder, column)
    assert str(caught.value).startswith("error: other.csv:3: column 'a': a cell is missing")
    assert "1 more like this on line 5" in str(caught.value)


@pytest.mark.parametrize("words", [("yes", "no"), ("TRUE", "False"), ("t", "f"), ("Y", "n")])
def test_truth_values(workplace: Any, words: tuple[str, str]) -> None:
    column = _column(workplace, [words[0], words[1], "", words[0], "NA"])
    assert kind_of(column, None) == ("boolean", [])
    encoder = BooleanEncoder("a", "none", "auto")
    encoder.fit(column, _all(column))
    assert [values.tolist() for values in inputs_of(encoder, column)] == [[1, 0, 1, 1, 1], [0, 0, 1, 0, 1]]


def test_zero_and_one_stay_numbers_unless_declared(workplace: Any) -> None:
    column = _column(workplace, [0, 1, 1])
    assert kind_of(column, None)[0] == "numeric"
    encoder = BooleanEncoder("a", "none", "auto")
    encoder.fit(column, _all(column))
    assert inputs_of(encoder, column)[0].tolist() == [0, 1, 1]


def test_what_is_no_truth_value_is_named(workplace: Any) -> None:
    column = _column(workplace, ["yes", "no", "maybe"])
    with pytest.raises(DataError, match=r"other\.csv:4: column 'a': expected true or false, got 'maybe'"):
        BooleanEncoder("a", "none", "auto").fit(column, _all(column))


def test_a_declared_missing_value_is_missing_in_truths_and_dates(workplace: Any) -> None:
    from nntrain.data.table import ReadOptions, read_table

    workplace.write({"b": ["yes", "?", "no"], "d": ["2024-01-05", "?", "2024-03-09"]}, "marks.csv")
    table = read_table([str(workplace.folder / "marks.csv")], ReadOptions(missing_values=("?",)))
    assert kind_of(table.columns["b"], None)[0] == "boolean"
    assert kind_of(table.columns["d"], None)[0] == "datetime"
    assert np.isnan(instants(table.columns["d"])).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01", 0.0),
        ("1970/1/2", 86400.0),
        ("1970-01-01T01:00", 3600.0),
        ("1970-01-01 9:00:05", 32405.0),
        ("1970-01-01 00:00:00.25", 0.25),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1969-12-31T23:00:00-0130", 1800.0),
        ("1970-01-01T00:00:10Z", 10.0),
    ],
)
def test_dates_in_their_forms(workplace: Any, text: str, seconds: float) -> None:
    assert instants(_column(workplace, [text])).tolist() == [seconds]


def test_a_day_that_no_calendar_has_is_named(workplace: Any) -> None:
    with pytest.raises(DataError, match=r"other\.csv:3: column 'a': expected a date such as .*, got '2023-02-30'"):
        instants(_column(workplace, ["2023-02-01", "2023-02-30"]))


def test_dates_become_time_and_places_in_cycles(workplace: Any) -> None:
    column = _column(workplace, ["2024-01-01", "2024-01-08", "2024-07-01"])  # three Mondays
    encoder = DatetimeEncoder("a", "none", "auto")
    encoder.fit(column, _all(column))
    assert encoder.outputs() == ["a", "a sin of year", "a cos of year", "a sin of week", "a cos of week"]
    days, year_sin, year_cos, week_sin, week_cos = inputs_of(encoder, column)
    assert np.diff(days).tolist() == [7.0, 175.0]
    np.testing.assert_allclose([year_sin**2 + year_cos**2, week_sin**2 + week_cos**2], np.ones((2, 3)))
    np.testing.assert_allclose([week_sin, week_cos], [[0, 0, 0], [1, 1, 1]], atol=1e-9)
    assert year_cos[0] > 0.99 and year_cos[2] < -0.98


def test_months_have_no_weekday_and_times_have_a_place_in_the_day(workplace: Any) -> None:
    for cells, cycles in ((["2024-01", "2024-02"], ["year"]), (["2024-01-01T06:00"], ["year", "week", "day"])):
        encoder = DatetimeEncoder("a", "none", "auto")
        encoder.fit(column := _column(workplace, cells), _all(column))
        assert encoder.cycles == cycles
    assert [round(float(wave[0]), 9) for wave in inputs_of(encoder, column)[-2:]] == [1.0, 0.0]


@pytest.mark.parametrize("encoder_type", [NumericEncoder, BooleanEncoder, DatetimeEncoder])
@pytest.mark.parametrize("scale", ["standard", "none", "quantile"])
def test_state_makes_an_equal_encoder(workplace: Any, encoder_type: type[NumericEncoder], scale: str) -> None:
    cells = {"numeric": [1, 2, None, 5.5], "boolean": ["yes", "no", None, "no"]}
    column = _column(workplace, cells.get(encoder_type.kind, ["2024-01-05", "2023-05-06T12:30", None, "1999-12"]))
    encoder = encoder_type("a", scale, "auto")
    encoder.fit(column, _all(column))
    state = encoder.state()
    scaler = {k: v if isinstance(v, np.ndarray) else json.loads(json.dumps(v)) for k, v in state["scaler"].items()}
    plain = json.loads(json.dumps({k: v for k, v in state.items() if k != "scaler"}))
    twin = encoder_from("a", {**plain, "scaler": scaler})
    assert twin.outputs() == encoder.outputs()
    for values, again in zip(inputs_of(encoder, column), inputs_of(twin, column), strict=True):
        assert values.tobytes() == again.tobytes()
