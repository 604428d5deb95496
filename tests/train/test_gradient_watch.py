"""The health of gradients: sizes, ratios, dead and saturated shares."""

from __future__ import annotations

import numpy as np
import pytest

from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.layers.sequential import Sequential
from nntrain.train.gradient_watch import GradientWatch


def test_sizes_and_ratios_are_those_of_the_update() -> None:
    network = Network(Sequential([{"name": "dense", "units": 3}, {"name": "dense", "units": 2}]), (4,), seed=1)
    generator = np.random.default_rng(0)
    network.store.grad[...] = generator.normal(size=network.store.size)
    watch = GradientWatch(network)
    before = network.store.value.copy()
    watch.before()
    network.store.value -= 0.1 * network.store.grad
    rows = {row["layer"]: row for row in watch.after()}
    assert list(rows) == ["dense_1", "dense_2"]
    first = slice(0, 4 * 3 + 3)
    gradient = network.store.grad[first]
    assert rows["dense_1"]["gradient_rms"] == pytest.approx(np.sqrt(np.mean(gradient**2)))
    expected = 0.1 * np.linalg.norm(gradient) / np.linalg.norm(before[first])
    assert rows["dense_1"]["update_ratio"] == pytest.approx(expected, rel=1e-5)


def test_weights_of_zero_have_no_ratio() -> None:
    network = Network(Sequential([{"name": "dense", "units": 1, "kernel_initializer": "zeros"}]), (2,))
    watch = GradientWatch(network)
    watch.before()
    assert watch.after()[0]["update_ratio"] is None


@pytest.mark.parametrize(
    ("activation", "x", "expected"),
    [
        ("relu", [[-1.0, 1.0, -2.0, 0.0], [-1.0, -1.0, 3.0, 0.0]], {"dead_share": 0.5}),
        ("tanh", [[0.0, 9.0], [-9.0, 0.1]], {"saturated_share": 0.5}),
        ("sigmoid", [[0.0, 9.0], [-9.0, 9.0]], {"saturated_share": 0.75}),
    ],
)
def test_dead_and_saturated_shares(activation: str, x: list[list[float]], expected: dict[str, float]) -> None:
    network = Network(Sequential([activation]), (len(x[0]),))
    network.forward(np.array(x, np.float32), Context(training=True))
    watch = GradientWatch(network)
    watch.before()
    assert watch.after() == [{"layer": f"{activation}_1", **expected}]
