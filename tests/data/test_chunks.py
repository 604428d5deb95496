"""Rows gone through in stretches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.data.chunks import CHUNK_ROWS, Selection, between, chunks, narrow, row_numbers, rows_where, taken

ROWS = st.integers(1, 40)


@given(st.integers(0, 50), st.integers(1, 60))
def test_stretches_cover_all_rows_once(rows: int, size: int) -> None:
    covered = [row for stretch in chunks(rows, size) for row in range(stretch.start, stretch.stop)]
    assert covered == list(range(rows))


@given(ROWS, st.data(), st.integers(1, 7))
def test_a_selection_reads_what_indexing_gives(count: int, data: st.DataObject, size: int) -> None:
    rows = np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=30)), np.int32)
    values = np.arange(3.0 * count).reshape(count, 3)
    selection = Selection(rows, count)
    out = np.full((len(rows), 3), np.nan)
    for stretch in chunks(count, size):
        selection.deal(values[stretch], stretch, out)
    assert np.array_equal(out, values[rows])
    assert np.array_equal(selection.read(values[:, 1].__getitem__), values[rows, 1])
    assert np.array_equal(selection.read(values.__getitem__, np.empty((len(rows), 3), np.float32)), values[rows])


def test_a_selection_of_more_rows_than_a_stretch() -> None:
    count = 2 * CHUNK_ROWS + 5
    values = np.random.default_rng(0).normal(size=count)
    for rows in (np.arange(0, count, 3), np.random.default_rng(1).permutation(count)[: CHUNK_ROWS + 3]):
        assert np.array_equal(Selection(rows, count).read(values.__getitem__), values[rows])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_ends_of_a_stretch_among_rows(dtype: type) -> None:
    rows = np.array([0, 2, 5, 6, 9], dtype)
    assert [between(rows, slice(*ends)) for ends in ((0, 3), (3, 5), (5, 10))] == [(0, 2), (2, 2), (2, 5)]


@given(st.lists(st.booleans(), max_size=60))
def test_rows_where_a_mask_is_true(mask: list[bool]) -> None:
    assert rows_where(np.array(mask, bool)).tolist() == [i for i, is_true in enumerate(mask) if is_true]


def test_rows_of_a_mask_longer_than_a_stretch() -> None:
    mask = np.random.default_rng(0).random(2 * CHUNK_ROWS + 9) < 0.3
    assert np.array_equal(rows_where(mask), np.flatnonzero(mask))


def test_numbers_take_the_narrowest_type() -> None:
    assert row_numbers(5).dtype == np.int32
    codes = np.random.default_rng(0).integers(0, 300, CHUNK_ROWS + 7)
    found = narrow(codes.__getitem__, len(codes), 300)
    assert found.dtype == np.uint16 and np.array_equal(found, codes)
    assert narrow(codes.__getitem__, 0, 0).dtype == np.uint8


def test_taking_row_by_row_number() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    rows = np.random.default_rng(1).integers(0, 1000, CHUNK_ROWS + 3)
    assert np.array_equal(taken(values, rows, np.empty(len(rows))), values[rows])
