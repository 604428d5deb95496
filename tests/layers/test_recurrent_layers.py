"""Recurrent layers: first values, memory, padding and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream
from nntrain.errors import ConfigError
from nntrain.layers.recurrent import MOST_UNROLLED, Recurrent
from nntrain.layers.step_products import in_parts, panels, parts_of_product, product_with
from nntrain.testing.suite import require_no_allocation

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
CELLS = [{"name": "rnn"}, {"name": "rnn", "activation": "relu"}, {"name": "lstm"}, {"name": "gru"}]
CELLS += [{"name": "gru", "reset": "before"}]


def random(shape: Shape, role: str) -> Array:
    return stream(0, f"test-{role}").standard_normal(shape)


def made(spec: dict[str, Any], steps: int, features: int, dtype: Any = np.float64) -> Network:
    return Network(LAYERS.build(spec), (steps, features), dtype=dtype, input_gradient=True)


def run(network: Network, x: Array, dy: Array, lengths: Array | None = None) -> tuple[Array, Array, dict[str, Array]]:
    network.store.begin_step()
    y = network.forward(x, Context(training=True, lengths=lengths)).copy()
    dx = network.backward(dy)
    network.store.finish_step()
    return y, np.array(dx), {p.name: p.grad.copy() for p in network.store.trainable}


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_each_gate_has_an_orthogonal_recurrent_block_and_its_own_fans(name: str) -> None:
    network = Network(LAYERS.build({"name": name, "units": 6}), (5, 3), dtype=np.float64)
    state, count = network.state(), GATES[name]
    for block in np.split(state["recurrent_kernel"], count, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(6), atol=1e-12)
    assert len({block[0, 0] for block in np.split(state["recurrent_kernel"], count, axis=1)}) == count
    limit = np.sqrt(6 / (3 + 6))
    assert 0.8 * limit < np.abs(state["kernel"]).max() <= limit


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 2.5])
def test_forget_bias_raises_the_third_gate_only(forget_bias: float) -> None:
    layer = {"name": "lstm", "units": 2, "forget_bias": forget_bias, "bias_initializer": "ones"}
    bias = Network(LAYERS.build(layer), (5, 3)).state()["bias"]
    np.testing.assert_array_equal(bias, [1, 1, 1, 1, 1 + forget_bias, 1 + forget_bias, 1, 1])


def test_relu_that_would_grow_beyond_all_numbers_in_the_padding() -> None:
    network = made({"name": "rnn", "units": 2, "activation": "relu"}, 400, 1, np.float32)
    network.state()["recurrent_kernel"][...] = 4.0
    x = np.ones((2, 400, 1), np.float32)
    _, dx, gradients = run(network, x, np.ones((2, 2), np.float32), np.array([2, 3]))
    assert np.isfinite(dx).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_steps_of_a_sequence_are_read_up_to_the_longest() -> None:
    network = made({"name": "lstm", "units": 3, "return_sequences": True}, 9, 2)
    x = random((2, 9, 2), "x")
    y = network.forward(x, Context(lengths=np.array([2, 4])))
    assert not y[:, 4:].any()
    layer = network.root
    assert isinstance(layer, Recurrent)
    assert layer.order.count == 4


def test_views_are_made_once_for_each_shape_and_not_kept_without_end() -> None:
    network = made({"name": "lstm", "units": 3}, 4, 2)
    layer = network.root
    assert isinstance(layer, Recurrent)
    for rows in [20, 7, 20, 7]:
        network.forward(random((rows, 4, 2), "x"))
    first = layer._unrolled[20, 4]
    network.forward(random((20, 4, 2), "x"))
    assert layer._unrolled[20, 4] is first
    for rows in range(1, 19):
        x = random((rows, 4, 2), "x")
        np.testing.assert_array_equal(network.forward(x), made({"name": "lstm", "units": 3}, 4, 2).forward(x))
    assert len(layer._unrolled) <= MOST_UNROLLED


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_a_shape_without_steps_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} needs sequences of shape \\(steps, features\\), got shape \\(4,\\)"):
        Network(LAYERS.build({"name": name, "units": 3}), (4,))


def test_bidirectional_refuses_a_layer_that_is_not_recurrent() -> None:
    with pytest.raises(ConfigError, match="expected a recurrent layer, got dense"):
        LAYERS.build({"name": "bidirectional", "layer": {"name": "dense", "units": 3}})


def test_the_input_s_gradient_is_left_out_where_nothing_needs_it() -> None:
    for spec in ({"name": "lstm", "units": 3}, {"name": "bidirectional", "layer": {"name": "gru", "units": 3}}):
        network = Network(LAYERS.build(spec), (4, 2), dtype=np.float64)
        network.store.begin_step()
        y = network.forward(random((5, 4, 2), "x"), Context(training=True))
        assert network.backward(np.ones_like(y)) is None


def test_last_step_of_padded_sequences() -> None:
    network = Network(LAYERS.build("last_step"), (4, 2), dtype=np.float64, input_gradient=True)
    x, lengths = random((3, 4, 2), "x"), np.array([2, 0, 4])
    ctx = Context(training=True, lengths=lengths)
    y = network.root.forward(x, ctx)
    assert ctx.lengths is None
    np.testing.assert_array_equal(y, [x[0, 1], [0, 0], x[2, 3]])
    dx = network.backward(np.ones((3, 2)))
    expected = np.zeros((3, 4, 2))
    expected[0, 1] = expected[2, 3] = 1
    np.testing.assert_array_equal(dx, expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_truncated_and_padded_rows_are_what_each_is_alone(cell: dict[str, Any], sequences: bool, reverse: bool) -> None:
    spec = {**cell, "units": 3, "truncate": 2, "return_sequences": sequences, "reverse": reverse}
    lengths = np.array([5, 2, 7, 4, 1])
    network, total = made(spec, 7, 2), 0.0
    x, dy = random((5, 7, 2), "x"), random((5, 7, 3) if sequences else (5, 3), "dy")
    if sequences:
        dy[np.arange(7) >= lengths[:, None]] = 0
    _, dx, _ = run(network, x, dy, lengths)
    gradient = network.store.grad.copy()
    for row, length in enumerate(lengths):
        alone = made(spec, length, 2)
        _, own, _ = run(alone, x[row, None, :length], dy[row, None, :length] if sequences else dy[row, None])
        np.testing.assert_allclose(dx[row, :length], own[0], rtol=1e-12, atol=1e-12)
        total += alone.store.grad
    np.testing.assert_allclose(gradient, total, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_padded_batches_allocate_nothing_that_grows_with_them(cell: dict[str, Any], reverse: bool) -> None:
    network = made({**cell, "units": 16, "return_sequences": True, "reverse": reverse}, 30, 8, np.float32)
    x, dy = random((64, 30, 8), "x").astype(np.float32), random((64, 30, 16), "dy").astype(np.float32)
    batches = [np.arange(64) % 27 + 3, np.arange(64) % 20]

    def epoch() -> None:
        for lengths in batches:
            network.store.begin_step()
            network.forward(x, Context(training=True, lengths=lengths))
            network.backward(dy)

    require_no_allocation(epoch)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_products_in_parts_allocate_nothing(cell: dict[str, Any]) -> None:
    network = made({**cell, "units": 128}, 10, 8, np.float32)
    x, dy = random((64, 10, 8), "x").astype(np.float32), random((64, 128), "dy").astype(np.float32)

    def step() -> None:
        network.store.begin_step()
        network.forward(x, Context(training=True))
        network.backward(dy)

    require_no_allocation(step)


@given(st.integers(1, 4), st.integers(1, 300), st.integers(1, 700), st.integers(1, 300))
def test_a_product_in_parts_is_the_product(blocks: int, rows: int, inner: int, columns: int) -> None:
    matrix, other = random((blocks * rows, inner), "matrix"), random((inner, columns), "other")
    parts, out = parts_of_product(matrix.shape, columns, blocks), np.empty((len(matrix), columns))
    assert parts == 1 or parts % blocks == 0
    product_with(in_parts(matrix, parts))(other, in_parts(out, parts))
    np.testing.assert_allclose(out, matrix @ other, rtol=1e-10, atol=1e-10)

    in_panels, written = panels(np.empty((inner, len(matrix))), parts, blocks)
    written[...] = matrix.T.reshape(written.shape)
    product_with(in_panels)(other, in_parts(out, parts))
    np.testing.assert_allclose(out, matrix @ other, rtol=1e-10, atol=1e-10)
