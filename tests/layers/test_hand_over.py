"""Work left to the max pool behind a layer: the same numbers as in the order of the config."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.network import Network
from nntrain.core.tracing import tap
from nntrain.layers import window_products
from nntrain.layers.convolution import Convolution
from nntrain.layers.max_pool import MaxPool
from nntrain.layers.sequential import Sequential
from tests.layers.passing import passes

CONV = {"name": "conv2d", "filters": 4, "kernel": 3, "padding": "same", "bias_initializer": "normal"}
POOL = {"name": "max_pool2d", "pool": 2}
TAIL = ["flatten", {"name": "dense", "units": 3}]
IMAGES = (8, 8, 3)
STEPS = (9, 3)

CASES: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "conv2d with relu": ([{**CONV, "activation": "relu"}, POOL, *TAIL], IMAGES),
    "conv2d with relu6, two stages": ([{**CONV, "activation": "relu6"}, POOL] * 2 + TAIL, IMAGES),
    "conv2d with a bias only": ([CONV, POOL, *TAIL], IMAGES),
    "a layer of bias, one of relu": ([CONV, "relu", POOL, *TAIL], IMAGES),
    "an activation within, one behind": ([{**CONV, "activation": "relu6"}, "relu", POOL, *TAIL], IMAGES),
    "batch norm alone": ([CONV, "batch_norm", POOL, *TAIL], IMAGES),
    "batch norm far from 0": (
        [{**CONV, "bias_initializer": {"name": "constant", "value": 100.0}}, "batch_norm", "relu", POOL],
        IMAGES,
    ),
    "batch norm of bare images": (["batch_norm", "relu", POOL, *TAIL], IMAGES),
    "batch norm without parameters": ([CONV, {"name": "batch_norm", "affine": False}, "relu6", POOL, *TAIL], IMAGES),
    "batch norm, windows that overlap": ([CONV, "batch_norm", "relu", {**POOL, "pool": 3, "stride": 2}, *TAIL], IMAGES),
    "batch norm of steps": (
        [{"name": "conv1d", "filters": 5, "kernel": 3}, "batch_norm", "relu", {"name": "max_pool1d", "pool": 2}],
        STEPS,
    ),
    "batch norm, relu": ([{**CONV, "bias": False}, "batch_norm", "relu", POOL, *TAIL], IMAGES),
    "windows that overlap": ([{**CONV, "activation": "relu"}, {**POOL, "pool": 3, "stride": 2}, *TAIL], IMAGES),
    "windows beyond the edge": ([CONV, "relu", {**POOL, "pool": 3, "stride": 2, "padding": "same"}, *TAIL], IMAGES),
    "conv2d_transpose": ([{"name": "conv2d_transpose", "filters": 4, "kernel": 2, "activation": "relu"}, POOL], IMAGES),
    "conv1d": (
        [{"name": "conv1d", "filters": 5, "kernel": 3, "activation": "relu"}, {"name": "max_pool1d", "pool": 2}],
        STEPS,
    ),
}


def network(specs: list[Any], shape: tuple[int, ...]) -> Network:
    layers: list[Any] = [dict(spec) if isinstance(spec, dict) else spec for spec in specs]
    return Network(Sequential(layers), shape, seed=3, dtype=np.float64, input_gradient=True)


@pytest.mark.parametrize("name", CASES)
def test_a_pool_that_finishes_the_layer_before_it_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, shape = CASES[name]
    x = np.random.default_rng(0).normal(size=(6, *shape))
    fused = network(specs, shape)
    handing = [layer.name for layer in fused.root.walk() if getattr(layer, "hands_over", False)]
    assert handing
    monkeypatch.setattr(MaxPool, "follow", Layer.follow)
    plain = network(specs, shape)
    assert not any(getattr(layer, "hands_over", False) for layer in plain.root.walk())
    (y, *gradients), (wanted, *others) = passes(fused, x), passes(plain, x)
    np.testing.assert_array_equal(y, wanted)
    for gradient, other in zip(gradients, others, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_pool_that_is_fed_piece_by_piece_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, shape = CASES[name]
    monkeypatch.setattr(window_products, "BYTES_OF_A_PIECE", 1)
    fed = network(specs, shape)
    is_fed = any(isinstance(layer, Convolution) and layer.taker is not None for layer in fed.layers)
    assert is_fed is not any(word in name for word in ("bare", "overlap", "beyond", "transpose"))
    monkeypatch.setattr(MaxPool, "follow", Layer.follow)
    plain = network(specs, shape)
    for rows, scale in ((6, 1.0), (1, 1.0), (2, -1.0), (0, 1.0), (6, 1.0)):
        x = np.random.default_rng(rows).normal(size=(rows, *shape))
        for net in (fed, plain):
            for key, value in net.state().items():
                if key.endswith(".scale"):
                    value[1] = scale
        found, wanted = ([net.forward(x).copy(), *passes(net, x)] for net in (fed, plain))
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_what_layers_say_to_keep_is_there(name: str) -> None:
    specs, shape = CASES[name]
    for training in (True, False):
        net = network(specs, shape)
        net.forward(np.ones((5, *shape)), Context(training=training))
        for layer, size in net.kept_by_layer(training):
            assert 5 * size <= layer.scratch_bytes, layer.name


@pytest.mark.parametrize("between", [[], ["batch_norm"], ["batch_norm", "relu"]])
def test_what_passes_in_pieces_is_shown(between: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_products, "BYTES_OF_A_PIECE", 1)
    net = network([CONV, *between, POOL, *TAIL], IMAGES)
    shown: dict[str, list[np.ndarray]] = {layer.name: [] for layer in net.layers}
    for layer in net.layers:
        tap(layer, lambda y: None, lambda dx, name=layer.name: shown[name].append(dx.copy()))  # type: ignore[misc]
    passes(net, np.random.default_rng(0).normal(size=(6, *IMAGES)))
    assert [dx.shape for dx in shown["max_pool2d_1"]] == [(1, 8, 8, 4)] * 6
    assert all(len(gradients) > 0 and np.isfinite(gradients).all() for gradients in shown.values())


def test_what_stands_for_pieces_is_known_by_a_view_of_it() -> None:
    conv, pool = network([CONV, POOL], IMAGES).layers
    x = np.random.default_rng(0).normal(size=(2, *IMAGES))
    wanted = pool.forward(conv.forward(x, Context()), Context()).copy()
    np.testing.assert_array_equal(pool.forward(conv.forward(x, Context()).view(), Context()), wanted)


def test_a_gradient_needs_a_pass_in_training() -> None:
    net = network([CONV, POOL], IMAGES)
    y = net.forward(np.ones((2, *IMAGES)))
    with pytest.raises(AssertionError, match="a forward pass in training"):
        net.backward(y)


def test_a_pool_is_fed_no_sequences_that_have_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    specs, shape = CASES["conv1d"]
    x, lengths = np.random.default_rng(0).normal(size=(2, *shape)), np.array([9, 6])
    contexts = [Context(training=training, lengths=lengths) for training in (True, False)]
    found = [network(specs, shape).forward(x, context) for context in contexts]
    monkeypatch.setattr(MaxPool, "follow", Layer.follow)
    wanted = network(specs, shape).forward(x, Context(lengths=lengths))
    for outputs in found:
        np.testing.assert_array_equal(outputs, wanted)


def test_a_fed_pool_gives_the_gradient_to_the_first_of_equal_places() -> None:
    net = network([{**CONV, "filters": 1, "kernel": 1}, POOL], (2, 2, 1))
    x = np.ones((1, 2, 2, 1))
    net.forward(x, Context(training=True))
    dx = net.backward(np.ones((1, 1, 1, 1)))
    assert dx is not None
    assert (dx[0, :, :, 0] != 0).tolist() == [[True, False], [False, False]]


def test_what_stands_for_a_product_in_pieces_shows_if_it_is_read() -> None:
    conv, pool = network([CONV, POOL], IMAGES).layers
    unread = conv.forward(np.zeros((2, *IMAGES)), Context(training=True))
    assert unread.shape == (2, 8, 8, 4) and np.isnan(unread).all()
    assert np.isfinite(pool.forward(unread, Context(training=True))).all()


def test_what_may_fall_stays_before_the_pool() -> None:
    for activation in ("gelu", "silu", "tanh"):
        net = network([{**CONV, "activation": activation}, POOL], IMAGES)
        assert not any(getattr(layer, "hands_over", False) for layer in net.root.walk())


def test_the_table_and_the_health_are_those_of_the_config() -> None:
    net = network([CONV, "relu", POOL, *TAIL], IMAGES)
    rows = {row.name: row.out_shape for row in net.table()}
    assert rows["relu_1"] == (8, 8, 4)
    assert rows["max_pool2d_1"] == (4, 4, 4)
    net.forward(np.random.default_rng(0).normal(size=(6, *IMAGES)), Context(training=True))
    [relu] = [layer for layer in net.layers if layer.name == "relu_1"]
    assert 0 <= relu.health()["dead_share"] < 0.5


def test_a_slope_that_is_not_positive_keeps_the_scaling_before_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[Any] = [CONV, "batch_norm", "relu", POOL, *TAIL]
    x = np.random.default_rng(0).normal(size=(6, *IMAGES))
    fused = network(specs, IMAGES)
    monkeypatch.setattr(MaxPool, "follow", Layer.follow)
    plain = network(specs, IMAGES)
    for scale in (-0.5, 0.0, 0.5):
        for net in (fused, plain):
            net.state()["batch_norm_1.scale"][1] = scale
        [norm] = [layer for layer in fused.layers if layer.name == "batch_norm_1"]
        for found, wanted in zip(passes(fused, x), passes(plain, x), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
        assert norm.is_deferred is (scale > 0)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(fused.forward(x[:3]), plain.forward(x[:3]))


def test_the_statistics_follow_all_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[Any] = [CONV, "batch_norm", POOL]
    x = np.random.default_rng(0).normal(size=(6, *IMAGES))
    fused = network(specs, IMAGES)
    monkeypatch.setattr(MaxPool, "follow", Layer.follow)
    plain = network(specs, IMAGES)
    for net in (fused, plain):
        net.forward(x, Context(training=True))
    np.testing.assert_array_equal(fused.store.buffer, plain.store.buffer)


def test_a_layer_moved_to_another_network_forgets_its_pool() -> None:
    specs: list[Any] = [CONV, "batch_norm", "relu", POOL]
    layers = [LAYERS.build(spec) for spec in specs]
    x = np.random.default_rng(0).normal(size=(6, *IMAGES))
    Network(Sequential([*layers]), IMAGES, seed=3, dtype=np.float64)
    without = Network(Sequential([*layers[:3]]), IMAGES, seed=3, dtype=np.float64, input_gradient=True)
    fresh = network(specs[:3], IMAGES)
    for found, wanted in zip(passes(without, x), passes(fresh, x), strict=True):
        np.testing.assert_array_equal(found, wanted)
    pool = Network(Sequential([layers[3]]), IMAGES, dtype=np.float64)
    np.testing.assert_array_equal(pool.forward(x), network([POOL], IMAGES).forward(x))
