"""Forecasting windows against loops over the columns, and what must hold of them."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.data.forms import form_from
from nntrain.data.forms.changes import Changes
from nntrain.data.options import SeriesOptions
from nntrain.data.pipeline import Preprocessing
from nntrain.data.preparation import Prepared
from tests.data.conftest import Columns, Workplace
from tests.data.forms.series_columns import ROWS, SHARE, columns_of, panel, prepared, series


def model_of(y: list[float], given: SeriesOptions, at: int, ahead: int) -> tuple[float, float]:
    """Return the change of a row and what it is relative to, ``ahead`` rows behind the last known one, by loops."""
    u = [math.log(value) if given.log else value for value in y]
    base = 0.0
    for size in range(1, len(given.lags) + 1):
        for chosen in itertools.combinations(given.lags, size):
            back = sum(lag * math.ceil(ahead / lag) for lag in chosen)
            base += (-1) ** (size + 1) * u[at - back]
    return u[at] - base, base


def expected(columns: Columns, given: SeriesOptions, first: int, last: int, train: int) -> list[dict[str, Any]]:
    """Return the examples whose targets lie in rows ``first`` to ``last``, in units as modelled, but for scaling."""
    y, a = columns["y"], columns["a"]
    lost, found = sum(given.lags), []
    start = max(first - given.window, 0)
    while start + given.window + given.horizon <= last:
        begin = start + given.window
        steps = range(start + lost, begin)
        ahead = range(1, given.horizon + 1)
        found.append(
            {
                "row": begin,
                "a": [a[t] for t in steps],
                "past": [model_of(y, given, t, 1)[0] for t in steps],
                "target": [model_of(y, given, begin + j - 1, j)[0] for j in ahead],
                "base": [model_of(y, given, begin + j - 1, j)[1] for j in ahead],
                "truth": [y[begin + j - 1] for j in ahead],
            }
        )
        start += given.step
    return found


LAGS = st.sampled_from([None, 1, 2, 3, [1, 2], [2, 3]])


@settings(max_examples=60, deadline=None)
@given(
    extra=st.integers(1, 5),
    horizon=st.integers(1, 5),
    step=st.integers(1, 4),
    log=st.booleans(),
    difference=LAGS,
    include_target=st.booleans(),
    seed=st.integers(0, 3),
)
def test_windows_are_those_of_a_loop(
    workplace: Workplace, extra: int, horizon: int, step: int, log: bool, difference: Any, include_target: bool,
    seed: int,
) -> None:  # fmt: skip
    columns = columns_of(seed=seed)
    reach = Changes(log, SeriesOptions(window=1, difference=difference).lags)
    window = max(reach.lost, reach.reach(horizon) - 1) + extra
    given = series(window, horizon=horizon, step=step, log=log, difference=difference, include_target=include_target)
    data = workplace.prepare(columns, series=given, order="year", validation=SHARE)
    cut = ROWS - round(ROWS * SHARE)
    lost = sum(given.lags)
    changes = np.array([model_of(columns["y"], given, t, 1)[0] for t in range(lost, cut)])
    shown = np.array(columns["a"][:cut])
    assert data.validation is not None
    for part, (first, last) in ((data.train, (0, cut)), (data.validation, (cut, ROWS))):
        examples = expected(columns, given, first, last, cut)
        assert part.rows.tolist() == [example["row"] for example in examples]
        target = np.array([example["target"] for example in examples])
        np.testing.assert_allclose(part.target, (target - changes.mean()) / changes.std(), rtol=2e-5, atol=2e-5)
        a = np.array([example["a"] for example in examples])
        np.testing.assert_allclose(part.x[:, :, 0], (a - shown.mean()) / shown.std(), rtol=1e-5, atol=1e-6)
        if include_target:
            past = np.array([example["past"] for example in examples])
            np.testing.assert_allclose(part.x[:, :, 1], (past - changes.mean()) / changes.std(), rtol=2e-5, atol=2e-5)
        assert part.x.shape[1:] == (window - lost, 1 + include_target) == data.preprocessing.shape
        assert (part.base is not None) == bool(given.lags)
        truth = np.array([example["truth"] for example in examples])
        restored = data.preprocessing.decode(part.target, part.base)
        np.testing.assert_allclose(restored, truth, rtol=1e-6, atol=1e-6 * truth.max())
    names = ("y",) if horizon == 1 else tuple(f"y_{j}" for j in range(1, horizon + 1))
    assert data.task.targets == names


def test_steps_come_before_targets_where_there_are_several(workplace: Workplace) -> None:
    columns = {**columns_of(), "z": columns_of(seed=5)["y"]}
    data = prepared(workplace, columns, 4, horizon=2, target=["y", "z"], difference=1, log=True)
    assert data.task.targets == ("y_1", "z_1", "y_2", "z_2")
    restored = data.preprocessing.decode(data.train.target, data.train.base)
    first = [columns["y"][4], columns["z"][4], columns["y"][5], columns["z"][5]]
    np.testing.assert_allclose(restored[0], first, rtol=1e-6)
    assert data.preprocessing.feature_names == ["a", "y", "z"]
    truth = data.preprocessing.form.truth(data.train.table, data.preprocessing.target, data.train.labels())
    assert [truth[name][0] for name in data.task.targets] == [str(value) for value in first]


def test_two_lags_are_the_product_of_the_operators() -> None:
    u = np.random.default_rng(0).normal(size=(60, 2)).cumsum(axis=0)
    changes = Changes(log=False, lags=[1, 12])
    seasonal = u[12:] - u[:-12]
    np.testing.assert_allclose(changes.past(u)[13:], seasonal[1:] - seasonal[:-1], atol=1e-12)
    assert (changes.lost, changes.reach(1), Changes(False, [12]).reach(30), Changes(True, []).reach(9)) == (
        13,
        13,
        12,
        0,
    )


@settings(max_examples=40, deadline=None)
@given(lags=st.lists(st.integers(1, 4), max_size=3), horizon=st.integers(1, 6), log=st.booleans())
def test_a_base_reads_known_rows_only_and_gives_the_value_back(lags: list[int], horizon: int, log: bool) -> None:
    changes = Changes(log, lags)
    y = np.exp(np.random.default_rng(1).normal(size=(40, 1)))
    u = changes.forward(y)
    place = max(changes.reach(horizon), 1)
    known = np.where(np.arange(40)[:, None] < place, u, np.nan)
    base = changes.base(known, np.array([place]), horizon)
    assert np.isfinite(base).all()
    rows = u[place : place + horizon]
    np.testing.assert_allclose(changes.inverse((rows - base[0]) + base[0]), y[place : place + horizon], rtol=1e-12)


def bytes_of(data: Prepared) -> tuple[Any, ...]:
    plain, arrays = data.preprocessing.state()
    train = data.train
    base = None if train.base is None else train.base.tobytes()
    return str(plain), str(arrays), train.x.tobytes(), train.target.tobytes(), base


@settings(max_examples=25, deadline=None)
@given(horizon=st.integers(1, 3), difference=st.sampled_from([None, 1, 4]), seed=st.integers(0, 9), by=st.booleans())
def test_what_comes_after_the_split_changes_no_byte_of_training(
    workplace: Workplace, horizon: int, difference: Any, seed: int, by: bool
) -> None:
    columns = columns_of()
    options = {"horizon": horizon, "difference": difference, "order": "year" if by else None, "test": 0.1}
    cut = ROWS - round(ROWS * SHARE) - round(ROWS * 0.1)
    if not by:
        columns.pop("year")
    before = bytes_of(prepared(workplace, columns, 5, **options))
    noise = random.Random(seed)
    changed = {
        name: [*cells[:cut], *([noise.uniform(1, 1e6) for _ in cells[cut:]] if name != "year" else cells[cut:])]
        for name, cells in columns.items()
    }
    assert bytes_of(prepared(workplace, changed, 5, **options)) == before


def test_validation_windows_reach_back_but_their_targets_do_not(workplace: Workplace) -> None:
    data = prepared(workplace, columns_of(), 6, horizon=3, test=0.2)
    assert data.validation is not None and data.test is not None
    assert data.train.rows.tolist() == list(range(6, 20))  # 22 training rows
    assert data.validation.rows.tolist() == list(range(22, 30))
    assert data.test.rows.tolist() == list(range(32, 38))


@pytest.mark.parametrize("difference", [None, 2])
def test_the_order_of_the_rows_in_the_file_changes_no_byte(workplace: Workplace, difference: Any) -> None:
    columns = {**columns_of(), "s": ["b" if i % 3 else "a" for i in range(ROWS)]}
    options = {"group": "s", "difference": difference}
    first = prepared(workplace, columns, 5, **options)
    order = random.Random(3).sample(range(ROWS), ROWS)
    shuffled = {name: [cells[i] for i in order] for name, cells in columns.items()}
    second = prepared(workplace, shuffled, 5, **options)
    assert bytes_of(first) == bytes_of(second)
    assert [order[row] for row in second.train.rows] == first.train.rows.tolist()


def test_dates_order_rows_and_equal_files_give_equal_bytes(workplace: Workplace) -> None:
    columns = columns_of()
    dates = {**columns, "year": [f"{1950 + i // 12}-{i % 12 + 1:02}" for i in range(ROWS)]}
    assert prepared(workplace, columns, 5).train.x.tobytes() == prepared(workplace, dates, 5).train.x.tobytes()


def test_no_window_straddles_two_series(workplace: Workplace) -> None:
    columns = panel()
    data = prepared(workplace, columns, 5, group="s", target="y", scale="none", target_scale="none")
    rows = {name: [i for i, s in enumerate(columns["s"]) if s == name] for name in ("islet", "north", "south")}
    cut = columns["year"][len(columns["year"]) - round(len(columns["year"]) * SHARE)]
    assert data.validation is not None
    for part, inside in ((data.train, lambda t: t < cut), (data.validation, lambda t: t >= cut)):
        wanted = [
            (own[i], [columns["y"][r] for r in own[i - 5 : i]])
            for own in rows.values()
            for i in range(5, len(own))
            if inside(columns["year"][own[i]])
        ]
        assert part.rows.tolist() == [row for row, _ in wanted]
        np.testing.assert_allclose(part.x[:, :, 0], [past for _, past in wanted], rtol=1e-6)
    assert "s" not in data.preprocessing.feature_names
    told = "series with too few rows for a window, which are left out: 'islet' 4 rows"
    assert told in data.notices
    assert told in data.preprocessing.labelled(data.train.table)[1]
    assert not [notice for notice in data.notices if "'north'" in notice]


def test_without_an_order_each_series_gives_its_own_last_rows(workplace: Workplace) -> None:
    columns = {"s": ["a"] * 20 + ["b"] * 40, "y": [float(i * i % 23) + i / 7 for i in range(60)]}
    data = prepared(workplace, columns, 3, group="s", order=None, validation=0.2)
    assert data.validation is not None
    assert data.validation.rows.tolist() == [*range(16, 20), *range(52, 60)]
    assert data.train.rows.tolist() == [*range(3, 16), *range(23, 52)]


def test_classes_are_predicted_from_features_one_row_ahead(workplace: Workplace) -> None:
    columns = columns_of()
    y = columns.pop("y")
    columns["y"] = ["up" if later > before else "down" for before, later in zip([0.0, *y], y, strict=False)]
    data = prepared(workplace, columns, 4, include_target=False)
    assert data.task.classes == ("down", "up")
    assert data.train.rows.tolist() == list(range(4, 30))
    assert data.train.target.tolist() == [int(columns["y"][row] == "up") for row in range(4, 30)]
    found, _ = data.preprocessing.apply(workplace.table(columns))
    assert len(found) == ROWS - 4 + 1


def test_a_window_weighs_what_the_rows_it_predicts_weigh(workplace: Workplace) -> None:
    columns = {**columns_of(), "w": [i % 4 + 1 for i in range(ROWS)]}
    data = prepared(workplace, columns, 4, horizon=2, weight="w")
    assert data.train.weight is not None
    assert data.train.weight.tolist() == [(r % 4 + (r + 1) % 4) / 2 + 1 for r in range(4, 29)]


def test_the_past_is_scaled_where_the_target_is_not(workplace: Workplace) -> None:
    raw = prepared(workplace, columns_of(), 4, scales_target=False)
    scaled = prepared(workplace, columns_of(), 4)
    assert raw.train.x.tobytes() == scaled.train.x.tobytes()
    assert raw.train.target[0, 0] == np.float32(columns_of()["y"][4])


@pytest.mark.parametrize("options", [{}, {"difference": [1, 2], "log": True}, {"include_target": False}])
def test_the_state_comes_back(workplace: Workplace, options: dict[str, Any]) -> None:
    columns = {**columns_of(), "kind": ["a", "b", "c", "a"] * 10}
    data = prepared(workplace, columns, 5, horizon=2, **options)
    plain, arrays = data.preprocessing.state()
    loaded = Preprocessing.load(plain, arrays)
    assert str(loaded.state()) == str((plain, arrays))
    table = workplace.table(columns)
    first, second = data.preprocessing.labelled(table)[0], loaded.labelled(table)[0]
    assert first.x.tobytes() == second.x.tobytes()
    assert (
        loaded.decode(first.target, first.base).tobytes()
        == data.preprocessing.decode(first.target, first.base).tobytes()
    )
    assert form_from({"form": "series", **data.preprocessing.form.state()}).shape == data.preprocessing.shape


def test_the_summary_and_what_there_is_to_beat(workplace: Workplace) -> None:
    columns = columns_of()
    columns.pop("a")
    data = prepared(workplace, columns, 13, difference=12, log=True)
    assert data.summary.lines()[1] == (
        "series: windows of 13 rows, 1 ahead, 1 input; 17 training windows;"
        " predicts the change of the logarithm against 12 rows before"
    )
    y = np.array(columns["y"])
    persistence = math.sqrt(np.mean((y[30:] - y[29:-1]) ** 2))
    seasonal = math.sqrt(np.mean((y[30:] - y[18:-12]) ** 2))
    told = [notice for notice in data.notices if "to beat" in notice]
    assert told == [
        f"to beat on the validation part, rmse of repeating the last value (persistence): 'y' {persistence:.6g}",
        "to beat on the validation part, rmse of repeating the value 12 rows before (seasonal naive):"
        f" 'y' {seasonal:.6g}",
    ]
    assert prepared(workplace, columns, 12).summary.lines()[1] == (
        "series: windows of 12 rows, 1 ahead, 1 input; 18 training windows"
    )


def test_gaps_in_the_order_are_told(workplace: Workplace) -> None:
    columns = columns_of()
    assert not [n for n in prepared(workplace, columns, 4).notices if "equally" in n]
    columns["year"] = [year + (3 if i >= 10 else 0) for i, year in enumerate(columns["year"])]
    (told,) = [n for n in prepared(workplace, columns, 4).notices if "equally" in n]
    assert told.endswith("'year' 1 gap, the first before line 12")


def test_missing_features_follow_data_missing(workplace: Workplace) -> None:
    columns = columns_of()
    columns["a"][3] = None
    data = prepared(workplace, columns, 4)
    assert data.preprocessing.feature_names == ["a", "a is missing", "y"]
    assert data.train.x[0, :, 1].max() > 0
