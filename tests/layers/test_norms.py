"""Normalization, dropout of channels and blocks with a shortcut, in float64 against PyTorch and with padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream
from nntrain.errors import ConfigError
from nntrain.layers.spatial_dropout import SpatialDropout

torch = pytest.importorskip("torch")
F = torch.nn.functional


def network_of(spec: Any, in_shape: Shape, dtype: Any = np.float64) -> Network:
    network = Network(LAYERS.build(spec), in_shape, dtype=dtype, input_gradient=True)
    network.store.value += 0.1 * stream(0, "test-values").standard_normal(network.store.size)
    return network


def batch(shape: Shape, role: str = "test-inputs") -> Array:
    return stream(0, role).standard_normal(shape)


def step(network: Network, x: Array, dy: Array, lengths: Array | None = None) -> tuple[Array, Array, dict[str, Array]]:
    network.store.begin_step()
    y = network.forward(x, Context(training=True, lengths=lengths)).copy()
    dx = np.array(network.backward(dy))
    return y, dx, {parameter.name: parameter.grad.copy() for parameter in network.store.trainable}


def close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["group_norm", "batch_norm"])
@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 6), (7, 11, 12), (1, 6), (28, 28, 6)])
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_norms_equal_those_of_torch(name: str, shape: Shape, groups: int) -> None:
    spec = {"name": "group_norm", "groups": groups} if name == "group_norm" else "batch_norm"
    network = network_of(spec, shape)
    x, dy = 3.0 * batch((4, *shape)) + 5.0, batch((4, *shape), "test-gradients")
    tensors = {key: torch.tensor(network.state()[key], requires_grad=True) for key in ("scale", "offset")}
    x_torch = torch.tensor(x, requires_grad=True)
    first = torch.movedim(x_torch, -1, 1)
    if name == "group_norm":
        expected = F.group_norm(first, groups, tensors["scale"], tensors["offset"])
    else:
        expected = F.batch_norm(first, None, None, tensors["scale"], tensors["offset"], training=True)
    expected = torch.movedim(expected, 1, -1)
    expected.backward(torch.tensor(dy))
    y, dx, gradients = step(network, x, dy)
    close(y, expected.detach().numpy())
    close(dx, x_torch.grad.numpy())
    for key, tensor in tensors.items():
        close(gradients[key], tensor.grad.numpy())


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_of_padded_sequences_is_that_of_their_true_steps(affine: bool) -> None:
    lengths = np.array([5, 0, 2, 4])
    there = np.arange(5) < lengths[:, None]
    x, dy = 2.0 * batch((4, 5, 3)) + 1.0, np.where(there[..., None], batch((4, 5, 3), "test-gradients"), 0)
    spec = {"name": "batch_norm", "affine": affine}
    padded, rows = network_of(spec, (5, 3)), network_of(spec, (3,))
    y, dx, gradients = step(padded, x, dy, lengths)
    expected_y, expected_dx, expected = step(rows, x[there], dy[there])
    close(y[there], expected_y)
    close(dx[there], expected_dx)
    assert not dx[~there].any()
    for key, gradient in expected.items():
        close(gradients[key], gradient)
    for key, value in rows.state().items():
        close(padded.state()[key], value)


@pytest.mark.parametrize("lengths", [[0, 0], [1, 0]])
def test_batch_norm_of_one_true_step_at_most_keeps_its_statistics(lengths: list[int]) -> None:
    network = network_of("batch_norm", (3, 2))
    before = {key: value.copy() for key, value in network.state().items()}
    x = batch((2, 3, 2))
    y, dx, _ = step(network, x, np.zeros_like(x), np.array(lengths))
    there = np.arange(3) < np.array(lengths)[:, None]
    close(y[there], network.forward(x)[there])
    assert not dx.any()
    for key, value in before.items():
        np.testing.assert_array_equal(network.state()[key], value)


def test_group_norm_needs_groups_that_divide_the_channels() -> None:
    with pytest.raises(ConfigError, match=r"needs examples of shape \(..., channels\) with channels in 4 groups"):
        network_of({"name": "group_norm", "groups": 4}, (5, 6))


def test_spatial_dropout_drops_whole_channels_and_keeps_the_mean() -> None:
    network = network_of({"name": "spatial_dropout", "rate": 0.25}, (4, 5, 200))
    x = np.ones((10, 4, 5, 200))
    y, dx, _ = step(network, x, x)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    assert set(np.unique(y)) == {0.0, 1.0 / 0.75}
    assert abs(float(np.mean(y == 0)) - 0.25) < 0.03
    assert len({row.tobytes() for row in y}) == 10
    np.testing.assert_array_equal(dx, y)
    np.testing.assert_array_equal(network.forward(x), x)


def test_spatial_dropout_draws_as_many_numbers_as_there_are_channels() -> None:
    outputs = []
    for steps in (3, 7):
        layer = SpatialDropout(0.5)
        Network(layer, (steps, 8))
        outputs.append(layer.forward(np.ones((4, steps, 8), np.float32), Context(training=True)))
    np.testing.assert_array_equal(outputs[0][:, 0], outputs[1][:, 0])


BLOCK = {
    "name": "residual",
    "layers": [{"name": "dense", "units": 5}, "tanh", "max_pool2d"],
    "shortcut": ["average_pool2d", {"name": "dense", "units": 5, "bias": False}],
}


def test_a_block_with_a_shortcut_of_its_own() -> None:
    network = network_of({"name": "sequential", "layers": [BLOCK]}, (4, 6, 3))
    names = {
        "k1": "residual_1.dense_1.kernel",
        "b1": "residual_1.dense_1.bias",
        "k2": "residual_1.sequential_1.dense_1.kernel",
    }
    assert set(names.values()) == set(network.state())
    t = {key: torch.tensor(network.state()[name], requires_grad=True) for key, name in names.items()}
    x, dy = batch((2, 4, 6, 3)), batch((2, 2, 3, 5), "test-gradients")
    x_torch = torch.tensor(x, requires_grad=True)
    body = F.max_pool2d(torch.tanh(x_torch @ t["k1"] + t["b1"]).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    expected = body + F.avg_pool2d(x_torch.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1) @ t["k2"]
    expected.backward(torch.tensor(dy))
    y, dx, gradients = step(network, x, dy)
    close(y, expected.detach().numpy())
    close(dx, x_torch.grad.numpy())
    for key, name in names.items():
        close(gradients[name], t[key].grad.numpy())


def test_a_shortcut_of_another_shape_is_refused() -> None:
    spec = {"name": "residual", "layers": ["max_pool2d"], "shortcut": [{"name": "dense", "units": 3}]}
    with pytest.raises(ConfigError) as caught:
        network_of({"name": "sequential", "layers": [spec]}, (4, 4, 3))
    assert (
        "residual_1: residual needs layers and a shortcut of one output shape, and these give (2, 2, 3) and (4, 4, 3)"
        in str(caught.value)
    )


def test_layers_that_change_the_steps_are_told_of_the_shortcut() -> None:
    with pytest.raises(ConfigError) as caught:
        network_of({"name": "residual", "layers": ["max_pool2d"]}, (4, 4, 3))
    assert "'shortcut'" in (caught.value.problems[0].help or "")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"name": "residual", "layers": ["max_pool1d"], "shortcut": ["average_pool1d"]}, [3, 1]),
        ({"name": "branch", "branches": [["max_pool1d"], ["average_pool1d"]]}, [3, 1]),
        ({"name": "branch", "branches": [["upsample", "max_pool1d"], []]}, [6, 3]),
        ({"name": "branch", "branches": [[{"name": "max_pool1d", "padding": "same"}, "upsample"], []]}, [6, 4]),
        ({"name": "branch", "branches": [["global_max_pool"], ["global_average_pool"]]}, None),
    ],
)
def test_lengths_behind_a_block_are_those_of_its_first_body(spec: Any, expected: list[int] | None) -> None:
    network, ctx = network_of(spec, (6, 2)), Context(training=True, lengths=np.array([6, 3]))
    network.root.forward(batch((2, 6, 2)), ctx)
    assert (None if ctx.lengths is None else ctx.lengths.tolist()) == expected
