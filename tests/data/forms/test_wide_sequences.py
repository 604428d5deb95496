"""Sequences in wide form: the steps of a row side by side, against loops over the cells as they were written."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.data.options import SequenceOptions
from tests.data.forms.sequence_columns import (
    Columns,
    known_cells,
    plain,
    true_length,
    waves,
    wide,
)

few = settings(max_examples=25, deadline=None)
SCALES = ["standard", "minmax", "robust", "quantile", "none"]


@few
@given(
    seed=st.integers(0, 1000),
    steps=st.integers(1, 6),
    channels=st.integers(1, 3),
    missing=st.sampled_from(["auto", "mean", "median", "constant"]),
    length=st.booleans(),
)
def test_every_cell_stands_in_its_place(
    workplace: Any, seed: int, steps: int, channels: int, missing: str, length: bool
) -> None:
    columns = waves(30, steps, channels, seed, gaps=0.2, length=length)
    sequence = wide(steps, channels, length="n" if length else None)
    options = {"scale": "none", "missing": missing, "fill": -7.0, "seed": seed % 5}
    prepared = workplace.prepare(columns, sequence=sequence, **options)
    assert prepared.preprocessing.shape == (steps, channels)
    fill = []
    for cells in known_cells(columns, prepared.train.rows.tolist(), steps, channels):
        average = statistics.fmean if missing == "mean" else statistics.median
        fill.append(-7.0 if missing == "constant" or not cells else average(cells))
    for data in (prepared.train, prepared.validation):
        lengths = [steps] * len(data) if data.lengths is None else data.lengths.tolist()
        for i, row in enumerate(data.rows.tolist()):
            assert lengths[i] == true_length(columns, row, steps, channels)
            for t in range(steps):
                for c in range(channels):
                    cell = columns[f"t{t}_c{c}"][row]
                    expected = 0.0 if t >= lengths[i] else fill[c] if cell is None else cell
                    assert data.x[i, t, c] == pytest.approx(expected, rel=1e-6)


@few
@given(seed=st.integers(0, 20), length=st.booleans())
def test_with_and_without_lengths_is_the_same(workplace: Any, seed: int, length: bool) -> None:
    columns = waves(30, seed=seed, gaps=0.2, length=True)
    named = workplace.prepare(columns, sequence=wide(length="n"), seed=seed)
    found = workplace.prepare(columns, sequence=wide(), ignore=["n"], seed=seed)
    assert named.train.x.tobytes() == found.train.x.tobytes()
    assert (
        named.train.lengths.tolist() == found.train.lengths.tolist() == [columns["n"][row] for row in named.train.rows]
    )


@few
@given(seed=st.integers(0, 30), scale=st.sampled_from(SCALES), channels=st.integers(1, 3))
def test_the_same_sequences_in_long_form_give_the_same_bits(
    workplace: Any, seed: int, scale: str, channels: int
) -> None:
    columns = waves(30, 5, channels, seed)
    rows = [
        (row, t, *(columns[f"t{t}_c{c}"][row] for c in range(channels)), columns["y"][row])
        for row in range(30)
        for t in range(true_length(columns, row, 5, channels))
    ]
    names = ["id", "t", *(f"c{c}" for c in range(channels)), "y"]
    long = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    options: dict[str, Any] = {"scale": scale, "missing": "median", "seed": seed}
    first = workplace.prepare(columns, sequence=wide(5, channels), **options)
    second = workplace.prepare(long, sequence=SequenceOptions(group="id", order="t"), **options)
    for a, b in ((first.train, second.train), (first.validation, second.validation)):
        steps = b.x.shape[1]
        assert a.x[:, :steps].tobytes() == b.x.tobytes()
        assert not a.x[:, steps:].any()
        assert a.lengths.tolist() == b.lengths.tolist()
        assert a.target.tolist() == b.target.tolist()


@few
@given(seed=st.integers(0, 30), scale=st.sampled_from(SCALES), more=st.integers(1, 4))
def test_more_empty_steps_change_nothing(workplace: Any, seed: int, scale: str, more: int) -> None:
    columns = waves(30, 5, 2, seed, gaps=0.2)
    first = workplace.prepare(columns, sequence=wide(), scale=scale, seed=seed)
    wider = {**columns, **{f"t{5 + t}_c{c}": [None] * 30 for t in range(more) for c in range(2)}}
    second = workplace.prepare(wider, sequence=wide(5 + more), scale=scale, seed=seed)
    assert first.train.x.tobytes() == second.train.x[:, :5].tobytes()
    assert not second.train.x[:, 5:].any()
    assert first.train.lengths.tolist() == second.train.lengths.tolist()
    assert (
        first.preprocessing.form.state()["by_channel"][0]["fill"]
        == (second.preprocessing.form.state()["by_channel"][0]["fill"])
    )


def test_scales_are_of_channels_over_the_true_steps_of_training_rows(workplace: Any) -> None:
    columns = waves(40, 5, 2, 3)
    prepared = workplace.prepare(columns, sequence=wide())
    for c, cells in enumerate(known_cells(columns, prepared.train.rows.tolist(), 5, 2)):
        own = prepared.preprocessing.form.by_channel[c].scaler
        assert own.shift == pytest.approx(statistics.fmean(cells), rel=1e-12)
        assert own.scale == pytest.approx(statistics.pstdev(cells), rel=1e-12)
    there = prepared.train.steps_there()
    np.testing.assert_allclose(prepared.train.x[there].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(prepared.train.x[there].std(axis=0), 1, rtol=1e-5)


def test_cells_beyond_the_length_are_ignored(workplace: Any) -> None:
    columns = waves(30, seed=4, length=True)
    clean = workplace.prepare(columns, sequence=wide(length="n"), missing="error")
    for row in range(30):
        for t in range(columns["n"][row], 5):
            columns[f"t{t}_c0"][row] = 1e30 * (-1) ** row
    full = workplace.prepare(columns, sequence=wide(length="n"), missing="error")
    assert plain(clean) == plain(full)
    assert clean.train.x.tobytes() == full.train.x.tobytes()


def test_rows_without_padding_have_no_lengths(workplace: Any) -> None:
    columns: Columns = {f"x{t}": [row * 0.5 + t for row in range(30)] for t in range(4)}
    prepared = workplace.prepare({**columns, "y": ["a", "b"] * 15}, sequence=SequenceOptions(steps=4))
    assert prepared.train.lengths is None
    assert prepared.train.x.shape == (24, 4, 1)
    assert prepared.summary.form == "sequences: 1 channel, 4 steps (wide form)"
    assert not prepared.preprocessing.form.ragged
    padded = {name: [1.0, None if name in ("x2", "x3") else 2.0] for name in columns}
    data, _ = prepared.preprocessing.apply(workplace.table(padded))
    assert data.lengths.tolist() == [4, 2]


def test_the_summary_tells_the_steps(workplace: Any) -> None:
    columns = waves(30, seed=5, length=True)
    prepared = workplace.prepare(columns, sequence=wide(length="n"))
    assert prepared.summary.form == "sequences: 2 channels, 1 to 5 of 5 steps (wide form)"
    columns["n"] = [3] * 30
    prepared = workplace.prepare(columns, sequence=wide(length="n"))
    assert prepared.summary.form == "sequences: 2 channels, 3 of 5 steps (wide form)"
    assert prepared.preprocessing.form.ragged


def test_what_is_imputed_or_constant_is_told_by_channel(workplace: Any) -> None:
    columns = waves(30, seed=6, length=True)
    for name in columns:
        if name.endswith("c1"):
            columns[name] = [None if cell is None else 3.5 for cell in columns[name]]
    columns["t0_c0"][7] = None
    prepared = workplace.prepare(columns, sequence=wide(length="n"), missing="constant", fill=2.0)
    assert any("'channel 1'" in notice and "constant" in notice for notice in prepared.notices)
    assert "missing cells imputed: 'channel 0' 1" in prepared.notices
    assert not any("is missing" in name for name in prepared.preprocessing.feature_names)


def test_missing_drop_heeds_true_steps_alone(workplace: Any) -> None:
    columns = waves(30, seed=7, length=True)
    columns["t0_c0"][7] = columns["t0_c1"][11] = None
    prepared = workplace.prepare(columns, sequence=wide(length="n"), missing="drop", validation="none")
    assert prepared.train.rows.tolist() == [row for row in range(30) if row not in (7, 11)]
    assert "2 rows with missing cells are left out (missing: drop)" in prepared.notices


def test_features_may_be_listed_in_another_order(workplace: Any) -> None:
    columns = waves(30, seed=8)
    turned = [f"t{t}_c{c}" for t in range(5) for c in (1, 0)]
    prepared = workplace.prepare(columns, sequence=wide(), features=turned, scale="none", missing="constant")
    straight = workplace.prepare(columns, sequence=wide(), scale="none", missing="constant")
    assert prepared.train.x.tobytes() == straight.train.x[..., ::-1].tobytes()
