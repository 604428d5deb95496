"""What is fitted: by training rows alone, carried as plain data without losing a bit, found again by column names."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.data.pipeline import Preprocessing
from nntrain.data.preparation import Prepared, load_for_eval
from nntrain.errors import DataError

ROWS = 40
few = settings(max_examples=25, deadline=None)


def every_kind(seed: int = 0) -> dict[str, list[Any]]:
    """Return columns of every kind, with missing cells, and a target."""
    random = np.random.default_rng(seed)
    number = random.normal(5, 3, ROWS).round(3).tolist()
    category = random.choice(["u", "v", "w"], ROWS).tolist()
    truth = random.choice(["yes", "no"], ROWS).tolist()
    date = [f"20{10 + row % 9}-0{1 + row % 8}-1{row % 7}" for row in range(ROWS)]
    columns: dict[str, list[Any]] = {"n": number, "c": category, "b": truth, "d": date}
    for place, cells in enumerate(columns.values()):
        cells[3 + place] = None
    return {**columns, "k": [row % 4 for row in range(ROWS)], "y": [["p", "q", "r"][row % 3] for row in range(ROWS)]}


def plain(prepared: Prepared) -> tuple[str, dict[str, bytes]]:
    state, arrays = prepared.preprocessing.state()
    return json.dumps(state, allow_nan=False), {name: array.tobytes() for name, array in arrays.items()}


@few
@given(
    scale=st.sampled_from(["standard", "minmax", "robust", "quantile", "none"]),
    missing=st.sampled_from(["auto", "mean", "median", "most_frequent", "constant"]),
    form=st.sampled_from(["onehot", "embedding", "ordinal"]),
    target=st.sampled_from(["y", "k", "n"]),
    seed=st.integers(0, 5),
)
def test_state_through_json_gives_the_same_bits(
    workplace: Any, scale: str, missing: str, form: str, target: str, seed: int
) -> None:
    columns = every_kind(seed)
    columns["n"][3] = 1.25
    prepared = workplace.prepare(columns, target=target, scale=scale, missing=missing, categorical=form, seed=seed)
    state, arrays = prepared.preprocessing.state()
    loaded = Preprocessing.load(json.loads(json.dumps(state, allow_nan=False)), arrays)
    table = workplace.table({**every_kind(seed + 1), "n": [1.5] * ROWS})
    first, first_notices = prepared.preprocessing.features(table)
    second, second_notices = loaded.features(table)
    assert first.tobytes() == second.tobytes()
    assert first_notices == second_notices
    assert loaded.target.encode(table).tobytes() == prepared.preprocessing.target.encode(table).tobytes()
    assert loaded.task == prepared.task
    assert loaded.feature_names == prepared.preprocessing.feature_names
    assert loaded.embedded == prepared.preprocessing.embedded
    assert json.dumps(loaded.state()[0]) == json.dumps(state)
    if prepared.task.kind == "regression":
        values = np.linspace(-3, 3, 7, dtype=np.float32)[:, None]
        assert loaded.decode(values).tobytes() == prepared.preprocessing.decode(values).tobytes()


@few
@given(
    scale=st.sampled_from(["standard", "minmax", "robust", "quantile"]),
    categorical=st.sampled_from(["onehot", "embedding", "ordinal"]),
    factor=st.sampled_from([1000.0, -1.0, 1e-6]),
    seed=st.integers(0, 5),
)
def test_held_out_rows_change_nothing_that_is_fitted(
    workplace: Any, scale: str, categorical: str, factor: float, seed: int
) -> None:
    columns = every_kind(seed)
    columns["z"] = [row / 7 for row in range(ROWS)]
    options: dict[str, Any] = {"target": "z", "test": 0.1, "seed": seed, "scale": scale, "categorical": categorical}
    first = workplace.prepare(columns, **options)
    held = [*first.validation.rows.tolist(), *first.test.rows.tolist()]
    for row in held:
        columns["n"][row] = None if row % 2 else 7.0 * factor
        columns["c"][row] = "never seen"
        columns["b"][row] = None
        columns["d"][row] = "1999-12-31"
        columns["k"][row] = 4321
        columns["z"][row] *= factor
    second = workplace.prepare(columns, **options)
    assert second.train.rows.tolist() == first.train.rows.tolist()
    assert plain(first) == plain(second)
    assert first.train.x.tobytes() == second.train.x.tobytes()
    assert first.train.target.tobytes() == second.train.target.tobytes()


@few
@given(order=st.permutations(["n", "c", "b", "d", "k", "y", "extra"]), rows=st.permutations(range(ROWS)))
def test_columns_are_found_by_name_and_rows_stand_for_themselves(
    workplace: Any, order: list[str], rows: list[int]
) -> None:
    prepared = workplace.prepare(every_kind())
    columns = {**every_kind(1), "extra": list(range(ROWS))}
    straight = load_for_eval(prepared.preprocessing, workplace.table(columns), "error")
    mixed = {name: [columns[name][row] for row in rows] for name in order}
    judged = load_for_eval(prepared.preprocessing, workplace.table(mixed), "error")
    assert judged.dataset.x.tobytes() == straight.dataset.x[rows].tobytes()
    assert judged.dataset.target.tolist() == straight.dataset.target[rows].tolist()
    assert judged.truth == {"y": [columns["y"][row] for row in rows]}
    assert any("'extra'" in notice or " extra" in notice for notice in judged.notices)


def test_training_rows_encoded_again_are_the_training_rows(workplace: Any) -> None:
    columns = every_kind()
    prepared = workplace.prepare(columns)
    x, _ = prepared.preprocessing.features(workplace.table(columns))
    assert x[prepared.train.rows].tobytes() == prepared.train.x.tobytes()
    assert x[prepared.validation.rows].tobytes() == prepared.validation.x.tobytes()
    assert x.dtype == np.float32
    assert x.shape == (ROWS, *prepared.preprocessing.shape)


def test_a_lacking_column_is_named(workplace: Any) -> None:
    prepared = workplace.prepare({"height": range(30), "width": range(30, 0, -1), "y": [0.5, 1.5] * 15})
    table = workplace.table({"Height": [1], "depth": [2], "y": [0.5]})
    for use in (
        lambda: prepared.preprocessing.features(table),
        lambda: load_for_eval(prepared.preprocessing, table, "wrong"),
    ):
        with pytest.raises(DataError) as caught:
            use()
        said = caught.value.render()
        assert "other.csv: column 'height' is missing; did you mean 'Height'?" in said
        assert "2 are missing: height, width" in said
        assert "columns found: Height, depth, y" in said


def test_a_lacking_target_is_an_error_of_eval_but_not_of_predict(workplace: Any) -> None:
    prepared = workplace.prepare({"x": range(30), "y": [row / 7 for row in range(30)]})
    table = workplace.table({"x": [1, 2]})
    assert len(prepared.preprocessing.apply(table)[0]) == 2
    with pytest.raises(DataError, match="column 'y' not found"):
        load_for_eval(prepared.preprocessing, table, "error")


def test_text_in_a_number_of_an_eval_file_is_named(workplace: Any) -> None:
    prepared = workplace.prepare({"x": range(30), "y": [row / 7 for row in range(30)]})
    with pytest.raises(DataError) as caught:
        prepared.preprocessing.features(workplace.table({"x": [1, 2, "5 cm"]}))
    assert caught.value.problems[0].place == "other.csv:4"
    assert "column 'x'" in caught.value.render()
    assert "'5 cm'" in caught.value.render()


def test_missing_cells_of_an_eval_file_are_imputed_and_counted(workplace: Any) -> None:
    prepared = workplace.prepare({"x": range(30), "y": [row / 7 for row in range(30)]}, validation="none")
    x, notices = prepared.preprocessing.features(workplace.table({"x": [None, "NA", 14.5], "z": [1, 2, 3]}))
    assert x[:, 0].tolist() == [0.0, 0.0, 0.0]
    assert notices == ["missing cells imputed: 'x' 2"]


def test_held_out_files(workplace: Any) -> None:
    workplace.write({"y": ["b", "a"], "x": [5, 6]}, "val.csv")
    workplace.write({"x": [7], "y": ["a"]}, "test.csv")
    prepared = workplace.prepare({"x": range(30), "y": ["a", "b"] * 15}, validation="val.csv", test=["test.csv"])
    assert prepared.row_counts() == {"train": 30, "validation": 2, "test": 1}
    assert prepared.validation.target.tolist() == [1, 0]
    assert set(prepared.sources) == {"data.csv", "val.csv", "test.csv"}
    assert all(len(source["sha256"]) == 64 for source in prepared.sources.values())
    assert prepared.validation.table.path == "val.csv"
    mean, deviation = np.arange(30).mean(), np.arange(30).std()
    np.testing.assert_allclose(prepared.validation.x[:, 0], (np.array([5, 6]) - mean) / deviation, rtol=1e-6)


def test_several_training_files_are_one_table(workplace: Any) -> None:
    columns = {"x": list(range(30)), "y": ["a", "b"] * 15}
    whole = workplace.prepare(columns)
    workplace.write({"y": columns["y"][20:], "x": columns["x"][20:]}, "more.csv")
    name = workplace.write({key: cells[:20] for key, cells in columns.items()}, "first.csv")
    from nntrain.data.options import DataOptions
    from nntrain.data.preparation import prepare

    both = prepare(DataOptions(train=[name, "more.csv"], target="y"), workplace.resolve, 0)
    assert both.train.x.tobytes() == whole.train.x.tobytes()
    assert both.train.rows.tolist() == whole.train.rows.tolist()


def test_sample_weights(workplace: Any) -> None:
    weights = [row % 3 / 2 for row in range(30)]
    columns = {"x": range(30), "w": weights, "y": [row / 7 for row in range(30)]}
    prepared = workplace.prepare(columns, weight="w")
    assert prepared.preprocessing.feature_names == ["x"]
    for part in (prepared.train, prepared.validation):
        assert part.weight.tolist() == [weights[row] for row in part.rows]
    table = workplace.table({"x": [1, 2], "w": [0.5, 2], "y": [1.5, 2.5]})
    assert load_for_eval(prepared.preprocessing, table, "error").dataset.weight.tolist() == [0.5, 2.0]
    table = workplace.table({"x": [1, 2], "y": [1.5, 2.5]})
    assert load_for_eval(prepared.preprocessing, table, "error").dataset.weight is None


@pytest.mark.parametrize(
    ("cell", "place", "words"),
    [(-1, "data.csv:7", "negative"), (None, "data.csv:7", "missing"), ("much", "data.csv:7", "'much'")],
)
def test_wrong_weights(workplace: Any, cell: Any, place: str, words: str) -> None:
    weights = [1.0] * 5 + [cell] + [1.0] * 24
    with pytest.raises(DataError) as caught:
        workplace.prepare({"x": range(30), "w": weights, "y": [row / 7 for row in range(30)]}, weight="w")
    assert caught.value.problems[0].place == place
    assert "column 'w'" in caught.value.render()
    assert words in caught.value.render()


def test_weights_that_are_all_0(workplace: Any) -> None:
    columns = {"x": range(30), "w": [0] * 30, "y": [row / 7 for row in range(30)]}
    with pytest.raises(DataError, match="all weights are 0"):
        workplace.prepare(columns, weight="w")
    columns["w"] = [1 if row >= 24 else 0 for row in range(30)]
    with pytest.raises(DataError, match="weights"):
        workplace.prepare(columns, weight="w", split="tail")


def test_many_columns_of_few_rows(workplace: Any) -> None:
    columns: dict[str, Any] = {f"x{i}": [(row * i) % 13 for row in range(10)] for i in range(500)}
    prepared = workplace.prepare({**columns, "y": ["a", "b"] * 5})
    assert prepared.train.x.shape == (10, 500)
    assert np.isfinite(prepared.train.x).all()
