"""Outputs, input gradients and parameter gradients equal PyTorch's in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream

torch = pytest.importorskip("torch")
F = torch.nn.functional

TRAINING = Context(training=True)
TOLERANCE = 1e-10


def batch(shape: Shape, scale: float = 3.0) -> Array:
    return scale * stream(0, "test-inputs").standard_normal(shape)


def moved(network: Network) -> Network:
    network.store.value += 0.1 * stream(0, "test-values").standard_normal(network.store.size)
    return network


def compare(
    network: Network, x: Array, function: Callable[..., Any], parameters: dict[str, Any], ctx: Context = TRAINING
) -> None:
    """Compare a network with a torch function of (input, **parameters)."""
    tensors = {name: torch.tensor(network.state()[name], requires_grad=True) for name in parameters.values()}
    x_torch = torch.tensor(x, requires_grad=True)
    expected = function(x_torch, **{key: tensors[name] for key, name in parameters.items()})
    dy = stream(0, "test-gradients").standard_normal(tuple(expected.shape))
    expected.backward(torch.tensor(dy))
    network.store.begin_step()
    np.testing.assert_allclose(network.forward(x, ctx), expected.detach().numpy(), rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(network.backward(dy), x_torch.grad.numpy(), rtol=TOLERANCE, atol=TOLERANCE)
    found = {parameter.name: parameter.grad for parameter in network.store.trainable}
    for name, tensor in tensors.items():
        np.testing.assert_allclose(found[name], tensor.grad.numpy(), rtol=TOLERANCE, atol=TOLERANCE)
    assert set(found) == set(tensors)


ACTIVATIONS: list[tuple[Any, Callable[[Any], Any]]] = [
    ("identity", lambda x: x * 1.0),
    ("relu", F.relu),
    ("relu6", F.relu6),
    ("leaky_relu", F.leaky_relu),
    ({"name": "leaky_relu", "negative_slope": 0.3}, lambda x: F.leaky_relu(x, 0.3)),
    ("elu", F.elu),
    ({"name": "elu", "alpha": 0.7}, lambda x: F.elu(x, 0.7)),
    ("selu", F.selu),
    ("sigmoid", torch.sigmoid),
    ("tanh", torch.tanh),
    ("softsign", F.softsign),
    ("softplus", lambda x: F.softplus(x, threshold=1000)),
    ("silu", F.silu),
    ("mish", F.mish),
    ("gelu", F.gelu),
    ({"name": "gelu", "approximate": "tanh"}, lambda x: F.gelu(x, approximate="tanh")),
    # Not F.hardsigmoid: its derivative is 1/6 in float32 for float64 inputs too, 3e-8 off.
    ("hard_sigmoid", lambda x: F.hardtanh(x, -3.0, 3.0) / 6.0 + 0.5),
    ("hard_tanh", F.hardtanh),
    ("hard_silu", F.hardswish),
    ("softmax", lambda x: F.softmax(x, dim=-1)),
    ("log_softmax", lambda x: F.log_softmax(x, dim=-1)),
]


@pytest.mark.parametrize("in_shape", [(7,), (33,), (3, 5)])
@pytest.mark.parametrize(("spec", "function"), ACTIVATIONS, ids=lambda v: str(v) if isinstance(v, (str, dict)) else "")
def test_activation(spec: Any, function: Callable[[Any], Any], in_shape: Shape) -> None:
    network = Network(LAYERS.build(spec), in_shape, dtype=np.float64, input_gradient=True)
    for scale in (0.5, 3.0, 30.0):
        compare(network, batch((6, *in_shape), scale), function, {})


KINKS = {"relu": [0.0], "relu6": [0.0, 6.0], "leaky_relu": [0.0], "elu": [0.0], "hard_tanh": [-1.0, 1.0]}


@pytest.mark.parametrize("name", KINKS)
def test_derivative_at_a_kink_is_that_of_torch(name: str) -> None:
    function = {spec: f for spec, f in ACTIVATIONS if isinstance(spec, str)}[name]
    x = np.array([KINKS[name]])
    compare(Network(LAYERS.build(name), x.shape[1:], dtype=np.float64, input_gradient=True), x, function, {})


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("in_shape", [(5,), (20,)])
def test_prelu(shared: bool, in_shape: Shape) -> None:
    layer = LAYERS.build({"name": "prelu", "shared": shared})
    network = moved(Network(layer, in_shape, dtype=np.float64, input_gradient=True))

    def function(x: Any, slope: Any) -> Any:
        return F.prelu(x, slope.reshape(-1))

    compare(network, batch((6, *in_shape)), function, {"slope": "slope"})


@pytest.mark.parametrize("in_shape", [(5,), (3, 5), (2, 3, 5), (1,)])
@pytest.mark.parametrize("units", [1, 4])
def test_dense(in_shape: Shape, units: int) -> None:
    layer = LAYERS.build({"name": "dense", "units": units})
    network = moved(Network(layer, in_shape, dtype=np.float64, input_gradient=True))

    def function(x: Any, kernel: Any, bias: Any) -> Any:
        return F.linear(x, kernel.T, bias)

    compare(network, batch((6, *in_shape)), function, {"kernel": "kernel", "bias": "bias"})


@pytest.mark.parametrize("in_shape", [(5,), (3, 5)])
def test_layer_norm(in_shape: Shape) -> None:
    network = moved(Network(LAYERS.build("layer_norm"), in_shape, dtype=np.float64, input_gradient=True))

    def function(x: Any, scale: Any, offset: Any) -> Any:
        return F.layer_norm(x, (5,), scale, offset)

    compare(network, batch((6, *in_shape)), function, {"scale": "scale", "offset": "offset"})


@pytest.mark.parametrize("ctx", [TRAINING, Context()], ids=["training", "inference"])
def test_batch_norm(ctx: Context) -> None:
    network = moved(Network(LAYERS.build("batch_norm"), (5,), dtype=np.float64, input_gradient=True))
    network.state()["running_mean"][...] = np.arange(5.0)
    network.state()["running_variance"][...] = 1.0 + np.arange(5.0)
    mean, variance = (torch.tensor(network.state()[f"running_{key}"].copy()) for key in ("mean", "variance"))

    def function(x: Any, scale: Any, offset: Any) -> Any:
        return F.batch_norm(x, mean, variance, scale, offset, training=ctx.training)

    compare(network, batch((6, 5)), function, {"scale": "scale", "offset": "offset"}, ctx)
    np.testing.assert_allclose(network.state()["running_mean"], mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(network.state()["running_variance"], variance.numpy(), rtol=1e-12)


def test_batch_norm_over_leading_axes_is_that_of_channels() -> None:
    network = moved(Network(LAYERS.build("batch_norm"), (3, 4, 5), dtype=np.float64, input_gradient=True))

    def function(x: Any, scale: Any, offset: Any) -> Any:
        return F.batch_norm(x.permute(0, 3, 1, 2), None, None, scale, offset, training=True).permute(0, 2, 3, 1)

    compare(network, batch((6, 3, 4, 5)), function, {"scale": "scale", "offset": "offset"})


def test_category_embedding() -> None:
    spec = {"name": "category_embedding", "columns": [2, 0], "categories": [4, 3], "dimensions": [2, 5]}
    network = moved(Network(LAYERS.build(spec), (4,), dtype=np.float64, input_gradient=True))
    x = batch((9, 4))
    x[:, 0], x[:, 2] = np.arange(9) % 3, [3, 0, 3, 3, 1, 0, 3, 1, 3]

    def function(x: Any, first: Any, second: Any) -> Any:
        codes = x.detach().long()
        return torch.cat([x[:, [1, 3]], F.embedding(codes[:, 2], first), F.embedding(codes[:, 0], second)], dim=1)

    compare(network, x, function, {"first": "table_1", "second": "table_2"})


def test_composites() -> None:
    spec = {
        "name": "sequential",
        "layers": [
            {"name": "residual", "layers": [{"name": "dense", "units": 3}, "tanh"]},
            {"name": "branch", "merge": "multiply", "branches": [["sigmoid"], [{"name": "dense", "units": 3}], []]},
            {"name": "branch", "branches": [[], ["relu"]]},
        ],
    }
    network = moved(Network(LAYERS.build(spec), (5,), dtype=np.float64, input_gradient=True))

    def function(x: Any, k1: Any, b1: Any, p: Any, k2: Any, b2: Any) -> Any:
        x = torch.tanh(x @ k1 + b1) + x @ p
        x = torch.sigmoid(x) * (x @ k2 + b2) * x
        return torch.cat([x, F.relu(x)], dim=1)

    names = {
        "k1": "residual_1.dense_1.kernel",
        "b1": "residual_1.dense_1.bias",
        "p": "residual_1.projection.kernel",
        "k2": "branch_1.sequential_2.dense_1.kernel",
        "b2": "branch_1.sequential_2.dense_1.bias",
    }
    compare(network, batch((6, 5), 1.0), function, names)


def test_exact_gelu_is_accurate_to_1e_15_relative_to_its_largest_factor() -> None:
    x = np.linspace(-12.0, 12.0, 20001)[None]
    network = Network(LAYERS.build("gelu"), x.shape[1:], dtype=np.float64)
    y = network.forward(x)
    expected = 0.5 * x * torch.erfc(torch.tensor(-x / np.sqrt(2.0))).numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-300)


def test_exact_gelu_in_float32() -> None:
    x = np.linspace(-9.0, 9.0, 20001, dtype=np.float32)[None]
    y = Network(LAYERS.build("gelu"), x.shape[1:]).forward(x)
    expected = 0.5 * x * torch.erfc(torch.tensor(-x.astype(np.float64) / np.sqrt(2.0))).numpy()
    # exp(-x^2/2) alone is 2.4e-6 off at the ends, since x^2/2 = 40 is rounded to float32.
    np.testing.assert_allclose(y, expected, rtol=4e-6, atol=1e-30)
