"""What is found of layers by passes over a twin: shapes, memory, and that the network stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.core.tracing import measure, step_bytes
from nntrain.layers.sequential import Sequential

DENSE = {"name": "dense", "units": 5}
TRAINING = Context(training=True)
NETWORKS: list[tuple[list[Any], tuple[int, ...]]] = [
    ([DENSE, "relu", {"name": "dense", "units": 3}], (4,)),
    (["batch_norm", {"name": "residual", "layers": [DENSE, "gelu"]}, {"name": "dropout", "rate": 0.3}], (4,)),
    ([{"name": "branch", "branches": [[DENSE], ["tanh"], []]}, "layer_norm"], (4,)),
    ([{"name": "embedding", "vocabulary": 9, "dimensions": 4}, {"name": "transformer_block", "heads": 2}], (7,)),
    ([{"name": "transformer_block", "heads": 2, "dropout": 0.1, "norm": "last"}, "flatten", DENSE], (6, 4)),
]


def network_of(layers: list[Any], in_shape: tuple[int, ...]) -> Network:
    return Network(Sequential(layers), in_shape)


def scratch_after(network: Network, rows: int) -> int:
    twin = network.replica()
    twin.store.begin_step()
    twin.forward(np.zeros((rows, *network.in_shape), np.float32), TRAINING)
    twin.backward(np.zeros((rows, *network.out_shape), np.float32))
    return sum(layer.scratch_bytes for layer in twin.root.walk())


@pytest.mark.parametrize(("layers", "in_shape"), NETWORKS)
def test_memory_of_the_table_is_what_a_row_of_many_takes(layers: list[Any], in_shape: tuple[int, ...]) -> None:
    network = network_of(layers, in_shape)
    per_row = sum(row.activation_bytes for row in network.table())
    assert scratch_after(network, 5000) - scratch_after(network, 3000) == pytest.approx(2000 * per_row, rel=0.02)


@pytest.mark.parametrize(("layers", "in_shape"), NETWORKS)
@pytest.mark.parametrize(("rows", "tolerance"), [(1, 0.0), (7, 0.0), (32, 0.0), (5000, 0.03)])
def test_memory_of_a_step(layers: list[Any], in_shape: tuple[int, ...], rows: int, tolerance: float) -> None:
    network = network_of(layers, in_shape)
    assert step_bytes(network, rows) == pytest.approx(scratch_after(network, rows), rel=tolerance)


@pytest.mark.parametrize(("layers", "in_shape"), NETWORKS)
def test_flops_of_a_row_are_known_without_a_pass(layers: list[Any], in_shape: tuple[int, ...]) -> None:
    network = network_of(layers, in_shape)
    assert network.flops == sum(row.flops for row in network.table()) > 0


def test_memory_by_hand() -> None:
    rows = network_of([DENSE, "tanh", {"name": "dense", "units": 3}], (4,)).table()
    # y; y and dx; y and dx. The first layer gives no gradient of its input.
    assert [row.activation_bytes for row in rows] == [4 * 5, 4 * (5 + 5), 4 * (3 + 5)]


def test_memory_of_a_container_counts_with_its_last_layer() -> None:
    alone = network_of([DENSE, DENSE, "tanh"], (5,)).table()
    within = network_of([DENSE, {"name": "residual", "layers": [DENSE, "tanh"]}], (5,)).table()
    difference = [b.activation_bytes - a.activation_bytes for a, b in zip(alone, within, strict=True)]
    assert difference == [0, 0, 4 * (5 + 5)]  # the sums of both passes


def test_batch_norm_counts_as_with_many_rows() -> None:
    [row] = network_of(["batch_norm"], (6,)).table()
    assert row.activation_bytes == 4 * (6 + 6)  # y and dx; what else a few rows take grows up to a bound only


def test_an_activation_within_a_layer_is_part_of_it() -> None:
    network = network_of([{**DENSE, "activation": "gelu"}], (4,))
    [row] = network.table()
    assert (row.name, row.parameters, row.out_shape) == ("dense_1", 25, (5,))
    inner = measure(network).layers
    assert [found.layer.name for found in inner] == ["", "dense_1", "dense_1.gelu_1"]
    assert row.activation_bytes == inner[1].activation_bytes > inner[2].activation_bytes > 0


def test_shapes_of_all_layers_of_the_tree() -> None:
    network = network_of([{"name": "residual", "layers": [DENSE]}, {"name": "reshape", "shape": [5, 1]}], (4,))
    assert [(one.layer.name, one.in_shape, one.out_shape) for one in measure(network).layers] == [
        ("", (4,), (5, 1)),
        ("residual_1", (4,), (5,)),
        ("residual_1.dense_1", (4,), (5,)),
        ("residual_1.projection", (4,), (5,)),
        ("reshape_1", (5,), (5, 1)),
    ]


def test_the_network_stays_as_it_was() -> None:
    network = network_of(["batch_norm", DENSE], (4,))
    network.store.buffer[...] = np.arange(8)
    network.store.grad.fill(7)
    value, buffer = network.store.value.copy(), network.store.buffer.copy()
    network.table()
    np.testing.assert_array_equal(network.store.value, value)
    np.testing.assert_array_equal(network.store.buffer, buffer)
    assert (network.store.grad == 7).all()
    assert all(layer.scratch_bytes == 0 for layer in network.root.walk())
