"""Text columns: sequences of codes against loops over the cells, nothing learnt from held-out rows, every message."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.data.options import TextOptions
from nntrain.data.pipeline import Preprocessing
from nntrain.data.preparation import Prepared, load_for_eval
from nntrain.data.tokens import Tokenizer
from nntrain.errors import DataError

ROWS = 40
TEXT = {"types": {"text": {"type": "text"}}}
few = settings(max_examples=25, deadline=None)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20) | st.sampled_from(
    ['a "b", c\nd', "😀 b", "", " ", "NA", "null", "1.5", "é", "e\u0301", "''", '""', "=1+1"]
)


def sentences(rows: int = ROWS, seed: int = 0) -> list[str]:
    """Return texts of 1 to 9 of eight words, so that each stands often."""
    source = random.Random(seed)
    return [
        " ".join(source.choices(["a", "b", "c", "D", "don't", "!", "7", "é"], k=1 + row % 9)) for row in range(rows)
    ]


def columns(rows: int = ROWS, **others: Any) -> dict[str, Any]:
    return {"text": sentences(rows), **others, "y": [["p", "q"][row % 2] for row in range(rows)]}


def plain(prepared: Prepared) -> tuple[str, dict[str, bytes]]:
    state, arrays = prepared.preprocessing.state()
    return json.dumps(state, allow_nan=False), {name: array.tobytes() for name, array in arrays.items()}


def by_hand(prepared: Prepared, texts: list[list[str]], length: int, tokens: str = "word") -> list[list[int]]:
    """Return the codes of each row, whose texts stand in columns, as the vocabulary of what was prepared says."""
    form: Any = prepared.preprocessing.form
    known, rows = form.vocabulary.known, []
    for cells in texts:
        row: list[int] = []
        for number, cell in enumerate(cells):
            found = Tokenizer(tokens)(cell)[:length]
            row += [len(known) + 1] * (number > 0)
            row += [known.index(token) + 1 if token in known else 0 for token in found] or [0]
        rows.append(row[: form.shape[0]])
    return rows


def told(prepared: Prepared) -> str:
    return "\n".join(prepared.notices)


def test_a_row_is_the_codes_of_its_words_and_zeros(workplace: Any) -> None:
    table = columns()
    prepared = workplace.prepare(table, **TEXT)
    form = prepared.preprocessing.form
    assert (form.name, form.shape, form.embedded, form.feature_names) == ("text", (9, 1), {0: 9}, ["text"])
    for data in (prepared.train, prepared.validation):
        expected = by_hand(prepared, [[table["text"][row]] for row in data.rows], 100)
        assert data.lengths.tolist() == [len(row) for row in expected]
        assert data.x[:, :, 0].tolist() == [[*row, *[0] * (9 - len(row))] for row in expected]
        assert (data.x.dtype, data.x.shape[2]) == (np.float32, 1)
    assert prepared.summary.lines()[1] == "text: 8 words (of 8 different), 1 to 9 tokens a row"
    assert prepared.summary.as_json()["columns"] == {"text": ["text"]}


@few
@given(
    held=st.lists(TEXTS, min_size=1, max_size=5), seed=st.integers(0, 5), tokens=st.sampled_from(["word", "character"])
)
def test_held_out_texts_change_nothing_that_is_learnt(workplace: Any, held: list[str], seed: int, tokens: str) -> None:
    options = {**TEXT, "seed": seed, "test": 0.1, "text": TextOptions(tokens=tokens)}
    table = columns()
    first = workplace.prepare(table, **options)
    for number, row in enumerate([*first.validation.rows.tolist(), *first.test.rows.tolist()]):
        table["text"][row] = held[number % len(held)] * 7
    second = workplace.prepare(table, **options)
    assert plain(second) == plain(first)
    assert second.train.x.tobytes() == first.train.x.tobytes()
    assert second.train.lengths.tolist() == first.train.lengths.tolist()


@few
@given(
    texts=st.lists(TEXTS, min_size=8, max_size=8), tokens=st.sampled_from(["word", "character"]), small=st.booleans()
)
def test_any_text_comes_back_from_a_checkpoint_with_the_same_bits(
    workplace: Any, texts: list[str], tokens: str, small: bool
) -> None:
    table = columns()
    table["text"][:8] = texts
    prepared = workplace.prepare(table, **TEXT, text=TextOptions(tokens=tokens, lowercase=small, minimum_count=1))
    state, arrays = prepared.preprocessing.state()
    loaded = Preprocessing.load(json.loads(json.dumps(state, allow_nan=False)), arrays)
    assert json.dumps(loaded.state()[0]) == json.dumps(state)
    other = workplace.table(columns() | {"text": [*texts[::-1], *sentences(ROWS - 8, 1)]})
    (first, told_first), (second, told_second) = prepared.preprocessing.apply(other), loaded.apply(other)
    assert first.x.tobytes() == second.x.tobytes()
    assert first.lengths.tolist() == second.lengths.tolist()
    assert told_first == told_second
    assert (loaded.embedded, loaded.feature_names) == (prepared.preprocessing.embedded, ["text"])


@few
@given(rows=st.permutations(range(ROWS)), order=st.permutations(["text", "n", "y", "extra"]))
def test_rows_stand_for_themselves_and_columns_are_found_by_name(
    workplace: Any, rows: list[int], order: list[str]
) -> None:
    table = columns(n=list(range(ROWS)))
    prepared = workplace.prepare(table, **TEXT)
    other = {**table, "text": sentences(seed=1), "extra": ["e"] * ROWS}
    straight = load_for_eval(prepared.preprocessing, workplace.table(other), "error")
    mixed = {name: [other[name][row] for row in rows] for name in order}
    judged = load_for_eval(prepared.preprocessing, workplace.table(mixed), "error")
    assert judged.dataset.x.tobytes() == straight.dataset.x[rows].tobytes()
    assert judged.dataset.lengths.tolist() == straight.dataset.lengths[rows].tolist()
    assert any("extra" in notice for notice in judged.notices)


def test_the_order_of_training_rows_changes_no_vocabulary(workplace: Any) -> None:
    table = columns()
    first = workplace.prepare(table, validation="none", **TEXT)
    turned = {name: cells[::-1] for name, cells in table.items()}
    second = workplace.prepare(turned, validation="none", **TEXT)
    assert plain(second) == plain(first)
    assert second.train.x.tobytes() == first.train.x[::-1].tobytes()


def test_validation_rows_read_from_a_file_are_the_same(workplace: Any) -> None:
    table = columns(n=list(range(ROWS)))
    prepared = workplace.prepare(table, **TEXT)
    x, _ = prepared.preprocessing.features(workplace.table(table))
    for data in (prepared.train, prepared.validation):
        assert x[data.rows].tobytes() == data.x.tobytes()


def test_words_seen_once_or_never_share_code_zero(workplace: Any) -> None:
    table = {"text": ["common rare"] + ["common"] * 25, "y": ["p", "q"] * 13}
    prepared = workplace.prepare(table, validation="none", **TEXT)
    assert prepared.preprocessing.form.embedded == {0: 2}
    assert prepared.train.x[0, :, 0].tolist() == [1, 0]
    assert "1 words (of 2 different), 1 to 2 tokens a row" in prepared.summary.lines()[1]
    other = {"text": ["never common", "rare"], "y": ["p", "q"]}
    judged = load_for_eval(prepared.preprocessing, workplace.table(other), "error")
    assert judged.dataset.x[:, :, 0].tolist() == [[0, 1], [0, 0]]
    assert judged.dataset.lengths.tolist() == [2, 1]
    assert "words that the vocabulary lacks share code 0: 'text' 2 of 3" in judged.notices
    one = workplace.prepare(table, validation="none", **TEXT, text=TextOptions(minimum_count=1))
    assert one.preprocessing.form.embedded == {0: 3}
    two = workplace.prepare(table, validation="none", **TEXT, text=TextOptions(minimum_count=1, vocabulary=1))
    assert two.preprocessing.form.embedded == {0: 2}


def test_long_texts_are_cut_and_short_ones_do_not_pay(workplace: Any) -> None:
    table = columns()
    prepared = workplace.prepare(table, validation="none", **TEXT, text=TextOptions(length=5))
    assert prepared.preprocessing.shape == (5, 1)
    assert prepared.train.lengths.tolist() == [min(5, 1 + row % 9) for row in range(ROWS)]
    longer = sum(1 + row % 9 > 5 for row in range(ROWS))
    assert f"training texts cut after 5 tokens (data.text.length): 'text' {longer} of {ROWS}" in told(prepared)
    whole = workplace.prepare(table, validation="none", **TEXT)
    data, notices = whole.preprocessing.apply(workplace.table({"text": ["a " * 20, "b"]}))
    assert (data.x.shape, data.lengths.tolist()) == ((2, 9, 1), [9, 1])
    assert "texts cut to 9 tokens, as in training: 'text' 1 of 2" in notices
    assert "cut" not in told(whole)


def test_a_missing_text_is_an_empty_one(workplace: Any) -> None:
    table = columns()
    table["text"][:4] = [None, " ", "?", "NA"]
    prepared = workplace.prepare(table, validation="none", missing_values=["?"], **TEXT)
    assert prepared.train.lengths[:4].tolist() == [1, 1, 1, 1]
    assert not prepared.train.x[:4].any()
    assert "empty texts, each taken as one unknown token: 'text' 3" in told(prepared)
    assert not prepared.summary.missing


def test_missing_texts_can_be_dropped_or_refused(workplace: Any) -> None:
    table = columns()
    table["text"][5] = None
    prepared = workplace.prepare(table, validation="none", missing="drop", **TEXT)
    assert prepared.train.rows.tolist() == [row for row in range(ROWS) if row != 5]
    assert "1 rows with missing cells are left out" in told(prepared)
    own = workplace.prepare(table, validation="none", types={"text": {"type": "text", "missing": "drop"}})
    assert own.train.rows.tolist() == prepared.train.rows.tolist()
    with pytest.raises(DataError) as caught:
        workplace.prepare(table, missing="error", **TEXT)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("data.csv", 7)
    assert problem.message == "column 'text': a cell is missing, and missing is 'error'"


def test_a_checkpoint_that_drops_or_refuses_does_so_again(workplace: Any) -> None:
    for missing in ("drop", "error"):
        prepared = workplace.prepare(columns(), missing=missing, **TEXT)
        state, arrays = prepared.preprocessing.state()
        loaded = Preprocessing.load(json.loads(json.dumps(state)), arrays)
        other = workplace.table(columns() | {"text": [None, *sentences()[1:]]})
        if missing == "drop":
            assert loaded.form.select(other).tolist() == list(range(1, ROWS))
        else:
            with pytest.raises(DataError, match="a cell is missing"):
                loaded.apply(other)


def test_characters(workplace: Any) -> None:
    table = columns()
    prepared = workplace.prepare(table, validation="none", **TEXT, text=TextOptions(tokens="character", length=12))
    expected = by_hand(prepared, [[text] for text in table["text"]], 12, "character")
    assert prepared.train.lengths.tolist() == [len(row) for row in expected]
    assert prepared.train.x[:, :, 0].tolist() == [[*row, *[0] * (12 - len(row))] for row in expected]
    assert prepared.preprocessing.form.vocabulary.known[0] == " "
    assert "12 characters (of 12 different)" in prepared.summary.lines()[1]


@few
@given(length=st.integers(1, 12), seed=st.integers(0, 3))
def test_texts_of_two_columns_follow_each_other(workplace: Any, length: int, seed: int) -> None:
    table = columns(title=sentences(seed=seed + 1)[::-1])
    table["title"][3] = None
    types = {"title": {"type": "text"}, "text": {"type": "text"}}
    prepared = workplace.prepare(table, types=types, text=TextOptions(length=length))
    form = prepared.preprocessing.form
    assert form.embedded == {0: len(form.vocabulary.known) + 2}
    for data in (prepared.train, prepared.validation):
        expected = by_hand(prepared, [[table["text"][row], table["title"][row] or ""] for row in data.rows], length)
        assert data.lengths.tolist() == [len(row) for row in expected]
        assert data.x[:, :, 0].tolist() == [[*row, *[0] * (form.shape[0] - len(row))] for row in expected]
    assert form.shape[0] == prepared.train.lengths.max()
    assert form.feature_names == ["text + title"]
    first, second = "a " * form.shape[0] * 2, "b"
    data, _ = prepared.preprocessing.apply(workplace.table({"text": [first, second], "title": [second, first]}))
    expected = by_hand(prepared, [[first, second], [second, first]], length)
    assert data.x[:, :, 0].tolist() == [[*row, *[0] * (form.shape[0] - len(row))] for row in expected]


def test_other_columns_stand_beside_each_token(workplace: Any) -> None:
    table = columns(n=[row / 7 for row in range(ROWS)], c=["u", "v", "w", "u"] * 10)
    prepared = workplace.prepare(table, **TEXT, categorical="embedding", missing="mean")
    rows = workplace.prepare(table, ignore=["text"], categorical="embedding", missing="mean")
    form = prepared.preprocessing.form
    assert form.feature_names == ["text", "n", "c"]
    assert form.embedded == {0: 9, 2: 4}
    assert form.columns == ["text", "n", "c"]
    assert "text: 8 words" in form.describe()
    assert form.describe().endswith("; columns: 1 numeric, 1 categorical -> 2 inputs at each step")
    for data, other in ((prepared.train, rows.train), (prepared.validation, rows.validation)):
        assert data.rows.tolist() == other.rows.tolist()
        for x, length, expected in zip(data.x, data.lengths, other.x, strict=True):
            assert x[:length, 1:].tolist() == [expected.tolist()] * length
            assert not x[length:].any()
            assert not np.signbit(x[length:]).any()
    state, arrays = prepared.preprocessing.state()
    loaded = Preprocessing.load(json.loads(json.dumps(state)), arrays)
    assert (
        loaded.features(workplace.table(table))[0].tobytes()
        == prepared.preprocessing.features(workplace.table(table))[0].tobytes()
    )


def test_weights_and_numeric_targets_are_those_of_rows(workplace: Any) -> None:
    table = columns(w=[1 + row % 3 for row in range(ROWS)], z=[row / 3 for row in range(ROWS)])
    prepared = workplace.prepare(table, **TEXT, weight="w", target="z", ignore=["y"])
    assert prepared.train.weight.tolist() == [1 + row % 3 for row in prepared.train.rows]
    decoded = prepared.preprocessing.decode(prepared.train.target)[:, 0]
    assert decoded == pytest.approx([row / 3 for row in prepared.train.rows], abs=1e-6)


def test_repeated_texts_on_both_sides_of_a_split_are_told(workplace: Any) -> None:
    prepared = workplace.prepare({"text": ["same words"] * ROWS, "y": ["p", "q"] * 20}, **TEXT)
    assert "8 of 8 validation rows also stand in the training rows" in told(prepared)


def test_sequences_are_written_piece_by_piece(workplace: Any) -> None:
    table = columns(9000)
    prepared = workplace.prepare(table, validation="none", **TEXT)
    expected = by_hand(prepared, [[text] for text in table["text"]], 100)
    assert prepared.train.lengths.tolist() == [len(row) for row in expected]
    assert all(x[: len(row), 0].tolist() == row for x, row in zip(prepared.train.x, expected, strict=True))
