"""Tables of learned vectors: equality with PyTorch, sums by code against a loop, codes that are none, padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.core.array import Array
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream
from nntrain.core.scratch import ScratchOwner
from nntrain.errors import ConfigError, DataError
from nntrain.layers.code_sums import FEW_CODES, sort_codes, sums_by_code
from nntrain.testing import assert_passes, check_layer
from nntrain.testing.suite import require_no_allocation

TRAINING = Context(training=True)


def embedding(vocabulary: int, dimensions: int, *in_shape: int, dtype: Any = np.float64) -> Network:
    layer = LAYERS.build({"name": "embedding", "vocabulary": vocabulary, "dimensions": dimensions})
    return Network(layer, in_shape, dtype=dtype, input_gradient=True)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 80),
    vocabulary=st.integers(1, 40),
    width=st.sampled_from([1, 3, 40]),
    seed=st.integers(0, 1000),
)
def test_sums_by_code_are_those_of_a_loop(rows: int, vocabulary: int, width: int, seed: int) -> None:
    generator = stream(seed, "test-codes")
    codes = (vocabulary * generator.random((2, rows)) ** 3).astype(np.intp)
    dy = generator.standard_normal((rows, width))
    owner = ScratchOwner()
    found = sort_codes(owner, codes)
    for column in range(2):
        expected, gradient = np.zeros((vocabulary, width)), np.zeros((vocabulary, width))
        for code, row in zip(codes[column], dy, strict=True):
            expected[code] += row
        distinct, sums = sums_by_code(owner, dy, found, column)
        assert distinct.tolist() == sorted(set(codes[column].tolist()))
        gradient[distinct] = sums
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("most", [1, 2, 3, 64, 65, 1000])
@pytest.mark.parametrize("width", [1, 50])
def test_sums_by_code_where_one_code_is_frequent(most: int, width: int) -> None:
    codes = np.concatenate([np.full(most, 3), np.arange(300)])[None]
    dy = stream(0, "test-rows").standard_normal((codes.size, width))
    expected = dy[most:].copy()
    expected[3] += dy[:most].sum(axis=0)
    owner = ScratchOwner()
    distinct, sums = sums_by_code(owner, dy, sort_codes(owner, codes))
    assert distinct.tolist() == list(range(300))
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-12)


def test_sums_of_many_codes_allocate_nothing() -> None:
    owner, rows = ScratchOwner(), 40 * FEW_CODES
    generator = stream(0, "test-codes")
    dy = generator.standard_normal((rows, 2))
    for highest in (rows, 10 * FEW_CODES, FEW_CODES // 2):
        codes = generator.integers(0, highest, (1, rows))
        require_no_allocation(lambda codes=codes: sums_by_code(owner, dy, sort_codes(owner, codes)))


@pytest.mark.parametrize(("vocabulary", "dimensions"), [(5, 3), (1, 1), (700, 40)])
@pytest.mark.parametrize("in_shape", [(6,), (6, 1), (1,)])
def test_embedding_is_that_of_torch(vocabulary: int, dimensions: int, in_shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    network = embedding(vocabulary, dimensions, *in_shape)
    generator = stream(0, "test-inputs")
    x = generator.integers(0, vocabulary, (40, *in_shape))
    table = torch.tensor(network.state()["table"], requires_grad=True)
    expected = torch.nn.functional.embedding(torch.tensor(x.reshape(40, in_shape[0])), table)
    dy = generator.standard_normal(tuple(expected.shape))
    expected.backward(torch.tensor(dy))
    network.store.begin_step()
    np.testing.assert_array_equal(network.forward(x.astype(np.float64), TRAINING), expected.detach().numpy())
    dx = network.backward(dy)
    assert dx is not None
    assert dx.shape == x.shape
    assert not dx.any()
    np.testing.assert_allclose(network.store.trainable[0].grad, table.grad.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_no_code_counts_as_code_0(dtype: Any) -> None:
    network = embedding(4, 2, 8, dtype=dtype)
    x = np.array([[-1, 4, 1e30, -1e30, np.nan, np.inf, 3, 0]], dtype)
    table = network.state()["table"]
    np.testing.assert_array_equal(network.forward(x)[0], table[[0, 0, 0, 0, 0, 0, 3, 0]])


def test_codes_in_the_padding_have_no_gradient() -> None:
    network = embedding(4, 2, 3)
    network.store.begin_step()
    network.forward(np.array([[1.0, 2.0, 3.0], [2.0, np.nan, 99.0]]), Context(training=True, lengths=np.array([2, 1])))
    dy = np.zeros((2, 3, 2))
    dy[0, :2] = dy[1, :1] = 1
    network.backward(dy)
    np.testing.assert_array_equal(network.store.trainable[0].grad[:, 0], [0, 1, 2, 0])


@pytest.mark.parametrize("in_shape", [(), (5, 2), (5, 1, 1)])
def test_embedding_wants_sequences_of_codes(in_shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"embedding needs sequences of codes of shape \(steps,\) or \(steps, 1\)"):
        embedding(3, 2, *in_shape)


SPEC = {"name": "category_embedding", "columns": [1, 3], "categories": [4, 7], "dimensions": [2, 3]}


def mixed(generator: np.random.Generator, rows: int) -> Array:
    x = generator.standard_normal((rows, 5, 4))
    x[..., 1], x[..., 3] = generator.integers(0, 4, (rows, 5)), generator.integers(0, 7, (rows, 5))
    return x


def test_category_embedding_on_sequences_keeps_the_contract() -> None:
    checks = check_layer(lambda: LAYERS.build(SPEC), (5, 4), inputs=mixed, constant_columns=(1, 3), padded=True)
    assert_passes(checks)


def test_category_embedding_of_a_sequence_is_that_of_its_steps() -> None:
    x, dy = mixed(stream(0, "test-inputs"), 6), stream(0, "test-gradients").standard_normal((6, 5, 7))
    found = []
    for in_shape, rows, gradient in (((5, 4), x, dy), ((4,), x.reshape(-1, 4), dy.reshape(-1, 7))):
        network = Network(LAYERS.build(SPEC), in_shape, dtype=np.float64, input_gradient=True)
        network.store.begin_step()
        y = network.forward(rows, TRAINING).copy()
        dx = network.backward(gradient)
        found.append((y.reshape(-1, 7), np.asarray(dx).reshape(-1, 4), network.store.grad))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_category_embedding_takes_anything_in_the_padding() -> None:
    network = Network(LAYERS.build(SPEC), (5, 4))
    x = mixed(stream(0, "test-inputs"), 2).astype(np.float32)
    expected = network.forward(x)[:, :3].copy()
    x[:, 3:] = -77.5
    np.testing.assert_array_equal(network.forward(x, Context(lengths=np.array([3, 3])))[:, :3], expected)


def test_category_embedding_names_the_step_of_a_wrong_code() -> None:
    network = Network(LAYERS.build(SPEC), (5, 4))
    x = mixed(stream(0, "test-inputs"), 3).astype(np.float32)
    x[1, 4, 3] = 7
    expected = "input column 3: expected a code from 0 to 6, got 7 in row 1, step 4, of the batch"
    with pytest.raises(DataError, match=expected):
        network.forward(x)
