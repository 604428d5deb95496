"""What preparation promises: nothing learnt from held-out rows, columns by name, the same bits through the state."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.core.array import Array
from nntrain.data.pipeline import Preprocessing
from nntrain.data.preparation import load_for_eval
from nntrain.errors import ConfigError, DataError

ROWS = 40
RNG = np.random.default_rng(0)
TABLE: dict[str, list[Any]] = {
    "number": RNG.gamma(2.0, 3.0, ROWS).round(3).tolist(),
    "hole": [None if i % 7 == 0 else i / 3 for i in range(ROWS)],
    "kind": [["red", "blue", None][i % 3] for i in range(ROWS)],
    "flag": [["yes", "no"][i % 2] for i in range(ROWS)],
    "day": [f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(ROWS)],
    "y": [["b", "a", "c"][i % 3] for i in range(ROWS)],
}


def _loaded(preprocessing: Preprocessing) -> Preprocessing:
    plain, arrays = preprocessing.state()
    return Preprocessing.load(json.loads(json.dumps(plain)), {name: array.copy() for name, array in arrays.items()})


def _bits(preprocessing: Preprocessing) -> str:
    plain, arrays = preprocessing.state()
    return json.dumps(plain) + str({name: array.tobytes() for name, array in arrays.items()})


def _inputs(preprocessing: Preprocessing, table: Any) -> Array:
    x, _ = preprocessing.features(table)
    return x


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "quantile"])
@pytest.mark.parametrize("categorical", ["onehot", "embedding", "ordinal"])
def test_nothing_is_learnt_from_held_out_rows(workplace: Any, scale: str, categorical: str) -> None:
    options = {"split": "tail", "validation": 0.25, "test": 0.25, "scale": scale, "categorical": categorical}
    changed = {
        "number": [value * 1000 for value in TABLE["number"]],
        "hole": [None] * ROWS,
        "kind": ["green"] * ROWS,
        "flag": ["no"] * ROWS,
        "day": ["1900-01-01T12:00"] * ROWS,
        "y": ["a"] * ROWS,
    }
    other = {name: [*cells[: ROWS // 2], *changed[name][ROWS // 2 :]] for name, cells in TABLE.items()}
    first, second = workplace.prepare(TABLE, **options), workplace.prepare(other, **options)
    assert _bits(first.preprocessing) == _bits(second.preprocessing)
    assert first.train.x.tobytes() == second.train.x.tobytes()
    assert first.validation.x.tobytes() != second.validation.x.tobytes()


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "quantile", "none"])
@pytest.mark.parametrize("categorical", ["onehot", "embedding", "ordinal"])
def test_the_state_gives_the_same_bits(workplace: Any, scale: str, categorical: str) -> None:
    prepared = workplace.prepare(TABLE, scale=scale, categorical=categorical)
    loaded = _loaded(prepared.preprocessing)
    table = workplace.table(TABLE)
    assert _inputs(loaded, table)[prepared.train.rows].tobytes() == prepared.train.x.tobytes()
    assert loaded.feature_names == prepared.preprocessing.feature_names
    assert (loaded.task, loaded.embedded) == (prepared.task, prepared.preprocessing.embedded)
    assert _bits(loaded) == _bits(prepared.preprocessing)


@given(order=st.permutations(list(TABLE)))
def test_columns_are_found_by_name(workplace: Any, order: list[str]) -> None:
    preprocessing = workplace.prepare(TABLE).preprocessing
    shuffled = workplace.table({name: TABLE[name] for name in order})
    assert _inputs(preprocessing, shuffled).tobytes() == _inputs(preprocessing, workplace.table(TABLE)).tobytes()


@given(rows=st.permutations(range(ROWS)))
def test_a_row_is_encoded_alike_wherever_it_stands(workplace: Any, rows: list[int]) -> None:
    preprocessing = workplace.prepare(TABLE).preprocessing
    moved = workplace.table({name: [cells[row] for row in rows] for name, cells in TABLE.items()})
    assert _inputs(preprocessing, moved).tobytes() == _inputs(preprocessing, workplace.table(TABLE))[rows].tobytes()


@given(names=st.sets(st.text("pqrstuvw", min_size=1, max_size=4), min_size=3, max_size=3).map(sorted))
def test_classes_under_other_names_in_the_same_order_give_the_same_codes(workplace: Any, names: list[str]) -> None:
    renamed = dict(zip("abc", names, strict=True))
    first, second = (
        workplace.prepare(TABLE),
        workplace.prepare({**TABLE, "y": [renamed[label] for label in TABLE["y"]]}),
    )
    assert first.train.target.tobytes() == second.train.target.tobytes()
    assert np.array_equal(first.validation.rows, second.validation.rows)


def test_a_missing_column_is_named_with_the_closest_and_those_there_are(workplace: Any) -> None:
    table = workplace.table({("Number" if name == "number" else name): cells for name, cells in TABLE.items()})
    with pytest.raises(DataError) as caught:
        load_for_eval(workplace.prepare(TABLE).preprocessing, table, "error")
    message = str(caught.value)
    assert message.startswith("error: other.csv: column 'number' is missing; did you mean 'Number'?")
    assert "columns found: Number, hole, kind, flag, day, y" in message


def test_a_held_out_file_tells_what_is_new_in_it(workplace: Any) -> None:
    columns = {**TABLE, "kind": ["green"] * ROWS, "hole": [None] * ROWS, "extra": [1] * ROWS, "y": ["a", "b"] * 20}
    judged = load_for_eval(workplace.prepare(TABLE).preprocessing, workplace.table(columns), "error")
    assert judged.notices == [
        "missing cells imputed: 'hole' 40",
        "categories that no training row has share one bucket: 'kind' 40 rows ('green')",
        "columns that are not used: 'extra'",
        "no rows of class 'c'",
    ]


def test_an_unknown_class(workplace: Any) -> None:
    preprocessing = workplace.prepare(TABLE).preprocessing
    table = workplace.table({**TABLE, "y": ["a", "new", *TABLE["y"][2:-1], "newer"]})
    with pytest.raises(DataError) as caught:
        load_for_eval(preprocessing, table, "error")
    assert str(caught.value).startswith(
        "error: other.csv:3: column 'y': class 'new' is not one the network was trained"
    )
    assert "2 rows of unknown classes ('new', 'newer'), lines 3, 41" in str(caught.value)
    for policy in ("wrong", "skip"):
        judged = load_for_eval(preprocessing, table, policy)  # type: ignore[arg-type]
        assert np.flatnonzero(~judged.known).tolist() == [1, 39]
        assert judged.dataset.target[[1, 39]].tolist() == [-1, -1]
        assert any("2 of 40 rows" in notice for notice in judged.notices)


def test_files_of_their_own_are_prepared_by_the_training_rows(workplace: Any) -> None:
    workplace.write({**TABLE, "number": [1e4] * ROWS}, "held.csv")
    prepared = workplace.prepare(TABLE, validation="held.csv")
    assert (len(prepared.train), len(prepared.validation)) == (ROWS, ROWS)
    values = np.array(TABLE["number"])
    expected = (1e4 - values.mean()) / values.std()
    at = prepared.preprocessing.feature_names.index("number")
    np.testing.assert_allclose(prepared.validation.x[:, at], expected, rtol=1e-6)
    assert set(prepared.sources) == {"data.csv", "held.csv"}


def test_a_numeric_target_is_standardised_and_comes_back(workplace: Any) -> None:
    table = {"x": TABLE["number"], "y": [value * 1e5 + 3e6 for value in TABLE["number"]]}
    prepared = workplace.prepare(table)
    target = prepared.train.target.astype(np.float64)
    np.testing.assert_allclose([target.mean(), target.std()], [0.0, 1.0], atol=1e-6)
    own = prepared.preprocessing.decode(prepared.train.target)
    np.testing.assert_allclose(own[:, 0], np.array(table["y"])[prepared.train.rows], rtol=1e-6)
    unscaled = workplace.prepare(table, scales_target=False)
    np.testing.assert_allclose(unscaled.train.target[:, 0], np.array(table["y"])[unscaled.train.rows], rtol=1e-6)


@pytest.mark.parametrize(
    ("y", "hint", "kind"),
    [
        ([i % 20 for i in range(ROWS)], None, "classification"),
        ([i % 21 for i in range(ROWS)], None, "regression"),
        ([i % 3 for i in range(ROWS)], "regression", "regression"),
        ([i % 3 + 0.5 for i in range(ROWS)], None, "regression"),
        ([i % 3 + 0.5 for i in range(ROWS)], "classification", "classification"),
        (["true", "false"] * 20, None, "classification"),
    ],
)
def test_the_task_follows_the_loss_or_the_target(workplace: Any, y: list[Any], hint: Any, kind: str) -> None:
    assert workplace.prepare({"x": TABLE["number"], "y": y}, task_hint=hint).task.kind == kind


def test_weights_of_rows_and_classes_are_multiplied(workplace: Any) -> None:
    columns = {**TABLE, "w": [2.0] * ROWS}
    prepared = workplace.prepare(columns, weight="w", class_weight={"a": 3.0})
    assert "w" not in prepared.preprocessing.feature_names
    a = prepared.task.classes.index("a")
    assert np.array_equal(prepared.train.weight, np.where(prepared.train.target == a, 6.0, 2.0))
    assert np.array_equal(prepared.validation.weight, np.full(len(prepared.validation), 2.0))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([None], "data.csv:2: column 'w': the weight is missing"),
        ([1, -1], "data.csv:3: column 'w': the weight is negative (-1)"),
        ([0] * ROWS, "data.csv: column 'w': all weights are 0"),
    ],
)
def test_weights_that_are_none(workplace: Any, cells: list[Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        workplace.prepare({**TABLE, "w": [*cells, *[1] * (ROWS - len(cells))]}, weight="w")
    assert str(caught.value).startswith(f"error: {message}")


def test_class_weights_need_classes(workplace: Any) -> None:
    with pytest.raises(ConfigError, match="class_weight: expected a classification, and the task is regression"):
        workplace.prepare({"x": TABLE["number"], "y": TABLE["number"]}, class_weight="balanced")


def test_a_feature_with_another_use(workplace: Any) -> None:
    with pytest.raises(DataError, match=r"data\.features: column 'y' is named by data\.target too"):
        workplace.prepare(TABLE, features=["number", "y"])
    with pytest.raises(DataError, match=r"data\.ignore: column 'nunber' not found; did you mean 'number'\?"):
        workplace.prepare(TABLE, ignore=["nunber"])
    with pytest.raises(DataError, match="no feature columns left"):
        workplace.prepare(TABLE, ignore=[name for name in TABLE if name != "y"])
