"""Naming, replicas, state, first values and the layer table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.layer import Context, Layer
from nntrain.core.network import Network
from nntrain.core.parameter import Parameter, ParameterStore
from nntrain.core.rng import stream
from nntrain.core.scratch import ScratchOwner
from nntrain.layers.dense import Dense
from nntrain.layers.sequential import Sequential

MLP: list[Any] = [{"name": "dense", "units": 5}, "relu", {"name": "dense", "units": 3}]
TRAINING = Context(training=True)


def network_of(layers: list[Any], in_shape: tuple[int, ...] = (4,), **options: Any) -> Network:
    return Network(Sequential(layers), in_shape, **options)


def step(network: Network, x: Any) -> None:
    network.store.begin_step()
    y = network.forward(x, TRAINING)
    network.backward(np.ones_like(y))
    network.store.finish_step()


def test_layers_are_named_by_kind_and_number_along_the_tree() -> None:
    network = network_of([*MLP, {"name": "residual", "layers": ["tanh", {"name": "dense", "units": 3}]}])
    assert [layer.name for layer in network.layers] == [
        "dense_1",
        "relu_1",
        "dense_2",
        "residual_1.tanh_1",
        "residual_1.dense_1",
    ]
    assert list(network.state()) == [
        "dense_1.kernel",
        "dense_1.bias",
        "dense_2.kernel",
        "dense_2.bias",
        "residual_1.dense_1.kernel",
        "residual_1.dense_1.bias",
    ]


def test_a_single_layer_is_a_network() -> None:
    assert list(Network(Dense(3), (4,)).state()) == ["kernel", "bias"]


def test_parameters_are_views_of_the_flat_vectors_in_order() -> None:
    store = network_of(MLP).store
    assert store.size == 4 * 5 + 5 + 5 * 3 + 3
    for parameter in store.trainable:
        part = store.slices()[parameter.name]
        np.testing.assert_array_equal(store.value[part], parameter.value.ravel())
        assert np.shares_memory(store.value[part], parameter.value)
        assert np.shares_memory(store.grad[part], parameter.grad)


def test_statistics_are_kept_apart_from_what_is_trained() -> None:
    store = network_of(["batch_norm"]).store
    assert store.size == 8
    assert store.buffer.tolist() == [0.0] * 4 + [1.0] * 4


def test_biases_are_not_penalized() -> None:
    assert {p.name: p.penalized for p in network_of(MLP).store.parameters} == {
        "dense_1.kernel": True,
        "dense_1.bias": False,
        "dense_2.kernel": True,
        "dense_2.bias": False,
    }


def test_first_values_depend_on_seed_and_name_only() -> None:
    plain = network_of(MLP, seed=7).state()
    with_dropout = network_of([MLP[0], "relu", "dropout", "batch_norm", MLP[2]], seed=7).state()
    for name, value in plain.items():
        np.testing.assert_array_equal(with_dropout[name], value)
    assert not np.array_equal(network_of(MLP, seed=8).state()["dense_1.kernel"], plain["dense_1.kernel"])


def test_float64_values_are_the_float32_ones_before_rounding() -> None:
    single, double = network_of(MLP, seed=7), network_of(MLP, seed=7, dtype=np.float64)
    np.testing.assert_array_equal(double.store.value.astype(np.float32), single.store.value)


def test_replica_shares_values_and_statistics_but_no_gradient_and_no_scratch() -> None:
    network = network_of([*MLP, "batch_norm"])
    twin = network.replica()
    assert twin.store.value is network.store.value
    assert twin.store.buffer is network.store.buffer
    assert not np.shares_memory(twin.store.grad, network.store.grad)
    x = np.ones((2, 4), np.float32)
    y, y_twin = network.forward(x), twin.forward(x)
    assert not np.shares_memory(y, y_twin)
    np.testing.assert_array_equal(y, y_twin)
    assert [p.name for p in twin.store.parameters] == [p.name for p in network.store.parameters]
    before = y_twin.copy()
    network.store.value += 1
    assert not np.array_equal(twin.forward(x), before)
    np.testing.assert_array_equal(network.forward(x), twin.forward(x))


def test_replica_of_a_replica_and_of_a_used_network() -> None:
    network = network_of(MLP)
    x = np.ones((2, 4), np.float32)
    step(network, x)
    np.testing.assert_array_equal(network.replica().replica().forward(x), network.forward(x))


def test_state_round_trip() -> None:
    network, other = network_of([*MLP, "batch_norm"], seed=1), network_of([*MLP, "batch_norm"], seed=2)
    x = stream(0, "test").standard_normal((6, 4)).astype(np.float32)
    step(network, x)
    other.load_state({name: value.copy() for name, value in network.state().items()})
    np.testing.assert_array_equal(other.forward(x), network.forward(x))


def test_gradient_without_a_backward_is_zero_at_the_end_of_a_step() -> None:
    network = network_of(MLP)
    step(network, np.ones((2, 4), np.float32))
    assert network.store.grad.any()
    network.store.begin_step()
    network.store.finish_step()
    assert not network.store.grad.any()


def test_third_write_of_a_step_adds_too() -> None:
    network = Network(Dense(2), (3,))
    x, dy = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    network.store.begin_step()
    for _ in range(3):
        network.forward(x, TRAINING)
        network.backward(dy)
    assert network.state()["bias"].shape == (2,)
    assert [float(g) for g in network.store.grad] == [12.0] * 8


def test_table() -> None:
    rows = network_of([*MLP, {"name": "branch", "branches": [["tanh"], []]}]).table()
    assert [(row.name, row.kind, row.out_shape, row.parameters, row.flops) for row in rows] == [
        ("dense_1", "dense", (5,), 25, 40),
        ("relu_1", "relu", (5,), 0, 5),
        ("dense_2", "dense", (3,), 18, 30),
        ("branch_1.sequential_1.tanh_1", "tanh", (3,), 0, 3),
    ]


def test_table_leaves_the_network_as_it_was() -> None:
    network = network_of(["batch_norm", *MLP])
    before = {name: value.copy() for name, value in network.state().items()}
    network.table()
    for name, value in network.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_input_gradient_only_where_it_is_asked_for() -> None:
    x = np.ones((2, 4), np.float32)
    for asked in (False, True):
        network = network_of(MLP, input_gradient=asked)
        network.store.begin_step()
        network.forward(x, TRAINING)
        dx = network.backward(np.ones((2, 3), np.float32))
        assert (dx is not None) == asked
        assert network.replica().input_gradient == asked


def test_a_layer_used_in_a_second_network_forgets_the_first() -> None:
    layers = Sequential(MLP)
    Network(layers, (4,))
    second = Network(layers, (6,))
    assert second.store.size == 6 * 5 + 5 + 5 * 3 + 3


def test_an_unbound_parameter_and_an_empty_layer_say_what_is_missing() -> None:
    for call in (lambda: Layer().build((3,)), lambda: Layer().forward(np.ones((1, 3)), TRAINING)):
        with pytest.raises(TypeError, match="Layer does not implement"):
            call()


def test_store_of_no_parameters() -> None:
    store = ParameterStore([], np.dtype(np.float32))
    store.begin_step()
    store.finish_step()
    assert store.size == 0


def test_scratch_grows_and_follows_the_dtype() -> None:
    owner = ScratchOwner()
    small = owner.scratch("y", (2, 3))
    assert owner.scratch("y", (2, 3)) is small
    large = owner.scratch("y", (4, 3))
    assert large.shape == (4, 3)
    assert np.shares_memory(owner.scratch("y", (2, 3)), large)
    assert owner.scratch("y", (2, 3), np.float64).dtype == np.float64
    assert owner.scratch("mask", (2,), np.bool_).dtype == np.bool_
    owner.release()
    assert not np.shares_memory(owner.scratch("y", (4, 3)), large)


def test_parameter_prints_its_name_and_shape() -> None:
    from nntrain.core.initializers import Zeros

    assert repr(Parameter("kernel", (2, 3), Zeros())) == "Parameter('kernel', (2, 3))"
