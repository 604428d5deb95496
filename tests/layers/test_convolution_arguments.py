"""What convolutions take and refuse, and what they say of themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.config.annotations import plain_type
from nntrain.core.array import Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.errors import ConfigError


def built(name: str, in_shape: Shape, **arguments: Any) -> Network:
    return Network(LAYERS.build({"name": name, **arguments}), in_shape)


@pytest.mark.parametrize(
    ("name", "arguments", "fans"),
    [
        ("conv1d", {"kernel": 5, "filters": 6, "groups": 2}, (5 * 2, 5 * 3)),
        ("conv2d", {"kernel": [3, 2], "filters": 8}, (6 * 4, 6 * 8)),
        ("conv2d", {"kernel": 3, "filters": 4, "groups": 4}, (9, 9)),
        ("conv2d_transpose", {"kernel": [3, 2], "filters": 8}, (6 * 4, 6 * 8)),
    ],
)
def test_fans(name: str, arguments: dict[str, Any], fans: tuple[int, int]) -> None:
    network = built(name, (6, 4) if name == "conv1d" else (6, 6, 4), **arguments)
    assert [parameter.fans for parameter in network.store.parameters] == [fans, fans]
    assert [parameter.penalized for parameter in network.store.parameters] == [True, False]


@pytest.mark.parametrize(
    ("name", "arguments", "in_shape", "flops"),
    [
        ("conv1d", {"kernel": 5, "filters": 6}, (9, 2), 2 * 5 * 2 * 5 * 6),
        ("conv2d", {"kernel": 3, "filters": 4, "groups": 4, "padding": "same"}, (6, 5, 4), 2 * 9 * 6 * 5 * 4),
        ("conv2d_transpose", {"kernel": 2, "filters": 3, "stride": 2}, (4, 4, 5), 2 * 4 * 4 * 4 * 5 * 3),
    ],
)
def test_flops(name: str, arguments: dict[str, Any], in_shape: Shape, flops: int) -> None:
    network = built(name, in_shape, **arguments)
    assert network.root.flops(in_shape, network.out_shape) == flops


@pytest.mark.parametrize(
    ("name", "arguments", "in_shape", "message"),
    [
        ("conv1d", {"kernel": 3}, (5,), "conv1d needs sequences of shape (steps, features), got shape (5,)"),
        ("conv2d", {"kernel": 3}, (5, 4), "conv2d needs images of shape (height, width, channels), got shape (5, 4)"),
        ("conv2d_transpose", {"kernel": 3}, (5,), "needs images of shape (height, width, channels), got shape (5,)"),
        (
            "conv1d",
            {"kernel": 6},
            (5, 2),
            "inputs of at least 6 for a kernel of 6 and padding: valid, got shape (5, 2)",
        ),
        ("conv2d", {"kernel": [2, 5]}, (4, 4, 1), "at least 2 x 5 for a kernel of 2 x 5 and padding: valid, got shape"),
        ("conv1d", {"kernel": 3, "dilation": 4}, (8, 2), "at least 9 for a kernel of 3 with dilation 4 and padding"),
        ("conv1d", {"kernel": 1, "groups": 2}, (8, 3), "conv1d needs groups that divide 3 channels, has groups: 2"),
        ("conv2d", {"kernel": 1, "groups": 3}, (8, 8, 3), "conv2d needs groups that divide 4 filters, has groups: 3"),
    ],
)
def test_shapes_that_cannot_be_taken(name: str, arguments: dict[str, Any], in_shape: Shape, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        LAYERS.build({"name": name, "filters": 4, **arguments}).build(in_shape)
    assert message in str(error.value)


@pytest.mark.parametrize(("value", "fits"), [(3, True), ([3, 2], True), ([3], False), ([3, 2, 1], False), (0, False)])
def test_a_config_holds_one_integer_or_two(value: Any, fits: bool) -> None:
    from pydantic import TypeAdapter, ValidationError

    kernel = next(argument for argument in LAYERS.get("conv2d").arguments if argument.name == "kernel")
    adapter: TypeAdapter[Any] = TypeAdapter(plain_type(kernel.annotation, lambda kind: str, kernel.default))
    if fits:
        assert adapter.validate_python(value) == value
        return
    with pytest.raises(ValidationError):
        adapter.validate_python(value)


@pytest.mark.parametrize(
    ("name", "in_shape", "arguments"),
    [
        ("conv1d", (5, 2), {"kernel": 2, "filters": 3}),
        ("conv2d", (5, 5, 2), {"kernel": 1, "filters": 3, "dilation": 10**31}),
        ("conv2d_transpose", (1, 1, 2), {"kernel": 3, "filters": 2}),
    ],
)
def test_a_stride_beyond_the_input_is_as_good_as_a_smaller_one(
    name: str, in_shape: Shape, arguments: dict[str, Any]
) -> None:
    outputs, gradients = [], []
    for stride in (7, 10**31):
        network = built(name, in_shape, stride=stride, **arguments)
        lengths = np.array([in_shape[0]] * 3)
        network.store.begin_step()
        outputs.append(network.forward(np.ones((3, *in_shape), np.float32), Context(training=True, lengths=lengths)))
        network.backward(np.ones_like(outputs[-1]))
        gradients.append(network.store.grad)
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(gradients[0], gradients[1])


def test_many_groups_are_divided_at_once() -> None:
    network = built("conv1d", (1, 1_000_000), kernel=1, filters=1_000_000, groups=1_000_000)
    assert network.out_shape == (1, 1_000_000)
