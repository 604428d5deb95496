"""Columns read from blocks that are nearly plain: what the grammar makes of their cells, or nothing."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.data import plain_cells
from nntrain.data.grammar import OTHER, Grammar
from nntrain.data.pieces import Texts
from nntrain.data.plain_cells import PlainCells

numbers = st.one_of(
    st.integers(-300, 300).map(str),
    st.floats(-1e6, 1e6).map(repr),
    st.sampled_from(["", "NA", " 5 ", "+3", "1e-3", "1,5", "12345678901234567890123"]),
)
texts = st.one_of(st.text("ab.é,-", max_size=6), st.sampled_from(["x" * 40, "", "7", "aaaaaaaa", "aaaaaaaab"]))


def piece(cells: list[str], decimal: str = ".", numeric: bool = True) -> object:
    reader = PlainCells(2, ord(";"), Grammar(decimal))
    block = "".join(f"{cell};{i}\n" for i, cell in enumerate(cells)).encode()
    read = reader.read(memoryview(block), [[0], [1]] if numeric else [[1]], [] if numeric else [0])
    assert read is not None
    rows, found = read
    assert rows == len(cells)
    assert np.array_equal(found[1], range(rows))
    return found.get(0)


@given(cells=st.lists(numbers, min_size=1, max_size=60), decimal=st.sampled_from([".", ","]), step=st.integers(1, 200))
def test_numbers_are_those_of_the_grammar(cells: list[str], decimal: str, step: int) -> None:
    values, states = Grammar(decimal).convert(cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_cells, "_STEP", step)
        found = piece(cells, decimal)
    if found is None:
        assert (states == OTHER).any() or len(cells) > plain_cells._FEW
    else:
        assert not (states == OTHER).any()
        np.testing.assert_array_equal(found, values)


@given(cells=st.lists(texts, min_size=1, max_size=60), step=st.integers(1, 200))
def test_texts_are_told_apart(cells: list[str], step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_cells, "_STEP", step)
        found = piece(cells, numeric=False)
    if found is None:
        assert max(map(len, cells)) >= 40
        return
    assert isinstance(found, Texts)
    assert found.cells(slice(None)).tolist() == cells
    assert list(found.distinct) == list(dict.fromkeys(cells))


def test_texts_that_share_a_key_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_cells, "_SPREAD", [np.uint64(0)] * 4)
    assert piece(["one", "two", "one"], numeric=False) is None


def test_a_column_with_many_unusual_cells_is_left() -> None:
    assert piece(["1e5"] * 17 + ["1"] * 100) is None
    found = piece(["1e5"] * 16 + ["1"] * 100)
    assert isinstance(found, np.ndarray)
    assert found[:17].tolist() == [1e5] * 16 + [1]


@pytest.mark.parametrize(
    "block",
    ["1;2\n\n3;4\n", "1\n2;3;4\n", "1;2\n3;4;5\n", "1;2\n3\n4;5;6\n", "1;2\n" + "3" * 200_000 + ";4\n"],
)
def test_irregular_blocks_are_left(block: str) -> None:
    assert PlainCells(2, ord(";"), Grammar()).read(memoryview(block.encode()), [[0, 1]], []) is None


@given(st.lists(st.text('ab"; .1\n', max_size=4), min_size=2, max_size=20), st.integers(1, 20))
def test_quotes_around_cells_are_left_out(cells: list[str], step: int) -> None:
    cells = cells[: len(cells) // 2 * 2]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";", lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(
        zip(cells[::2], cells[1::2], strict=True)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_cells, "_STEP", step)
        read = PlainCells(2, ord(";"), Grammar()).read(memoryview(out.getvalue().encode()), [], [0, 1])
    if any(set(cell) & set('";\n') for cell in cells):
        assert read is None
        return
    assert read is not None
    found = [piece.cells(slice(None)).tolist() for piece in (read[1][0], read[1][1]) if isinstance(piece, Texts)]
    assert found == [cells[::2], cells[1::2]]


def test_quoted_numbers_are_numbers() -> None:
    found = piece(["1.5", '"2.5"', '"-3"', '""', "4"])
    np.testing.assert_array_equal(np.asarray(found), [1.5, 2.5, -3, np.nan, 4])


@pytest.mark.parametrize(
    "block", ['"1;2\n', '1";2\n', '"1"2";3\n', '";2\n', '1;"\n', '"a";b" c\n', ' "1";2\n', '"1""";2\n']
)
def test_other_quotes_are_left(block: str) -> None:
    assert PlainCells(2, ord(";"), Grammar()).read(memoryview(block.encode()), [], [0, 1]) is None


def test_one_column_is_left_for_a_blank_line_would_be_a_cell() -> None:
    assert PlainCells(1, ord(","), Grammar()).read(memoryview(b"1\n\n2\n"), [[0]], []) is None


def test_may_read() -> None:
    plain = PlainCells(2, ord(","), Grammar())
    assert plain.may_read(["1", "-2.5", "", "3."], is_text=False)
    assert not plain.may_read(["1e5", "2e5"], is_text=False)
    assert plain.may_read(["short"], is_text=True)
    assert not plain.may_read(["x" * 33], is_text=True)
    assert not PlainCells(2, ord(","), Grammar(missing_values=("-1",))).may_read(["1"], is_text=False)
