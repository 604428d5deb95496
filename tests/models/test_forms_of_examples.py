"""Architectures on sequences and images: their sizes, their outputs, and that padding changes nothing."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.core.task import Task
from nntrain.data.batches import Batch, Dataset
from nntrain.errors import ConfigError, DataError
from nntrain.losses.base import LOSSES, Loss
from nntrain.models.base import ARCHITECTURES, Examples
from nntrain.models.build import FeatureLayout, build_network
from nntrain.train.evaluation import Evaluator
from nntrain.train.labelled import value_and_grad

TASK = Task("classification", ("y",), ("a", "b", "c"))
RECURRENT = ("rnn", "lstm", "gru")
SEQUENCES: list[dict[str, Any]] = [
    *(
        {"name": name, "hidden": [5, 4], "pooling": pooling}
        for name in RECURRENT
        for pooling in ("last", "mean", "max")
    ),
    *({"name": name, "hidden": [5], "bidirectional": True, "dropout": 0.0} for name in RECURRENT),
    {"name": "gru", "hidden": [5], "reset": "before"},
    {"name": "transformer", "width": 8, "heads": 2, "blocks": 2},
    {"name": "transformer", "width": 8, "heads": 2, "blocks": 1, "norm": "last", "causal": True, "pooling": "last"},
    {"name": "cnn", "filters": [4, 5], "dense": [6]},
    {"name": "cnn", "filters": [4], "dense": [], "head": "average"},
]


def loss_of(dtype: Any = np.float64) -> Loss:
    loss = LOSSES.build("cross_entropy")
    loss.build(TASK, dtype)
    return loss


def network_of(spec: Any, shape: Shape, per_step: bool = False, ragged: bool = True) -> Network:
    architecture = ARCHITECTURES.build(spec)
    return build_network(architecture, FeatureLayout(shape, {}, per_step, ragged), loss_of(), TASK, None, 0)


def in_double(network: Network) -> Network:
    network = Network(network._blueprint, network.in_shape, dtype=np.float64)
    network.store.value += 0.1 * np.random.default_rng(0).standard_normal(network.store.size)
    return network


def gradient(network: Network, batch: Batch, rows: int) -> tuple[float, Array]:
    """Return sum of losses and the flat gradient of a batch."""
    network.store.begin_step()
    prediction = network.forward(batch.x, Context(training=True, lengths=batch.lengths))
    value, dy = value_and_grad(loss_of(), prediction, batch, rows)
    network.backward(dy)
    network.store.finish_step()
    return value, network.store.grad.copy()


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("spec", SEQUENCES, ids=lambda spec: "-".join(str(value) for value in spec.values()))
def test_a_padded_batch_is_its_sequences_one_by_one(spec: dict[str, Any], per_step: bool) -> None:
    generator = np.random.default_rng(1)
    network = in_double(network_of(spec, (9, 3), per_step))
    lengths = np.array([9, 6, 4, 8])
    x = generator.standard_normal((4, 9, 3))
    target = generator.integers(0, 3, (4, 9) if per_step else 4)
    rows = int(lengths.sum()) if per_step else 4
    whole, whole_gradient = gradient(network, Batch(x, target, None, lengths, per_step), rows)
    total, total_gradient = 0.0, np.zeros_like(whole_gradient)
    for i, length in enumerate(lengths):
        alone = network.replica((int(length), 3))
        label = target[i : i + 1, :length] if per_step else target[i : i + 1]
        batch = Batch(x[i : i + 1, :length], label, None, np.array([length]), per_step)
        value, part = gradient(alone, batch, rows)
        total, total_gradient = total + value, total_gradient + part
    assert whole == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(whole_gradient, total_gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("spec", [*SEQUENCES, "fcn", "resnet"], ids=str)
def test_a_network_trained_on_short_sequences_takes_longer_ones(spec: Any) -> None:
    network = network_of(spec, (5, 2))
    evaluator = Evaluator(network, loss_of(np.float32), {}, lambda values, base: values)
    x = np.random.default_rng(2).standard_normal((3, 8, 2)).astype(np.float32)
    lengths = np.array([8, 5, 3])
    x[np.arange(8) >= lengths[:, None]] = 0
    data = Dataset(x, np.zeros(3, np.int64), None, np.arange(3), None, lengths)
    short = Dataset(x[1:, :5], np.zeros(2, np.int64), None, np.arange(2), None, lengths[1:])
    np.testing.assert_allclose(evaluator.outputs(data)[1:], evaluator.outputs(short), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("spec", ["mlp", *SEQUENCES[:3], "cnn"], ids=str)
def test_the_order_of_examples_changes_no_bit(spec: Any) -> None:
    """On some processors a product rounds a row by its place in the batch; so wide rows, many of them, some twice."""
    generator = np.random.default_rng(4)
    evaluator = Evaluator(network_of(spec, (6, 16)), loss_of(np.float32), {}, lambda values, base: values)
    x = generator.standard_normal((400, 6, 16)).astype(np.float32)
    x[300:] = x[:100]
    lengths = np.full(400, 6)
    lengths[:100] = lengths[300:] = 4
    x[lengths == 4, 4:] = 0
    data = Dataset(x, np.zeros(400, np.int64), None, np.arange(400), None, lengths)
    whole, order = evaluator.outputs(data), generator.permutation(400)
    np.testing.assert_array_equal(evaluator.outputs(data.subset(order)), whole[order])
    np.testing.assert_array_equal(whole[300:], whole[:100])


def test_a_network_that_needs_a_fixed_length_says_so() -> None:
    evaluator = Evaluator(network_of("mlp", (5, 2)), loss_of(np.float32), {}, lambda values, base: values)
    data = Dataset(np.zeros((1, 7, 2), np.float32), np.zeros(1, np.int64), None, np.arange(1), None, np.array([7]))
    with pytest.raises(DataError, match="a sequence has 7 steps, and this network takes 5 at most"):
        evaluator.outputs(data)


@pytest.mark.parametrize(
    ("spec", "shape", "parameters"),
    [
        # Keras' small convnet for MNIST, https://keras.io/examples/vision/mnist_convnet/: 34,826
        (
            {
                "layers": [
                    {"name": "conv2d", "filters": 32, "kernel": 3},
                    "relu",
                    "max_pool2d",
                    {"name": "conv2d", "filters": 64, "kernel": 3},
                    "relu",
                    "max_pool2d",
                    "flatten",
                ]
            },
            (28, 28, 1),
            34_826 - 1601 * 10 + 1601 * 3,
        ),
        # by hand: conv 5*1*8*128+..., batch norms 2 a channel, 3 outputs
        ("fcn", (20, 5), 8 * 5 * 128 + 5 * 128 * 256 + 3 * 256 * 128 + 2 * (128 + 256 + 128) + 128 * 3 + 3),
        ({"name": "lstm", "hidden": [7]}, (20, 5), 4 * (5 * 7 + 7 * 7 + 7) + 7 * 3 + 3),
        ({"name": "rnn", "hidden": [7]}, (20, 5), 5 * 7 + 7 * 7 + 7 + 7 * 3 + 3),
        # resnet of rows, Gorishniy et al. 2021: first, blocks of 2 dense and a norm, last norm, output
        (
            {"name": "resnet", "blocks": 2, "width": 6, "hidden_factor": 2.0},
            (5,),
            (5 * 6 + 6) + 2 * (2 * 6 + 6 * 12 + 12 + 12 * 6 + 6) + 2 * 6 + 6 * 3 + 3,
        ),
    ],
)
def test_sizes(spec: Any, shape: Shape, parameters: int) -> None:
    spec = {"name": "sequential", **spec} if isinstance(spec, dict) and "layers" in spec else spec
    assert network_of(spec, shape).store.size == parameters


FORMS = {1: (6,), 2: (9, 4), 3: (12, 12, 1)}


@pytest.mark.parametrize(("name", "axes"), list(itertools.product(ARCHITECTURES.names(), FORMS)))
def test_every_architecture_takes_its_forms_and_refuses_the_others(name: str, axes: int) -> None:
    if name == "sequential":
        return
    architecture = ARCHITECTURES.build(name)
    if axes not in architecture.takes:
        with pytest.raises(ConfigError, match=f"{name} takes"):
            network_of(name, FORMS[axes])
        return
    network = network_of(name, FORMS[axes], ragged=False)
    x = np.random.default_rng(3).standard_normal((4, *FORMS[axes])).astype(np.float32)
    network.store.begin_step()
    y = network.forward(x, Context(training=True))
    assert y.shape == (4, 3)
    network.backward(np.ones_like(y))
    network.store.finish_step()
    assert np.isfinite(network.store.grad).all() and network.store.grad.any()


@pytest.mark.parametrize("name", [*RECURRENT, "transformer", "cnn", "fcn", "resnet", "mlp", "linear"])
def test_labels_of_steps_get_outputs_of_steps(name: str) -> None:
    assert network_of(name, (9, 4), per_step=True).out_shape == (9, 3)


def test_a_network_that_does_not_end_in_one_row_says_so() -> None:
    with pytest.raises(ConfigError, match=r"an output of shape \(9, 3\), and the target needs \(3,\)"):
        network_of({"name": "sequential", "layers": ["relu"]}, (9, 4))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "fcn", "filters": [4, 4], "kernels": [3]}, "kernels: expected 2 numbers"),
        ({"name": "transformer", "width": 9, "heads": 2}, "width: expected a multiple of heads"),
    ],
)
def test_arguments_that_do_not_fit_each_other(spec: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ARCHITECTURES.build(spec).hidden_layers(Examples(2))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_cnn_tells_sequences_apart_that_are_shorter_than_its_pooling(steps: int) -> None:
    network = network_of({"name": "cnn", "filters": [4, 5], "dense": [6], "activation": "tanh"}, (9, 3))
    x = np.zeros((2, 9, 3), np.float32)
    x[:, :steps] = np.random.default_rng(0).standard_normal((2, steps, 3))
    first, second = network.forward(x, Context(lengths=np.full(2, steps)))
    assert not np.allclose(first, second)


def test_an_autoencoder_refuses_sequences_of_different_lengths() -> None:
    with pytest.raises(ConfigError, match="sequences differ in length"):
        network_of("autoencoder", (9, 4), ragged=True)
