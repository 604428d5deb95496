"""Gradients that come row by row: no pass over the rest of the table, and never a row of an earlier step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array
from nntrain.core.initializers import INITIALIZERS
from nntrain.core.parameter import Parameter, ParameterStore
from nntrain.core.rng import stream
from nntrain.optim.base import OPTIMIZERS

ZEROS = INITIALIZERS.build("zeros")
ROWS, WIDTH = 7, 3


def made(dtype: Any = np.float32) -> tuple[ParameterStore, Parameter]:
    """Return a store of a bias, a table whose gradient comes by rows, and a kernel."""
    parameters = [
        Parameter("dense_1.bias", (5,), ZEROS),
        Parameter("embedding_1.table", (ROWS, WIDTH), ZEROS, rowwise=True),
        Parameter("dense_2.kernel", (2, 4), ZEROS),
    ]
    store = ParameterStore(parameters, np.dtype(dtype))
    return store, parameters[1]


def sums_for(rows: list[int], step: int, dtype: Any = np.float32) -> Array:
    return stream(0, "test-sums", step).standard_normal((len(rows), WIDTH)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_added_and_the_others_are_zero(dtype: Any) -> None:
    store, table = made(dtype)
    for step, rows in enumerate([[0, 3], [6], [], [2, 4, 5]]):
        store.grad.fill(np.nan)
        store.begin_step()
        table.add_rows(np.array(rows, np.intp), sums_for(rows, step, dtype))
        expected = np.zeros((ROWS, WIDTH), dtype)
        expected[rows] = sums_for(rows, step, dtype)
        np.testing.assert_array_equal(table.grad, expected)


def test_rows_of_several_batches_of_a_step_add_up() -> None:
    store, table = made()
    store.begin_step()
    expected = np.zeros((ROWS, WIDTH), np.float32)
    for step, rows in enumerate([[1, 3], [3, 4], [1]]):
        table.add_rows(np.array(rows), sums_for(rows, step))
        expected[rows] += sums_for(rows, step)
    np.testing.assert_array_equal(table.grad, expected)


def test_nothing_is_zeroed_again_where_the_last_reader_has() -> None:
    store, table = made()
    store.begin_step()
    table.add_rows(np.array([1]), sums_for([1], 0))
    store.grad[store.rowwise()[0]] = 0
    store.spent()
    table.grad[5] = 8  # nobody should, and nobody looks
    store.begin_step()
    table.add_rows(np.array([2]), sums_for([2], 1))
    assert table.grad[5].tolist() == [8] * WIDTH
    store.begin_step()  # nothing was spent in the step before
    table.add_rows(np.array([2]), sums_for([2], 1))
    assert not table.grad[5].any()


def test_a_table_that_is_not_used_in_a_step_has_no_gradient() -> None:
    store, table = made()
    store.grad.fill(np.nan)
    for _ in range(2):
        store.begin_step()
        store.finish_step()
        assert not table.grad.any()
        store.spent()


@pytest.mark.parametrize("name", OPTIMIZERS.names())
@pytest.mark.parametrize("lanes", [1, 3])
def test_training_by_rows_is_training_on_whole_gradients(name: str, lanes: int) -> None:
    stores = [made()[0], made()[0]]
    rules = [OPTIMIZERS.build({"name": name, "weight_decay": 0.01}) for _ in stores]
    rules[0].bind(stores[0].size)
    rules[1].bind(stores[1].size, lanes=lanes, cleared=stores[1].rowwise())
    for t in range(1, 6):
        rows = np.flatnonzero(stream(0, "test-rows", t).random(ROWS) < 0.4)
        for store, rule in zip(stores, rules, strict=True):
            store.begin_step()
            store.trainable[1].add_rows(rows, sums_for(rows.tolist(), t))
            store.finish_step()
            rule.update(store.value, store.grad, t, 0.1)
        stores[1].spent()
        assert not stores[1].trainable[1].grad.any()
    assert stores[0].value.tobytes() == stores[1].value.tobytes()


def test_where_parts_that_are_cleared_lie_in_the_blocks() -> None:
    rule = OPTIMIZERS.build("sgd")
    rule.bind(150_000, lanes=2, cleared=[slice(10, 20), slice(37_500, 75_010)])
    flat = [rule.lane_cleared(lane) for lane in range(2)]
    assert flat == [
        [[slice(10, 20), slice(37_500, 37_504)], [slice(37_504, 75_008)]],
        [[slice(75_008, 75_010)], []],
    ]
