"""Gradients of randomly nested architectures, and properties of whole networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream
from nntrain.testing import network_gradient_errors

SMOOTH = ["tanh", "sigmoid", "softsign", "silu", "mish", "softplus", "gelu", "elu", "identity", "layer_norm"]
KINKED = ["relu", "leaky_relu", "prelu", "hard_tanh", "hard_silu"]

dense = st.integers(1, 5).map(lambda units: {"name": "dense", "units": units})
square_dense = st.just({"name": "dense", "units": 4})
plain = st.one_of(
    dense,
    st.sampled_from(SMOOTH + KINKED),
    st.sampled_from(["batch_norm", {"name": "dropout", "rate": 0.3}]),
)


def blocks(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=3)
    # A branch that ends in a dense layer of a fixed width fits the others, whatever it is made of.
    ended = st.tuples(lists, square_dense).map(lambda pair: [*pair[0], pair[1]])
    return st.one_of(
        lists.map(lambda layers: {"name": "sequential", "layers": layers}),
        lists.map(lambda layers: {"name": "residual", "layers": layers}),
        st.tuples(st.integers(1, 2), lists).map(lambda p: {"name": "repeat", "times": p[0], "layers": p[1]}),
        st.tuples(st.lists(ended, min_size=1, max_size=3), st.sampled_from(["concatenate", "add", "multiply"])).map(
            lambda pair: {"name": "branch", "branches": pair[0], "merge": pair[1]}
        ),
    )


architectures = st.lists(st.recursive(plain, blocks, max_leaves=8), min_size=1, max_size=4).map(
    lambda layers: {"name": "sequential", "layers": layers}
)


def network_of(spec: Any, **options: Any) -> Network:
    network = Network(LAYERS.build(spec), (3,), dtype=np.float64, **options)
    network.store.value += 0.1 * stream(1, "test-values").standard_normal(network.store.size)
    return network


@settings(max_examples=60, deadline=None, derandomize=True)
@given(architectures)
def test_gradients_of_any_architecture(spec: Any) -> None:
    x = stream(0, "test-inputs").standard_normal((6, 3))
    errors = network_gradient_errors(network_of(spec, input_gradient=True), x, Context(training=True, step=2))
    # Looser than for a single layer: products of many layers leave fewer digits to the differences.
    assert max(errors.values()) < 1e-5, errors


@settings(max_examples=60, deadline=None, derandomize=True)
@given(architectures)
def test_parameter_gradients_are_the_same_bits_without_the_input_gradient(spec: Any) -> None:
    x = stream(0, "test-inputs").standard_normal((6, 3))
    gradients = []
    for input_gradient in (True, False):
        network = network_of(spec, input_gradient=input_gradient)
        dy = stream(0, "test-gradients").standard_normal((6, *network.out_shape))
        network.store.begin_step()
        network.forward(x, Context(training=True, step=2))
        network.backward(dy)
        network.store.finish_step()
        gradients.append(network.store.grad.copy())
    np.testing.assert_array_equal(*gradients)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(architectures)
def test_table_accounts_for_every_parameter(spec: Any) -> None:
    network = network_of(spec)
    rows = network.table()
    assert sum(row.parameters for row in rows) == sum(parameter.size for parameter in network.store.parameters)
    assert len({row.name for row in rows}) == len(rows)


def test_permuting_hidden_units_leaves_the_output() -> None:
    spec = {"name": "sequential", "layers": [{"name": "dense", "units": 8}, "tanh", {"name": "dense", "units": 2}]}
    network = network_of(spec)
    x = stream(0, "test-inputs").standard_normal((6, 3))
    before = network.forward(x).copy()
    state, order = network.state(), stream(0, "test-order").permutation(8)
    state["dense_1.kernel"][...] = state["dense_1.kernel"][:, order]
    state["dense_1.bias"][...] = state["dense_1.bias"][order]
    state["dense_2.kernel"][...] = state["dense_2.kernel"][order]
    np.testing.assert_allclose(network.forward(x), before, rtol=1e-12, atol=1e-12)
