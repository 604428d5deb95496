"""Sequences in long form: their splits, other files, what travels in the checkpoint, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.data.forms.long_sequences import LongSequences
from nntrain.data.options import DataOptions, SequenceOptions
from nntrain.data.pipeline import Preprocessing
from nntrain.data.preparation import load_for_eval, prepare
from nntrain.errors import DataError
from tests.data.forms.sequence_columns import (
    Columns,
    by_loops,
    ids_of,
    long,
    parts,
    plain,
    refusal,
    walks,
)

few = settings(max_examples=25, deadline=None)


@few
@given(
    seed=st.integers(0, 100), per_row=st.booleans(), how=st.sampled_from(["auto", "random", "tail", "group", "order"])
)
def test_no_sequence_is_in_two_parts(workplace: Any, seed: int, per_row: bool, how: str) -> None:
    columns = walks(40, seed, per_row=per_row)
    columns["site"] = [int(name[1:]) % 8 for name in columns["id"]]
    sequence = long(target_per="row" if per_row else "sequence")
    named: dict[str, Any] = {"group": {"group": "site"}, "order": {"order": "u"}}
    options = {"ignore": ["site"], **named.get(how, {"split": how})}
    prepared = workplace.prepare(columns, sequence=sequence, test=0.2, seed=seed % 5, **options)
    found = [ids_of(columns, data) for data in parts(prepared)]
    assert sum(map(len, found)) == 40
    assert len(set.union(*found)) == 40
    if how == "group":
        sites = [{int(name[1:]) % 8 for name in names} for names in found]
        assert sum(map(len, sites)) == len(set.union(*sites))
    if how in ("order", "tail"):
        firsts = [[columns["id"].index(name) for name in names] for names in found]
        keys = [[columns["u"][row] if how == "order" else row for row in rows] for rows in firsts]
        assert max(keys[0]) < min(keys[1]) and max(keys[1]) < min(keys[2])


def test_sequences_are_stratified_by_their_label(workplace: Any) -> None:
    prepared = workplace.prepare(walks(60, 8), sequence=long(), validation=0.25)
    assert np.bincount(prepared.validation.target).tolist() == [5, 5, 5]


def test_sequences_with_a_label_a_row_are_not_stratified_by_their_first(workplace: Any) -> None:
    columns, sequence = walks(60, 8, per_row=True), long(target_per="row")
    first = workplace.prepare(columns, sequence=sequence)
    second = workplace.prepare(columns, sequence=sequence, split="random")
    assert first.validation.rows.tolist() == second.validation.rows.tolist()


def test_folds_hold_out_each_sequence_once(workplace: Any) -> None:
    columns = walks(30, 9)
    held = [
        ids_of(columns, workplace.prepare(columns, sequence=long(), folds=5, fold=fold, validation="none").validation)
        for fold in range(5)
    ]
    assert [len(ids) for ids in held] == [6] * 5
    assert len(set.union(*held)) == 30


def test_a_split_file_names_rows_and_divides_sequences(workplace: Any) -> None:
    columns = walks(30, 10)
    rows = by_loops(columns)
    train = [row for name in list(rows)[:20] for row in rows[name]]
    held = [row for name in list(rows)[20:] for row in rows[name][-1:]]
    np.savez(workplace.folder / "split.npz", train=train, val=held)
    prepared = workplace.prepare(columns, sequence=long(), split="split.npz")
    assert ids_of(columns, prepared.train) == set(list(rows)[:20])
    assert ids_of(columns, prepared.validation) == set(list(rows)[20:])
    longest = sorted(max(rows.values(), key=len))
    np.savez(workplace.folder / "split.npz", train=[longest[0], *held], val=longest[1:])
    said = refusal(workplace, columns, long(), split="split.npz")
    assert f"split.npz: rows {longest[0]} and {longest[1]} are of one sequence" in said
    assert "named in train and in val" in said


def test_few_sequences_are_not_held_out(workplace: Any) -> None:
    prepared = workplace.prepare(walks(19, 11, longest=20), sequence=long())
    assert prepared.validation is None
    assert "fewer than 20 sequences: none are held out for validation" in prepared.notices


@few
@given(seed=st.integers(0, 20), factor=st.sampled_from([1000.0, -1.0]))
def test_held_out_sequences_change_nothing_that_is_fitted(workplace: Any, seed: int, factor: float) -> None:
    columns = walks(30, seed)
    columns["c"] = ["pq"[row % 2] for row in range(len(columns["id"]))]
    options: dict[str, Any] = {"sequence": long(), "test": 0.1, "seed": seed}
    first = workplace.prepare(columns, **options)
    held = ids_of(columns, first.validation) | ids_of(columns, first.test)
    for row, name in enumerate(columns["id"]):
        if name in held:
            columns["u"][row] = None if row % 2 else columns["u"][row] * factor
            columns["c"][row] = "never seen"
    last = max(columns["t"])
    for name in held:
        row = columns["id"].index(name)
        for t in range(5):
            for column, cells in columns.items():
                cells.append(last + 1 + t if column == "t" else cells[row])
    second = workplace.prepare(columns, **options)
    assert second.train.rows.tolist() == first.train.rows.tolist()
    assert plain(first) == plain(second)
    assert first.train.x.tobytes() == second.train.x.tobytes()
    assert first.train.lengths.tobytes() == second.train.lengths.tobytes()


@few
@given(
    seed=st.integers(0, 5),
    scale=st.sampled_from(["standard", "quantile"]),
    categorical=st.sampled_from(["onehot", "embedding"]),
    per_row=st.booleans(),
)
def test_state_through_json_gives_the_same_bits(
    workplace: Any, seed: int, scale: str, categorical: str, per_row: bool
) -> None:
    columns = walks(25, seed, per_row=per_row)
    columns["c"] = ["pqr"[row % 3] for row in range(len(columns["id"]))]
    sequence = long(target_per="row" if per_row else "sequence")
    prepared = workplace.prepare(columns, sequence=sequence, scale=scale, categorical=categorical)
    state, arrays = prepared.preprocessing.state()
    loaded = Preprocessing.load(json.loads(json.dumps(state, allow_nan=False)), arrays)
    assert isinstance(loaded.form, LongSequences)
    table = workplace.table({**walks(12, seed + 1, 9, per_row), "c": ["s"] * len(walks(12, seed + 1, 9)["id"])})
    first, second = (load_for_eval(found, table, "error") for found in (prepared.preprocessing, loaded))
    for name in ("x", "target", "lengths", "rows"):
        assert getattr(first.dataset, name).tobytes() == getattr(second.dataset, name).tobytes()
    assert first.notices == second.notices
    assert loaded.shape == prepared.preprocessing.shape
    assert (loaded.form.per_step, loaded.form.ragged) == (per_row, True)
    assert loaded.form.describe() == prepared.preprocessing.form.describe()
    assert json.dumps(loaded.state()[0]) == json.dumps(state)


@pytest.mark.parametrize("per_row", [False, True])
def test_a_file_of_the_validation_rows_is_the_validation_part(workplace: Any, per_row: bool) -> None:
    columns = walks(40, 12, per_row=per_row)
    sequence = long(target_per="row" if per_row else "sequence")
    prepared = workplace.prepare(columns, sequence=sequence)
    part = prepared.validation
    held = ids_of(columns, part)
    rows = [row for row, name in enumerate(columns["id"]) if name in held]
    table = workplace.table({name: [cells[row] for row in rows] for name, cells in columns.items()})
    judged = load_for_eval(prepared.preprocessing, table, "error")
    assert judged.dataset.x.tobytes() == part.x.tobytes()
    assert judged.labels.target.tolist() == part.labels().target.tolist()
    assert [rows[row] for row in judged.labels.rows] == part.labels().rows.tolist()
    assert judged.truth["y"] == [columns["y"][row] for row in part.labels().rows]
    form = prepared.preprocessing.form
    named = form.identify(table, judged.labels.rows)
    assert named == {"id": [columns["id"][rows[row]] for row in judged.labels.rows]}
    assert prepared.preprocessing.apply(table)[0].x.tobytes() == part.x.tobytes()


def test_a_file_of_full_sequences_is_judged_as_padded_ones_are(workplace: Any) -> None:
    prepared = workplace.prepare(walks(30, 13), sequence=long())
    steps = prepared.preprocessing.shape[0]
    columns = {"id": ["x"] * steps, "t": range(steps), "u": [0.5] * steps, "v": [0.5] * steps}
    assert prepared.preprocessing.apply(workplace.table(columns))[0].lengths.tolist() == [steps]


def test_columns_of_another_file(workplace: Any) -> None:
    prepared = workplace.prepare(walks(30, 13), sequence=long())
    columns = walks(5, 14)
    judged = load_for_eval(prepared.preprocessing, workplace.table({"extra": columns["u"], **columns}), "error")
    assert "columns that are not used: 'extra'" in judged.notices
    for name, help in (("id", "ID"), ("t", "T"), ("v", "V")):
        table = workplace.table({help if key == name else key: cells for key, cells in columns.items()})
        with pytest.raises(DataError, match=f"other.csv: column '{name}' is missing; did you mean '{help}'?"):
            prepared.preprocessing.apply(table)


def test_a_label_that_changes_is_named_by_its_line_in_eval_too(workplace: Any) -> None:
    prepared = workplace.prepare(walks(30, 15), sequence=long())
    columns = {"id": ["p", "q", "p"], "t": [1, 1, 2], "u": [0.5] * 3, "v": [0.5] * 3, "y": ["a", "b", "c"]}
    with pytest.raises(DataError) as caught:
        load_for_eval(prepared.preprocessing, workplace.table(columns), "error")
    assert caught.value.problems[0].place == "other.csv:4"
    assert (
        "column 'y': the label changes within the sequence 'p': expected 'a' as on line 2, got 'c'"
        in caught.value.render()
    )
    assert "target_per: row" in caught.value.render()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"id": ["a", "a", None, "b"]}, ["data.csv:4: column 'id': the cell that names the row's sequence is missing"]),
        ({"t": [1, 2, None, 1]}, ["data.csv:4: column 't': the cell that orders the row is missing"]),
        (
            {"t": ["x", "2024-01-01", "2024-01-02", "2024-01-01"]},
            ["data.csv:2: column 't': expected a date", "'x'", "dates that begin with"],
        ),
        ({"t": [2, 1, 2, 2]}, ["data.csv:4: column 't': '2' stands twice in the sequence 'a'", "is on line 2"]),
        (
            {"t": [7, 7, 7, 1]},
            ["data.csv:3: column 't': '7' stands twice", "the other one is on line 2", "1 more like"],
        ),
        ({"y": [1.5, 1.5, 2.5, 0.5]}, ["data.csv:4: column 'y': the label changes within the sequence 'a'"]),
        ({"y": [1.5, 2.5, 2.5, 0.5]}, ["data.csv:3: ", "expected '1.5' as on line 2, got '2.5'", "on line 4"]),
        ({"y": [1.5, None, 1.5, 0.5]}, ["data.csv:3: column 'y': the target is missing"]),
        ({"u": [1, 2, "three", 4]}, ["data.csv:4: column 'u'", "'three'"]),
        ({"site": ["n", "n", None, "n"]}, ["data.csv:4: column 'site': the value that data.group reads changes"]),
        ({"site": ["n", "n", "m", "n"]}, ["data.csv:4: column 'site': the value that data.group reads changes"]),
    ],
)
def test_what_is_wrong_with_a_file_is_named_by_its_line(workplace: Any, cells: Columns, words: list[str]) -> None:
    columns: Columns = {"id": ["a", "a", "a", "b"], "t": [1, 2, 3, 1], "u": [1, 2, 3, 4], "y": [1.5, 1.5, 1.5, 0.5]}
    options: dict[str, Any] = {"group": "site"} if "site" in cells else {}
    if cells.get("u"):
        options["types"] = {"u": {"type": "numeric"}}
    said = refusal(workplace, {**columns, **cells}, long(), **options)
    for word in words:
        assert word in said


def test_lines_of_several_files_are_named_with_their_file(workplace: Any) -> None:

    names = [workplace.write({"id": ["a"], "t": [1], "u": [2], "y": [0.5]}, f"{name}.csv") for name in ("one", "two")]
    with pytest.raises(DataError) as caught:
        prepare(DataOptions(train=names, target="y", sequence=long()), workplace.resolve, 0)
    assert "two.csv:2: column 't': '1' stands twice in the sequence 'a'" in caught.value.render()
    assert "the other one is on line 2 of one.csv" in caught.value.render()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sequence": long(group="idd")}, "data.sequence.group: column 'idd' not found; did you mean 'id'?"),
        ({"sequence": long(order="tt")}, "data.sequence.order: column 'tt' not found"),
        ({"sequence": long(steps=3)}, "expected either 'group' or 'steps', got both"),
        ({"sequence": long(target_per="row"), "split": "stratified"}, "needs one class a sequence"),
        ({"ignore": ["u", "v"]}, "no feature columns left"),
    ],
)
def test_what_is_wrong_with_the_config(workplace: Any, options: dict[str, Any], words: str) -> None:
    assert words in refusal(workplace, walks(30), **{"sequence": long(), **options})


def test_equal_numbers_are_one_label_however_they_are_written(workplace: Any) -> None:
    columns = {"id": ["a", "a", "b", "b"], "u": [1, 2, 3, 4], "y": ["1.50", "1.5", "2", "2.0"]}
    prepared = workplace.prepare(columns, sequence=SequenceOptions(group="id"), target_scale="none", task="regression")
    assert prepared.train.target.tolist() == [[1.5], [2.0]]


def test_the_id_and_the_order_are_features_where_they_are_asked_for_by_name(workplace: Any) -> None:
    prepared = workplace.prepare(walks(30), sequence=long(), features=["t", "u"])
    assert prepared.preprocessing.feature_names == ["t", "u"]
