"""Sequences in long form: the rows of one id in their order, against loops over the cells as they were written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.data.options import SequenceOptions
from nntrain.data.preparation import load_for_eval
from tests.data.forms.sequence_columns import (
    Columns,
    by_loops,
    long,
    parts,
    plain,
    refusal,
    walks,
)

few = settings(max_examples=25, deadline=None)


@few
@given(seed=st.integers(0, 1000), longest=st.integers(1, 7), test=st.sampled_from([None, 0.2]), per_row=st.booleans())
def test_every_step_stands_in_its_place(
    workplace: Any, seed: int, longest: int, test: float | None, per_row: bool
) -> None:
    columns = walks(30, seed, longest, per_row)
    sequence = long(target_per="row" if per_row else "sequence")
    prepared = workplace.prepare(columns, sequence=sequence, scale="none", test=test, seed=seed % 7)
    expected, classes = by_loops(columns), prepared.task.classes
    longest_trained = int(prepared.train.lengths.max()) if prepared.train.lengths is not None else longest
    assert prepared.preprocessing.shape == (longest_trained, 2)
    seen = []
    for data in parts(prepared):
        lengths = [data.x.shape[1]] * len(data) if data.lengths is None else data.lengths.tolist()
        assert data.x.dtype == np.float32
        assert data.x.shape[1] == max(longest_trained, *lengths)
        for i, length in enumerate(lengths):
            first = int(data.rows[i][data.rows[i] >= 0].min()) if per_row else int(data.rows[i])
            name = columns["id"][first]
            rows = expected[name]
            seen.append(name)
            assert first == min(rows)
            assert length == len(rows)
            for step, row in enumerate(rows):
                assert data.x[i, step].tolist() == np.float32([columns["u"][row], columns["v"][row]]).tolist()
            assert not data.x[i, length:].any()
            labels = [columns["y"][row] for row in rows]
            if per_row:
                assert data.rows[i].tolist() == rows + [-1] * (data.x.shape[1] - length)
                assert [classes[code] for code in data.target[i, :length]] == labels
            else:
                assert classes[data.target[i]] == labels[0]
        if per_row:
            assert data.labels().rows.tolist() == [row for i in range(len(data)) for row in data.rows[i] if row >= 0]
    assert sorted(seen) == sorted(expected)
    assert sum(prepared.summary.classes.values()) == (len(columns["id"]) if per_row else len(expected))


def test_sequences_of_a_part_stand_in_the_order_of_the_file(workplace: Any) -> None:
    prepared = workplace.prepare(walks(40, 3), sequence=long())
    for data in parts(prepared):
        assert data.rows.tolist() == sorted(data.rows.tolist())


def test_features_are_encoded_as_in_a_table_of_the_training_rows(workplace: Any) -> None:
    columns = walks(30, 1)
    rows = len(columns["id"])
    columns["u"][4] = None
    columns["c"] = [["p", "q", None][row % 3] for row in range(rows)]
    columns["d"] = [f"2020-0{1 + row % 9}-11" for row in range(rows)]
    prepared = workplace.prepare(columns, sequence=long(), validation="none")
    order = [row for found in by_loops(columns).values() for row in found]
    table = {name: [columns[name][row] for row in order] for name in ("u", "v", "c", "d")}
    table["y"] = [columns["y"][row] for row in order]
    flat = workplace.prepare(table, validation="none")
    assert prepared.preprocessing.feature_names == flat.preprocessing.feature_names
    assert "u is missing" in prepared.preprocessing.feature_names
    assert prepared.train.x[prepared.train.steps_there()].tobytes() == flat.train.x.tobytes()


def test_codes_to_be_embedded_lie_on_the_last_axis(workplace: Any) -> None:
    columns = walks(25, 2)
    columns["c"] = ["pqr"[row % 3] for row in range(len(columns["id"]))]
    prepared = workplace.prepare(columns, sequence=long(), categorical="embedding")
    assert list(prepared.preprocessing.embedded) == [2]
    there = prepared.train.steps_there()
    assert set(prepared.train.x[there][:, 2].tolist()) == {1.0, 2.0, 3.0}
    assert not prepared.train.x[~there].any()


@few
@given(seed=st.integers(0, 50), scale=st.sampled_from(["standard", "minmax", "robust", "quantile"]))
def test_rows_in_another_order_give_the_same_bits(workplace: Any, seed: int, scale: str) -> None:
    columns = walks(25, seed)
    first = workplace.prepare(columns, sequence=long(), scale=scale, seed=seed)
    together = [row for rows in by_loops(columns).values() for row in rows]
    second = workplace.prepare(
        {name: [cells[row] for row in together] for name, cells in columns.items()},
        sequence=long(),
        scale=scale,
        seed=seed,
    )
    assert plain(first) == plain(second)
    for a, b in zip(parts(first), parts(second), strict=True):
        assert a.x.tobytes() == b.x.tobytes()
        assert a.target.tobytes() == b.target.tobytes()


def test_without_an_order_the_file_decides(workplace: Any) -> None:
    columns = {"id": ["a", "b", "a", "b", "a"], "u": [1, 2, 3, 4, 5], "y": [0.5, 1.5, 0.5, 1.5, 0.5]}
    prepared = workplace.prepare(columns, sequence=SequenceOptions(group="id"), scale="none")
    assert prepared.train.x[..., 0].tolist() == [[1, 3, 5], [2, 4, 0]]
    assert prepared.train.lengths.tolist() == [3, 2]


def test_an_order_by_dates(workplace: Any) -> None:
    columns = {
        "id": [1, 1, 1, 2],
        "t": ["2024-03-01", "2024-02-11 12:00", "2024-02-11 07:30", "2024-01-01"],
        "u": [1, 2, 3, 4],
        "y": [0.5, 0.5, 0.5, 1.5],
    }
    prepared = workplace.prepare(columns, sequence=long(), scale="none")
    assert prepared.train.x[0, :, 0].tolist() == [3, 2, 1]


def test_sequences_of_one_length_have_no_padding(workplace: Any) -> None:
    columns = {"id": [row // 3 for row in range(75)], "u": range(75), "y": [row // 3 / 7 for row in range(75)]}
    prepared = workplace.prepare(columns, sequence=SequenceOptions(group="id"))
    assert prepared.train.lengths is None
    assert not prepared.preprocessing.form.ragged
    assert prepared.summary.form == "sequences: 1 channel, 3 steps (long form, by id)"
    other = {"id": [1, 1, 2, 2, 2, 2], "u": range(6), "y": [0.5] * 6}
    data = load_for_eval(prepared.preprocessing, workplace.table(other), "error").dataset
    assert data.x.shape == (2, 4, 1)
    assert data.lengths.tolist() == [2, 4]


def test_a_shorter_file_is_padded_as_in_training(workplace: Any) -> None:
    prepared = workplace.prepare(walks(30, 4), sequence=long())
    data, _ = prepared.preprocessing.apply(workplace.table({"id": ["x"], "t": [1], "u": [0.5], "v": [0.5]}))
    assert data.x.shape == (1, *prepared.preprocessing.shape)
    assert data.lengths.tolist() == [1]


def test_regression_and_multilabel_targets(workplace: Any) -> None:
    columns = walks(30, 5)
    names = list(by_loops(columns))
    columns["y"] = [names.index(name) / 7 for name in columns["id"]]
    columns["z"] = [names.index(name) % 2 for name in columns["id"]]
    columns["w"] = [names.index(name) % 3 // 2 for name in columns["id"]]
    numbers = workplace.prepare(columns, sequence=long(), target_scale="none", ignore=["z", "w"]).train
    assert numbers.target.tolist() == [[np.float32(columns["y"][row])] for row in numbers.rows]
    both = workplace.prepare(columns, sequence=long(), target=["z", "w"], ignore=["y"]).train
    assert both.target.tolist() == [[columns["z"][row], columns["w"][row]] for row in both.rows]
    tags = workplace.prepare(columns, sequence=long(target_per="row"), target=["z", "w"], ignore=["y"]).train
    assert tags.target.shape == (*tags.rows.shape, 2)
    assert tags.labels().target.tolist() == [[columns["z"][row], columns["w"][row]] for row in tags.labels().rows]
    steps = workplace.prepare(
        {**columns, "y": columns["u"], "u": columns["z"]}, sequence=long(target_per="row"), ignore=["z", "w"]
    )
    decoded = steps.preprocessing.decode(steps.train.labels().target)[:, 0]
    np.testing.assert_allclose(decoded, [columns["u"][row] for row in steps.train.labels().rows], rtol=1e-5)
    # the scale of the target is that of the training rows, not that of the sequences' first ones
    trained = np.array(columns["u"])[steps.train.labels().rows]
    assert steps.preprocessing.target.scalers[0].shift == pytest.approx(trained.mean(), rel=1e-12)


def test_weights_are_of_sequences_or_of_rows(workplace: Any) -> None:
    columns = walks(30, 6)
    columns["k"] = [int(name[1:]) / 4 for name in columns["id"]]
    whole = workplace.prepare(columns, sequence=long(), weight="k").train
    assert whole.weight.tolist() == [columns["k"][row] for row in whole.rows]
    columns["k"] = [row / 4 for row in range(len(columns["id"]))]
    tags = workplace.prepare(columns, sequence=long(target_per="row"), weight="k").train
    assert tags.labels().weight.tolist() == [columns["k"][row] for row in tags.labels().rows]
    assert not tags.weight[~tags.steps_there()].any()
    assert "the value that data.weight reads changes within the sequence" in refusal(
        workplace, columns, long(), weight="k"
    )


def test_balanced_class_weights_count_labels(workplace: Any) -> None:
    columns = walks(30, 7, per_row=True)
    tags = workplace.prepare(columns, sequence=long(target_per="row"), class_weight="balanced").train
    labels = tags.labels()
    counts = np.bincount(labels.target)
    expected = (len(labels) / (3 * counts)).astype(np.float32)
    assert labels.weight.tolist() == expected[labels.target].tolist()


def test_missing_drop_leaves_rows_out_before_sequences_are_formed(workplace: Any) -> None:
    columns: Columns = {
        "id": ["a", "a", "a", "b", "c", "c"],
        "u": [None, 2, 3, None, None, 6],
        "y": [0.5, 0.5, 0.5, 1.5, 2.5, 2.5],
    }
    sequence = SequenceOptions(group="id")
    prepared = workplace.prepare(columns, sequence=sequence, missing="drop", scale="none")
    assert prepared.train.rows.tolist() == [1, 5]
    assert prepared.train.x[..., 0].tolist() == [[2, 3], [6, 0]]
    assert "3 rows with missing cells are left out (missing: drop)" in prepared.notices
    judged = load_for_eval(prepared.preprocessing, workplace.table(columns), "error")
    assert judged.dataset.x.tobytes() == prepared.train.x.tobytes()
    assert "3 rows with missing cells are left out (missing: drop)" in judged.notices
