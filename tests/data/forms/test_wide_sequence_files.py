"""Sequences in wide form: other files, what travels in the checkpoint, and what is refused."""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.data.forms.wide_sequences import WideSequences
from nntrain.data.options import SequenceOptions
from nntrain.data.pipeline import Preprocessing
from nntrain.data.preparation import load_for_eval
from nntrain.errors import DataError
from tests.data.forms.sequence_columns import (
    Columns,
    plain,
    refusal,
    waves,
    wide,
)

few = settings(max_examples=25, deadline=None)
SCALES = ["standard", "minmax", "robust", "quantile", "none"]


@few
@given(
    seed=st.integers(0, 5),
    scale=st.sampled_from(SCALES),
    missing=st.sampled_from(["auto", "mean", "most_frequent", "constant"]),
    length=st.booleans(),
)
def test_state_through_json_gives_the_same_bits(
    workplace: Any, seed: int, scale: str, missing: str, length: bool
) -> None:
    sequence = wide(length="n" if length else None)
    columns = waves(30, seed=seed, gaps=0.2, length=length)
    prepared = workplace.prepare(columns, sequence=sequence, scale=scale, missing=missing, fill=0.3)
    state, arrays = prepared.preprocessing.state()
    loaded = Preprocessing.load(json.loads(json.dumps(state, allow_nan=False)), arrays)
    assert isinstance(loaded.form, WideSequences)
    table = workplace.table(waves(12, seed=seed + 1, gaps=0.3, length=length))
    first, second = (load_for_eval(found, table, "error") for found in (prepared.preprocessing, loaded))
    for name in ("x", "target", "lengths", "rows"):
        assert getattr(first.dataset, name).tobytes() == getattr(second.dataset, name).tobytes()
    assert first.notices == second.notices
    assert (loaded.shape, loaded.form.ragged) == (prepared.preprocessing.shape, True)
    assert loaded.form.describe() == prepared.preprocessing.form.describe()
    assert json.dumps(loaded.state()[0]) == json.dumps(state)


@few
@given(order=st.permutations(range(11)), rows=st.permutations(range(30)))
def test_columns_are_found_by_name_and_rows_stand_for_themselves(
    workplace: Any, order: list[int], rows: list[int]
) -> None:
    prepared = workplace.prepare(waves(30), sequence=wide())
    columns = waves(30, seed=1, gaps=0.2)
    names = list(columns)
    straight = load_for_eval(prepared.preprocessing, workplace.table(columns), "error").dataset
    mixed = {names[i]: [columns[names[i]][row] for row in rows] for i in order}
    found = load_for_eval(prepared.preprocessing, workplace.table(mixed), "error").dataset
    assert found.x.tobytes() == straight.x[rows].tobytes()
    assert found.lengths.tolist() == straight.lengths[rows].tolist()
    assert found.target.tolist() == straight.target[rows].tolist()


@few
@given(seed=st.integers(0, 20), factor=st.sampled_from([1000.0, -1.0]))
def test_held_out_rows_change_nothing_that_is_fitted(workplace: Any, seed: int, factor: float) -> None:
    columns = waves(30, seed=seed)
    first = workplace.prepare(columns, sequence=wide(), test=0.1, seed=seed)
    for row in [*first.validation.rows.tolist(), *first.test.rows.tolist()]:
        for t in range(5):
            columns[f"t{t}_c0"][row] = factor * t + row
            columns[f"t{t}_c1"][row] = None
    second = workplace.prepare(columns, sequence=wide(), test=0.1, seed=seed)
    assert plain(first) == plain(second)
    assert first.train.x.tobytes() == second.train.x.tobytes()


def test_a_file_of_the_validation_rows_is_the_validation_part(workplace: Any) -> None:
    columns = waves(40, seed=9, gaps=0.1)
    prepared = workplace.prepare(columns, sequence=wide())
    part = prepared.validation
    table = workplace.table({name: [cells[row] for row in part.rows] for name, cells in columns.items()})
    judged = load_for_eval(prepared.preprocessing, table, "error").dataset
    assert judged.x.tobytes() == part.x.tobytes()
    assert judged.lengths.tolist() == part.lengths.tolist()
    assert judged.target.tolist() == part.target.tolist()


def test_a_file_of_full_sequences_is_judged_as_padded_ones_are(workplace: Any) -> None:
    prepared = workplace.prepare(waves(30), sequence=wide())
    full = {name: [0.5] for name in waves(30) if name != "y"}
    assert prepared.preprocessing.apply(workplace.table(full))[0].lengths.tolist() == [5]


def test_columns_of_another_file(workplace: Any) -> None:
    prepared = workplace.prepare(waves(30, length=True), sequence=wide(length="n"))
    columns = waves(5, seed=1, length=True)
    judged = load_for_eval(prepared.preprocessing, workplace.table({"extra": [1] * 5, **columns}), "error")
    assert "columns that are not used: 'extra'" in judged.notices
    for name in ("n", "t3_c1"):
        table = workplace.table({key: cells for key, cells in columns.items() if key != name})
        with pytest.raises(DataError, match=f"other.csv: column '{name}' is missing"):
            prepared.preprocessing.apply(table)
    without = workplace.table({key: cells for key, cells in columns.items() if key != "y"})
    assert len(prepared.preprocessing.apply(without)[0]) == 5


def test_token_codes_with_0_for_padding(workplace: Any) -> None:
    columns: Columns = {f"t{t}": [3 + row if t <= row % 4 else 0 for row in range(30)] for t in range(4)}
    columns["y"] = ["a", "b"] * 15
    prepared = workplace.prepare(columns, sequence=SequenceOptions(steps=4), missing_values=["0"], scale="none")
    assert prepared.train.lengths.tolist() == [row % 4 + 1 for row in prepared.train.rows]
    assert prepared.train.x[..., 0].tolist() == [
        [columns[f"t{t}"][row] for t in range(4)] for row in prepared.train.rows
    ]


def test_a_regression_target(workplace: Any) -> None:
    columns = {**waves(30), "y": [row / 7 for row in range(30)]}
    prepared = workplace.prepare(columns, sequence=wide())
    decoded = prepared.preprocessing.decode(prepared.train.target)[:, 0]
    np.testing.assert_allclose(decoded, [row / 7 for row in prepared.train.rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("cells", "options", "words"),
    [
        ({"n": [6]}, {}, ["data.csv:2: column 'n': expected a whole number of steps from 1 to 5, got '6'"]),
        ({"n": [1, 0, 0]}, {}, ["data.csv:3: ", "got '0'", "1 more like this on line 4"]),
        ({"n": [1, 2, 2.5]}, {}, ["data.csv:4: column 'n': expected a whole number", "got '2.5'"]),
        ({"n": [1, None]}, {}, ["data.csv:3: column 'n': expected a whole number", "got ''"]),
        ({"n": ["two"]}, {}, ["data.csv:2: column 'n': expected a number, got 'two'"]),
        ({"t3_c1": [1, 2, "x"]}, {}, ["data.csv:4: column 't3_c1': expected a number, got 'x'"]),
        ({"t0_c1": [1, None]}, {"missing": "error"}, ["data.csv:3: column 't0_c1': a cell is missing"]),
    ],
)
def test_what_is_wrong_with_a_file_is_named_by_its_line(
    workplace: Any, cells: Columns, options: dict[str, Any], words: list[str]
) -> None:
    columns = waves(30, seed=10, length=True)
    for name, given_cells in cells.items():
        columns[name][: len(given_cells)] = given_cells
    said = refusal(workplace, columns, sequence=wide(length="n"), **options)
    for word in words:
        assert word in said


def test_a_row_without_a_step(workplace: Any) -> None:
    columns = waves(30, seed=11)
    for name in columns:
        if name != "y":
            columns[name][4] = columns[name][9] = None
    said = refusal(workplace, columns, wide())
    assert "data.csv:6: the row has no step: all 10 cells of its sequence are empty" in said
    assert "1 more like this on line 11" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"sequence": wide(6)},
            ["6 steps of 2 channels are 12 columns, and there are 10", "set data.sequence.steps: 5"],
        ),
        ({"sequence": wide(5, 3)}, ["5 steps of 3 channels are 15 columns", "set data.sequence.channels: 2"]),
        ({"sequence": wide(5, None)}, ["5 steps of 1 channel are 5 columns, and there are 10", "steps: 10"]),
        ({"sequence": wide(3, 3)}, ["9 columns", "name the column of true lengths in data.sequence.length"]),
        ({"sequence": wide(4, 4)}, ["16 columns", "leave columns that are no steps out with data.ignore"]),
        ({"sequence": wide(length="m")}, ["data.sequence.length: column 'm' not found"]),
        ({"sequence": wide(target_per="row")}, ["data.sequence.target_per", "data.sequence.group"]),
        ({"sequence": SequenceOptions()}, ["expected either 'group' or 'steps', got neither"]),
        ({"types": {"t1_c0": {"scale": "none"}}}, ["data.columns.t1_c0", "no treatment of its own"]),
    ],
)
def test_what_is_wrong_with_the_config(workplace: Any, options: dict[str, Any], words: list[str]) -> None:
    said = refusal(workplace, waves(30), **{"sequence": wide(), **options})
    for word in words:
        assert word in said


def test_a_length_is_no_feature(workplace: Any) -> None:
    columns = waves(30, length=True)
    names = [name for name in columns if name != "y"]
    said = refusal(workplace, columns, sequence=wide(length="n"), features=names)
    assert "column 'n' is named by data.sequence.length too" in said


def test_a_million_is_no_rounding(workplace: Any) -> None:
    columns: Columns = {f"x{t}": [1e6 + row + t for row in range(30)] for t in range(3)}
    prepared = workplace.prepare({**columns, "y": ["a", "b"] * 15}, sequence=SequenceOptions(steps=3))
    mean = statistics.fmean(columns[f"x{t}"][row] for row in prepared.train.rows for t in range(3))
    deviation = math.sqrt(
        statistics.fmean((columns[f"x{t}"][row] - mean) ** 2 for row in prepared.train.rows for t in range(3))
    )
    row = int(prepared.train.rows[0])
    assert prepared.train.x[0, 0, 0] == pytest.approx((columns["x0"][row] - mean) / deviation, rel=1e-6)
