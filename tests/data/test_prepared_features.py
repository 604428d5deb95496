"""Features as the network gets them, against scikit-learn and plain arithmetic; kinds of columns; what is refused."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from nntrain.errors import DataError, NntrainError

Y30 = [row / 7 for row in range(30)]
NUMBERS = [None if row % 7 == 3 else (row * 37 % 11) / 2 for row in range(30)]
few = settings(max_examples=30, deadline=None)


def refusal(workplace: Any, columns: dict[str, Any], **options: Any) -> NntrainError:
    with pytest.raises(NntrainError) as caught:
        workplace.prepare(columns, **options)
    return caught.value


def whole(prepared: Any) -> np.ndarray:
    """Return the features of training and validation rows, in the order of the file."""
    rows = np.concatenate([prepared.train.rows, prepared.validation.rows])
    return np.concatenate([prepared.train.x, prepared.validation.x])[np.argsort(rows)]


@pytest.mark.parametrize(
    ("missing", "oracle"),
    [
        ("mean", SimpleImputer(strategy="mean")),
        ("median", SimpleImputer(strategy="median")),
        ("most_frequent", SimpleImputer(strategy="most_frequent")),
        ("constant", SimpleImputer(strategy="constant", fill_value=2.5)),
    ],
)
def test_imputing_agrees_with_scikit_learn(workplace: Any, missing: str, oracle: SimpleImputer) -> None:
    prepared = workplace.prepare({"x": NUMBERS, "y": Y30}, missing=missing, fill=2.5, scale="none")
    values = np.array(NUMBERS, float)[:, None]
    oracle.fit(values[prepared.train.rows])
    np.testing.assert_allclose(whole(prepared), oracle.transform(values), rtol=1e-6)


def test_auto_is_the_median_and_an_indicator(workplace: Any) -> None:
    prepared = workplace.prepare({"x": NUMBERS, "full": range(30), "y": Y30}, scale="none")
    assert prepared.preprocessing.feature_names == ["x", "x is missing", "full"]
    values = np.stack([np.array(NUMBERS, float), np.arange(30.0)], axis=1)
    train = prepared.train.rows
    imputed = SimpleImputer(strategy="median").fit(values[train]).transform(values)
    marks = MissingIndicator().fit(values[train]).transform(values)
    np.testing.assert_allclose(
        whole(prepared), np.stack([imputed[:, 0], marks[:, 0], imputed[:, 1]], axis=1), rtol=1e-6
    )
    assert any(line == "missing: x 4 (imputed)" for line in prepared.summary.lines())


@few
@given(
    cells=st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=30, max_size=30),
    scale=st.sampled_from(["standard", "minmax"]),
    seed=st.integers(0, 3),
)
def test_scaling_is_fitted_to_the_training_rows(workplace: Any, cells: list[Any], scale: str, seed: int) -> None:
    prepared = workplace.prepare({"x": [1, 2, *cells[2:]], "y": Y30}, scale=scale, seed=seed, missing="constant")
    values = np.array([1, 2, *cells[2:]], float)[:, None]
    known = values[prepared.train.rows]
    known = known[~np.isnan(known[:, 0])]
    if len(known) == 0 or known.min() == known.max():
        return
    scaler = (StandardScaler() if scale == "standard" else MinMaxScaler()).fit(known)
    expected = scaler.transform(np.nan_to_num(values))
    np.testing.assert_allclose(whole(prepared), expected, rtol=1e-5, atol=1e-6)


CATEGORIES = [["red", "green", "blue", "red"][row % 4] for row in range(30)]


@few
@given(cells=st.lists(st.sampled_from(["red", "green", "blue", "x y"]), min_size=30, max_size=30))
def test_onehot_and_ordinal_agree_with_scikit_learn(workplace: Any, cells: list[str]) -> None:
    columns, table = {"c": cells, "y": Y30}, np.array(cells, object)[:, None]
    prepared = workplace.prepare(columns)
    train = table[prepared.train.rows]
    onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train)
    assert whole(prepared).tolist() == onehot.transform(table).tolist()
    assert prepared.preprocessing.feature_names == [f"c = {name}" for name in onehot.categories_[0]]
    for form in ("ordinal", "embedding"):
        coded = workplace.prepare(columns, categorical=form, scale="none")
        ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(train)
        assert whole(coded).tolist() == (ordinal.transform(table) + 1).tolist()
    assert coded.preprocessing.embedded == {0: len(onehot.categories_[0]) + 1}


def test_missing_categories_are_a_category_of_their_own(workplace: Any) -> None:
    cells = [None if row % 5 == 0 else name for row, name in enumerate(CATEGORIES)]
    prepared = workplace.prepare({"c": cells, "y": Y30}, validation="none")
    names = prepared.preprocessing.feature_names
    assert set(names) == {"c is missing", "c = red", "c = green", "c = blue"}
    assert prepared.train.x[:, names.index("c is missing")].tolist() == [float(cell is None) for cell in cells]
    assert prepared.train.x.sum(axis=1).tolist() == [1.0] * 30
    assert prepared.summary.missing == {"c": 6}


def test_na_is_a_category_not_a_missing_one(workplace: Any) -> None:
    prepared = workplace.prepare({"c": ["NA", "EU"] * 15, "y": Y30})
    assert prepared.preprocessing.feature_names == ["c = EU", "c = NA"]
    assert prepared.summary.missing == {}


@pytest.mark.parametrize("form", ["onehot", "embedding", "ordinal"])
def test_unseen_categories_share_a_bucket_and_are_counted(workplace: Any, form: str) -> None:
    prepared = workplace.prepare({"c": CATEGORIES, "y": Y30}, categorical=form, scale="none")
    x, notices = prepared.preprocessing.features(workplace.table({"c": ["red", "mauve", "pink", "mauve"]}))
    assert np.isfinite(x).all()
    assert x[1].tolist() == x[2].tolist() == x[3].tolist() != x[0].tolist()
    assert set(x[1].tolist()) == {0.0}
    told = [notice for notice in notices if "'c'" in notice]
    assert len(told) == 1
    assert "3 rows" in told[0] and "'mauve'" in told[0]


def test_categories_that_are_numbers_are_one_however_written(workplace: Any) -> None:
    own = {"c": {"type": "categorical"}}
    prepared = workplace.prepare(
        {"c": ["10", "9", None] * 10, "y": Y30}, types=own, categorical="ordinal", scale="none"
    )
    x, notices = prepared.preprocessing.features(workplace.table({"c": ["9.0", "010", ""]}))
    seen = {row % 3: value for row, value in zip(prepared.train.rows, prepared.train.x[:, 0], strict=True)}
    assert x[:, 0].tolist() == [seen[1], seen[0], seen[2]]
    assert seen[1] < seen[0]
    assert not any("no training row" in notice for notice in notices)


@pytest.mark.parametrize("words", [("true", "false"), ("Yes", "No"), ("T", "F")])
def test_truth_values_are_0_and_1(workplace: Any, words: tuple[str, str]) -> None:
    cells = [words[row % 3 == 0] for row in range(30)]
    prepared = workplace.prepare({"b": cells, "y": Y30}, scale="none")
    assert prepared.summary.columns == {"boolean": ["b"]}
    assert whole(prepared)[:, 0].tolist() == [float(row % 3 != 0) for row in range(30)]


def test_a_truth_value_that_is_none_is_named(workplace: Any) -> None:
    columns = {"b": ["true", "false", "maybe"] * 10, "y": Y30}
    error = refusal(workplace, columns, types={"b": {"type": "boolean"}})
    assert error.problems[0].place == "data.csv:4"
    assert "column 'b': expected true or false, got 'maybe'" in error.render()


def test_data_missing_values_are_missing_in_every_kind(workplace: Any) -> None:
    days = [f"2024-03-{row + 1:02d}" for row in range(30)]
    columns = {
        "n": ["?", *range(29)],
        "b": ["?", *(["true", "false"] * 15)[1:]],
        "d": ["?", *days[1:]],
        "c": ["?", *CATEGORIES[1:]],
        "y": Y30,
    }
    prepared = workplace.prepare(columns, missing_values=["?"])
    assert prepared.summary.columns == {"numeric": ["n"], "boolean": ["b"], "datetime": ["d"], "categorical": ["c"]}
    assert prepared.summary.missing == {"n": 1, "b": 1, "d": 1, "c": 1}
    assert np.isfinite(prepared.train.x).all()


def test_dates_are_days_elapsed_and_places_in_cycles(workplace: Any) -> None:
    start = datetime(2023, 11, 28, 6, 30)
    moments = [start + timedelta(days=13 * row, hours=5 * row) for row in range(30)]
    prepared = workplace.prepare({"d": [f"{m:%Y-%m-%d %H:%M}" for m in moments], "y": Y30}, scale="none")
    names = prepared.preprocessing.feature_names
    x = whole(prepared)
    for row, moment in enumerate(moments):
        elapsed = (moment - datetime(1970, 1, 1)).total_seconds() / 86400
        assert x[row, names.index("d")] == pytest.approx(elapsed, rel=1e-6)
        hour = 2 * math.pi * (moment.hour * 60 + moment.minute) / 1440
        assert x[row, names.index("d sin of day")] == pytest.approx(math.sin(hour), abs=1e-5)
        assert x[row, names.index("d cos of day")] == pytest.approx(math.cos(hour), abs=1e-5)
        week = 2 * math.pi * (moment.weekday() + (moment.hour * 60 + moment.minute) / 1440) / 7
        assert x[row, names.index("d sin of week")] == pytest.approx(math.sin(week), abs=1e-5)
        assert x[row, names.index("d cos of week")] == pytest.approx(math.cos(week), abs=1e-5)


@pytest.mark.parametrize(("written", "seconds"), [
    ("2024-05-31", 1717113600.0), ("2024/5/31", 1717113600.0), ("2024-05-31 12:30", 1717158600.0),
    ("2024-05-31T12:30:15Z", 1717158615.0), ("2024-05-31T12:30:15+02:00", 1717151415.0), ("2024-05", 1714521600.0),
    ("2024-05-31 9:30:15.5", 1717147815.5), ("1960-01-01", -315619200.0),
])  # fmt: skip
def test_ways_to_write_a_date(workplace: Any, written: str, seconds: float) -> None:
    days = [written, *(f"2001-03-{row + 1:02d}" for row in range(29))]
    prepared = workplace.prepare({"d": days, "y": Y30}, scale="none", validation="none")
    assert prepared.summary.columns == {"datetime": ["d"]}
    assert prepared.train.x[0, 0] == np.float32(seconds / 86400)


def test_a_day_that_does_not_exist_is_named(workplace: Any) -> None:
    days = [f"2024-02-{row + 1:02d}" for row in range(30)]
    error = refusal(workplace, {"d": days, "y": Y30})
    assert error.problems[0].place == "data.csv:31"
    assert "column 'd'" in error.render()
    assert "'2024-02-30'" in error.render()


def test_missing_dates_are_imputed_and_told(workplace: Any) -> None:
    days = [None if row == 4 else f"2024-03-{row + 1:02d}" for row in range(30)]
    prepared = workplace.prepare({"d": days, "y": Y30})
    assert prepared.summary.missing == {"d": 1}
    assert any("missing: d 1" in line for line in prepared.summary.lines())
    assert np.isfinite(whole(prepared)).all()


@pytest.mark.parametrize(
    ("cells", "line", "words"),
    [
        ([*range(29), "five"], 31, ["'five'", "data.missing_values"]),
        ([*range(28), "?", "-"], 30, ["'?'", "data.missing_values", "line 31"]),
        ([f"{row},5" for row in range(30)], 2, ["'0,5'", "data.decimal"]),
        ([f"{row}%" for row in range(30)], 2, ["'0%'"]),
        ([f"{row} cm" for row in range(30)], 2, ["'0 cm'"]),
        ([f"1,{row:03d}" for row in range(30)], 2, ["'1,000'"]),
        ([*range(29), "inf"], 31, ["'inf'"]),
        ([*range(29), "0x1A"], 31, ["'0x1A'"]),
        ([*range(29), "05-Jan"], 31, ["'05-Jan'"]),
        ([*range(29), "1e400"], 31, ["'1e400'"]),
    ],
)
def test_cells_that_are_no_numbers(workplace: Any, cells: list[Any], line: int, words: list[str]) -> None:
    error = refusal(workplace, {"x": cells, "y": Y30})
    assert error.problems[0].place == f"data.csv:{line}"
    assert "column 'x': expected a " in error.render()
    assert error.exit_code == 3
    for word in words:
        assert word in error.render()


def test_texts_that_nearly_all_differ(workplace: Any) -> None:
    said = refusal(workplace, {"name": [f"Person {row}" for row in range(30)], "y": Y30}).render()
    for words in ("column 'name'", "30", "data.ignore", "type"):
        assert words in said
    own = {"name": {"type": "categorical"}}
    prepared = workplace.prepare({"name": [f"Person {row}" for row in range(30)], "y": Y30}, types=own)
    assert prepared.summary.columns == {"categorical": ["name"]}


def test_numbers_mixed_with_text_are_categories_with_a_notice(workplace: Any) -> None:
    prepared = workplace.prepare({"c": ["1", "2", "other"] * 10, "y": Y30})
    assert prepared.summary.columns == {"categorical": ["c"]}
    assert any("'c'" in notice and "numbers" in notice and "text" in notice for notice in prepared.notices)


def test_nine_tenths_of_numbers_make_a_column_of_numbers(workplace: Any) -> None:
    assert refusal(workplace, {"x": [*range(27), "a", "b", "c"], "y": Y30}).problems[0].line == 29
    prepared = workplace.prepare({"x": [*[row % 5 for row in range(26)], "a", "b", "c", "d"], "y": Y30})
    assert prepared.summary.columns == {"categorical": ["x"]}


@pytest.mark.parametrize(
    "cells", [[5] * 30, [1e-310, 2e-310, 3e-310] * 10, [None] * 30], ids=["5", "denormal", "empty"]
)
@pytest.mark.parametrize("scale", ["standard", "minmax", "robust"])
def test_columns_without_spread_are_warned_of_and_finite(workplace: Any, cells: list[Any], scale: str) -> None:
    prepared = workplace.prepare({"x": cells, "z": range(30), "y": Y30}, scale=scale)
    assert np.isfinite(whole(prepared)).all()
    assert any(notice.startswith("warning") and "'x'" in notice for notice in prepared.notices)


def test_the_whole_agrees_with_a_column_transformer(workplace: Any) -> None:
    rows = 60
    random = np.random.default_rng(3)
    number = random.normal(50, 9, rows).round(3)
    number[::9] = np.nan
    category = random.choice(["u", "v", "w"], rows)
    columns = {
        "n": [None if np.isnan(v) else v for v in number],
        "c": category.tolist(),
        "y": [r / 7 for r in range(rows)],
    }
    prepared = workplace.prepare(columns, missing="median")
    table = np.empty((rows, 2), object)
    table[:, 0], table[:, 1] = number, category
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    oracle = ColumnTransformer([("n", numeric, [0]), ("c", OneHotEncoder(sparse_output=False), [1])])
    oracle.fit(table[prepared.train.rows])
    expected = oracle.transform(table)
    # Here the scale is that of the known values, there of the imputed ones.
    known = number[prepared.train.rows]
    known = known[~np.isnan(known)]
    expected[:, 0] = (np.where(np.isnan(number), np.median(known), number) - known.mean()) / known.std()
    np.testing.assert_allclose(whole(prepared), expected.astype(float), rtol=1e-5, atol=1e-6)


def test_a_value_that_does_not_fit_into_float32_is_named(workplace: Any) -> None:
    cells = [1.0, 1.0 + 1e-9] * 14 + [1e38, 1.0]
    with pytest.raises(DataError) as caught:
        workplace.prepare({"x": cells, "y": Y30}, split="tail", validation=0.1)
    assert caught.value.problems[0].place == "data.csv:30"
    assert "column 'x'" in caught.value.render()
