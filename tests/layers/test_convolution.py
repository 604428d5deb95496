"""Convolutions equal PyTorch's and the definition's, with their gradients."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import nntrain.layers.window_products
from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream

torch = pytest.importorskip("torch")
F = torch.nn.functional

TRAINING = Context(training=True)
TOLERANCE = 1e-10


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def made(name: str, in_shape: Shape, *, input_gradient: bool = True, **arguments: Any) -> Network:
    layer = LAYERS.build({"name": name, **arguments})
    network = Network(layer, in_shape, dtype=np.float64, input_gradient=input_gradient)
    network.store.value += 0.1 * stream(0, "test-values").standard_normal(network.store.size)
    return network


def batch(*shape: int) -> Array:
    return stream(0, "test-inputs").standard_normal(shape)


def to_torch(array: Array) -> Any:
    """Channels last to channels first."""
    return torch.tensor(np.moveaxis(array, -1, 1).copy(), requires_grad=True)


def from_torch(tensor: Any) -> Array:
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def zeros_around(x: Any, kernel: Shape, dilation: Shape, padding: str) -> Any:
    if padding == "valid":
        return x
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return F.pad(x, [n for t in reversed(total) for n in (t // 2, t - t // 2)])


def compare(network: Network, x: Array, convolve: Any) -> None:
    """Compare output and gradients with a torch function of (input, weight, bias), channels first."""
    state = network.state()
    kernel = state["kernel"]
    axes = (kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))
    weight = torch.tensor(kernel.transpose(axes).copy(), requires_grad=True)
    bias = torch.tensor(state["bias"].copy(), requires_grad=True) if "bias" in state else None
    x_torch = to_torch(x)
    expected = convolve(x_torch, weight, bias)
    dy = stream(0, "test-gradients").standard_normal((len(x), *network.out_shape))
    network.store.begin_step()
    y = network.forward(x, TRAINING)
    assert y.shape == (len(x), *network.out_shape)
    np.testing.assert_allclose(y, from_torch(expected), rtol=TOLERANCE, atol=TOLERANCE)
    dx = network.backward(dy)
    expected.backward(to_torch(dy).detach())
    found = {parameter.name: parameter.grad for parameter in network.store.trainable}
    back = (*range(2, kernel.ndim), 1, 0)
    close = {"rtol": TOLERANCE, "atol": TOLERANCE}
    np.testing.assert_allclose(dx, from_torch(x_torch.grad), **close)
    np.testing.assert_allclose(found["kernel"], weight.grad.numpy().transpose(back), **close)
    if bias is not None:
        np.testing.assert_allclose(found["bias"], bias.grad.numpy(), **close)


@pytest.fixture(params=["one piece", "many pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "many pieces":
        monkeypatch.setattr(nntrain.layers.window_products, "BYTES_OF_A_PIECE", 6000)


CONV1D: list[tuple[dict[str, Any], Shape]] = [
    ({"kernel": 3, "filters": 5}, (9, 4)),
    ({"kernel": 4, "filters": 5, "padding": "same"}, (9, 20)),
    ({"kernel": 4, "filters": 3, "padding": "same", "stride": 2, "dilation": 2}, (10, 1)),
    ({"kernel": 2, "filters": 6, "stride": 3}, (11, 3)),
    ({"kernel": 1, "filters": 6, "stride": 5}, (11, 3)),
    ({"kernel": 5, "filters": 6, "padding": "same"}, (1, 3)),
    ({"kernel": 7, "filters": 2, "padding": "same", "dilation": 3}, (4, 2)),
    ({"kernel": 3, "filters": 40, "padding": "same"}, (8, 2)),
    ({"kernel": 3, "filters": 6, "groups": 6, "padding": "same"}, (8, 6)),
    ({"kernel": 3, "filters": 6, "groups": 6, "stride": 4}, (8, 6)),
    ({"kernel": 1, "filters": 7, "bias": False}, (4, 3)),
]


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("rows", [1, 13])
@pytest.mark.parametrize(("arguments", "in_shape"), CONV1D)
def test_conv1d(arguments: dict[str, Any], in_shape: Shape, rows: int) -> None:
    options = {"stride": 1, "dilation": 1, "groups": 1, "padding": "valid"} | arguments

    def convolve(x: Any, weight: Any, bias: Any) -> Any:
        x = zeros_around(x, (options["kernel"],), (options["dilation"],), options["padding"])
        return F.conv1d(x, weight, bias, **{key: options[key] for key in ("stride", "dilation", "groups")})

    compare(made("conv1d", in_shape, **arguments), batch(rows, *in_shape), convolve)


CONV2D: list[tuple[dict[str, Any], Shape]] = [
    ({"kernel": 3, "filters": 5}, (7, 6, 1)),
    ({"kernel": 3, "filters": 5}, (7, 6, 20)),
    ({"kernel": [2, 4], "filters": 5, "padding": "same"}, (5, 7, 3)),
    ({"kernel": [4, 3], "filters": 3, "padding": "same", "stride": [2, 3]}, (6, 8, 2)),
    ({"kernel": 3, "filters": 3, "dilation": [1, 2], "stride": 2}, (7, 9, 17)),
    ({"kernel": [1, 3], "filters": 4, "dilation": 2, "padding": "same"}, (1, 5, 2)),
    ({"kernel": 2, "filters": 4, "stride": 3}, (8, 7, 3)),
    ({"kernel": 1, "filters": 4}, (3, 4, 5)),
    ({"kernel": 1, "filters": 4, "stride": [1, 2]}, (3, 4, 5)),
    ({"kernel": [5, 6], "filters": 4}, (5, 6, 2)),
    ({"kernel": 3, "filters": 40}, (5, 6, 1)),
    ({"kernel": 3, "filters": 30, "padding": "same"}, (5, 6, 1)),
    ({"kernel": 3, "filters": 6, "groups": 2, "padding": "same"}, (5, 4, 4)),
    ({"kernel": 3, "filters": 32, "groups": 8, "padding": "same"}, (5, 4, 64)),
    ({"kernel": 3, "filters": 64, "groups": 8, "stride": 2}, (5, 4, 32)),
    ({"kernel": 2, "filters": 6, "groups": 3}, (4, 4, 3)),
    ({"kernel": 1, "filters": 6, "groups": 2}, (4, 4, 4)),
    ({"kernel": 3, "filters": 5, "groups": 5, "padding": "same"}, (6, 5, 5)),
    ({"kernel": 3, "filters": 5, "groups": 5, "padding": "same", "stride": 2, "bias": False}, (6, 5, 5)),
    ({"kernel": [2, 3], "filters": 20, "groups": 20, "dilation": 2, "stride": [2, 1]}, (6, 7, 20)),
    ({"kernel": 1, "filters": 4, "groups": 4}, (3, 3, 4)),
]


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("rows", [1, 13])
@pytest.mark.parametrize(("arguments", "in_shape"), CONV2D)
def test_conv2d(arguments: dict[str, Any], in_shape: Shape, rows: int) -> None:
    options = {"stride": 1, "dilation": 1, "groups": 1, "padding": "valid"} | arguments
    kernel, stride, dilation = (pair(options[key]) for key in ("kernel", "stride", "dilation"))

    def convolve(x: Any, weight: Any, bias: Any) -> Any:
        x = zeros_around(x, kernel, dilation, options["padding"])
        return F.conv2d(x, weight, bias, stride, 0, dilation, options["groups"])

    compare(made("conv2d", in_shape, **arguments), batch(rows, *in_shape), convolve)


TRANSPOSED: list[tuple[dict[str, Any], Shape]] = [
    ({"kernel": 3, "filters": 5, "stride": 2, "padding": "same"}, (3, 4, 2)),
    ({"kernel": 3, "filters": 5, "stride": 2}, (3, 4, 2)),
    ({"kernel": [4, 2], "filters": 3, "stride": [1, 2], "padding": "same"}, (3, 4, 18)),
    ({"kernel": [2, 1], "filters": 3, "stride": [4, 3], "padding": "same"}, (2, 3, 2)),
    ({"kernel": [2, 1], "filters": 3, "stride": [4, 3]}, (2, 3, 2)),
    ({"kernel": 5, "filters": 3, "padding": "same"}, (1, 1, 2)),
    ({"kernel": 3, "filters": 20}, (2, 3, 1)),
    ({"kernel": 1, "filters": 2, "bias": False}, (2, 3, 4)),
]


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("rows", [1, 13])
@pytest.mark.parametrize(("arguments", "in_shape"), TRANSPOSED)
def test_conv2d_transpose(arguments: dict[str, Any], in_shape: Shape, rows: int) -> None:
    options = {"stride": 1, "padding": "valid"} | arguments
    kernel, stride = pair(options["kernel"]), pair(options["stride"])

    def spread(x: Any, weight: Any, bias: Any) -> Any:
        # PyTorch's weight is (in, out, KH, KW), which compare gives.
        y = F.conv_transpose2d(x, weight, None, stride)
        if options["padding"] == "same":
            height, width = (n * s for n, s in zip(in_shape, stride, strict=False))
            y = F.pad(y, (0, width, 0, height))
            top, left = ((k - 1) // 2 for k in kernel)
            y = y[:, :, top : top + height, left : left + width]
        return y if bias is None else y + bias[:, None, None]

    compare(made("conv2d_transpose", in_shape, **arguments), batch(rows, *in_shape), spread)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_transposed_is_the_adjoint_of_the_convolution(padding: str) -> None:
    arguments = {"kernel": [3, 2], "stride": [2, 3], "padding": padding, "bias": False}
    back = made("conv2d_transpose", (4, 3, 5), filters=2, **arguments)
    forth = made("conv2d", back.out_shape, filters=5, **arguments)
    assert forth.out_shape == (4, 3, 5)
    forth.load_state(back.state())
    x, y = batch(3, *back.out_shape), batch(3, 4, 3, 5)
    np.testing.assert_allclose(np.sum(forth.forward(x) * y), np.sum(x * back.forward(y)), rtol=1e-12)


def test_definition_number_by_number() -> None:
    network = made("conv2d", (5, 6, 4), filters=4, kernel=[2, 3], stride=[2, 1], dilation=[1, 2], groups=2)
    x, (w, b) = batch(2, 5, 6, 4), (network.state()[name] for name in ("kernel", "bias"))
    y = network.forward(x)
    expected = np.empty_like(y)
    for n, i, j, f in itertools.product(*map(range, y.shape)):
        seen = x[n, 2 * i : 2 * i + 2, j : j + 5 : 2, 2 * (f // 2) : 2 * (f // 2) + 2]
        expected[n, i, j, f] = np.sum(seen * w[..., f]) + b[f]
    np.testing.assert_allclose(y, expected, rtol=1e-12)


def test_same_is_centred_whatever_the_size() -> None:
    """A kernel that is 1 at its middle picks every second number, from the first on, at even and odd sizes."""
    for size in (6, 7):
        network = made("conv1d", (size, 1), filters=1, kernel=3, stride=2, padding="same")
        network.state()["kernel"][...] = np.array([0, 1, 0]).reshape(3, 1, 1)
        network.state()["bias"][...] = 0
        x = batch(1, size, 1)
        np.testing.assert_array_equal(network.forward(x), x[:, ::2])


@pytest.mark.parametrize(
    ("arguments", "lengths", "expected"),
    [
        ({"kernel": 3}, [7, 3, 2, 0], [5, 1, 0, 0]),
        ({"kernel": 3, "padding": "same", "stride": 2}, [7, 4, 1, 0], [4, 2, 1, 0]),
        ({"kernel": 2, "dilation": 3, "stride": 2}, [7, 5, 3, 0], [2, 1, 0, 0]),
        ({"kernel": 3, "groups": 2}, [7, 3, 2, 0], [5, 1, 0, 0]),
    ],
)
def test_lengths(arguments: dict[str, Any], lengths: list[int], expected: list[int]) -> None:
    network = made("conv1d", (7, 2), filters=2, **arguments)
    ctx = Context(training=True, lengths=np.array(lengths))
    network.root.forward(batch(4, 7, 2), ctx)
    assert ctx.lengths is not None
    assert ctx.lengths.tolist() == expected


@pytest.mark.parametrize(("padding", "expected"), [("same", [6, 2, 0]), ("valid", [7, 3, 0])])
def test_lengths_of_the_transposed_convolution(padding: str, expected: list[int]) -> None:
    network = made("conv2d_transpose", (3, 2, 1), filters=2, kernel=3, stride=2, padding=padding)
    ctx = Context(training=True, lengths=np.array([3, 1, 0]))
    network.root.forward(batch(3, 3, 2, 1), ctx)
    assert ctx.lengths is not None
    assert ctx.lengths.tolist() == expected


@pytest.mark.parametrize("groups", [1, 2])
def test_all_steps_padding(groups: int) -> None:
    network = made("conv1d", (6, 2), filters=2, kernel=3, padding="same", groups=groups)
    network.store.begin_step()
    y = network.forward(np.full((2, 6, 2), 1e30), Context(training=True, lengths=np.array([0, 0])))
    dx = network.backward(np.zeros_like(y))
    assert dx is not None
    assert not dx.any()
    assert not network.store.grad.any()


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv2d_transpose"])
def test_input_gradient_is_skipped(name: str) -> None:
    in_shape = (6, 3) if name == "conv1d" else (6, 5, 3)
    arguments = {"filters": 2, "kernel": 3, "activation": "tanh"}
    with_dx, without = made(name, in_shape, **arguments), made(name, in_shape, input_gradient=False, **arguments)
    x = batch(2, *in_shape)
    for network in (with_dx, without):
        network.store.begin_step()
        dy = network.forward(x, TRAINING).copy()
        dx = network.backward(dy)
        assert (dx is None) == (network is without)
    np.testing.assert_array_equal(with_dx.store.grad, without.store.grad)


def test_backward_twice_after_one_forward() -> None:
    """The windows kept from the forward pass are overwritten by the first backward pass; the second makes them anew."""
    network = made("conv2d", (6, 5, 3), filters=2, kernel=3)
    network.store.begin_step()
    dy = network.forward(batch(2, 6, 5, 3), TRAINING).copy()
    network.backward(dy)
    once = network.store.grad.copy()
    network.backward(dy)
    np.testing.assert_allclose(network.store.grad, 2 * once, rtol=1e-12)


def test_shorter_batches_of_sequences_than_the_network_was_built_for() -> None:
    network, exact = made("conv1d", (9, 2), filters=3, kernel=3), made("conv1d", (5, 2), filters=3, kernel=3)
    x = batch(4, 5, 2)
    np.testing.assert_array_equal(network.forward(x), exact.forward(x))
    network.store.begin_step()
    y = network.forward(batch(4, 2, 2), TRAINING)
    assert y.shape == (4, 0, 3)
    dx = network.backward(y)
    assert dx is not None
    assert dx.shape == (4, 2, 2)
    assert not dx.any()
