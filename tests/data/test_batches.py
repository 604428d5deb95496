"""Batches: every row once an epoch, in an order that only the seed and the epoch decide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.data.batches import Dataset, Loader

ROWS = st.integers(1, 40)
SIZES = st.one_of(st.integers(1, 50), st.just("full"))


def dataset(rows: int, weighted: bool = True) -> Dataset:
    number = np.arange(rows)
    x = (number[:, None] * 10 + np.arange(3)).astype(np.float32)
    weight = (number + 1).astype(np.float32) if weighted else None
    return Dataset(x, number.copy(), weight, number + 100)


def targets(loader: Loader, epoch: int) -> list[list[int]]:
    loader.begin(epoch)
    return [loader.batch(number).target.tolist() for number in range(loader.batch_count)]


@given(rows=ROWS, size=SIZES, seed=st.integers(0, 3), epoch=st.integers(1, 4))
def test_every_row_once_and_whole(rows: int, size: int | str, seed: int, epoch: int) -> None:
    loader = Loader(dataset(rows), size, seed)
    loader.begin(epoch)
    seen: list[int] = []
    for number in range(loader.batch_count):
        batch = loader.batch(number)
        expected = dataset(rows).subset(batch.target.copy())
        assert batch.x.tobytes() == expected.x.tobytes()
        assert batch.weight is not None and batch.weight.tolist() == (batch.target + 1).tolist()
        start, end = loader.bounds(number)
        assert loader.weight_between(start, end) == float(batch.weight.sum())
        seen += batch.target.tolist()
    assert sorted(seen) == list(range(rows))
    answers = loader.dataset.answers(loader.order)
    assert answers.target.tolist() == seen and answers.target.dtype == np.int64
    assert answers.weight is not None and answers.weight.tolist() == [row + 1 for row in seen]


@given(rows=ROWS, size=st.integers(1, 50))
def test_all_batches_but_the_last_are_full(rows: int, size: int) -> None:
    sizes = [len(batch) for batch in targets(Loader(dataset(rows), size, 0), 1)]
    expected = [size] * (rows // size) + [rows % size] * (rows % size > 0)
    assert sizes == expected


def test_the_order_is_a_function_of_seed_and_epoch_not_of_history() -> None:
    walked, jumped = Loader(dataset(30), 7, 5), Loader(dataset(30), 7, 5)
    history = [targets(walked, epoch) for epoch in (1, 2, 3)]
    assert targets(jumped, 3) == history[2]
    assert targets(jumped, 1) == history[0]
    assert history[0] != history[1]
    assert targets(Loader(dataset(30), 7, 6), 1) != history[0]


def test_a_batch_can_be_taken_in_any_order() -> None:
    loader = Loader(dataset(10), 3, 0)
    forward = targets(loader, 2)
    assert [loader.batch(number).target.tolist() for number in (3, 1, 0, 2)] == [forward[n] for n in (3, 1, 0, 2)]


@pytest.mark.parametrize("size", ["full", 8, 1000])
def test_one_batch_of_all_rows_keeps_the_order_of_the_file(size: int | str) -> None:
    assert targets(Loader(dataset(8), size, 3), 5) == [list(range(8))]


def test_without_weights_a_row_weighs_1() -> None:
    loader = Loader(dataset(9, weighted=False), 4, 0)
    loader.begin(1)
    assert loader.batch(0).weight is None
    assert loader.weight_between(2, 7) == 5.0


def test_the_rows_of_a_batch_are_named_in_ascending_order() -> None:
    loader = Loader(dataset(12), 5, 0)
    loader.begin(1)
    rows = sorted(100 + row for row in loader.order[:5].tolist())
    assert loader.describe_rows(0, 5) == f"rows {', '.join(map(str, rows))}"
    first = ", ".join(str(100 + row) for row in range(8))
    assert loader.describe_rows(0, 12) == f"rows {first}, ... (12 in all)"


def test_a_subset_keeps_row_numbers_and_weights() -> None:
    part = dataset(6).subset(np.array([4, 1]))
    assert part.rows.tolist() == [104, 101]
    assert part.target.tolist() == [4, 1]
    assert part.weight is not None and part.weight.tolist() == [5.0, 2.0]
    assert len(part) == 2
