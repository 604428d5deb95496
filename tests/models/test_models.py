"""Architectures: the layers they make, and what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.task import Task
from nntrain.data.batches import Dataset, Loader
from nntrain.losses.base import LOSSES
from nntrain.models.base import ARCHITECTURES
from nntrain.models.build import FeatureLayout, build_network
from nntrain.optim.base import OPTIMIZERS
from nntrain.train.replicas import Replicas

BINARY = Task("classification", ("y",), ("no", "yes"), 1)
CLASSES = Task("classification", ("y",), ("a", "b", "c"))
NUMBERS = Task("regression", ("y", "z"))


def network_of(spec: Any, loss: str = "cross_entropy", task: Task = CLASSES, **options: Any) -> Any:
    built = LOSSES.build(loss)
    built.build(task)
    layout = FeatureLayout((4,), options.pop("embedded", {}))
    return build_network(ARCHITECTURES.build(spec), layout, built, task, options.pop("output_activation", None), 0)


@pytest.mark.parametrize(
    ("spec", "kinds"),
    [
        ("linear", ["dense"]),
        ({"name": "mlp", "hidden": [3]}, ["dense", "relu", "dense"]),
        (
            {"name": "mlp", "hidden": [3, 2], "batch_norm": True, "dropout": 0.5, "activation": "tanh"},
            ["dense", "batch_norm", "tanh", "dropout"] * 2 + ["dense"],
        ),
        ({"name": "sequential", "layers": [{"name": "dense", "units": 7}, "relu"]}, ["dense", "relu", "dense"]),
    ],
)
def test_layers_in_order(spec: Any, kinds: list[str]) -> None:
    network = network_of(spec)
    assert [row.kind for row in network.table()] == kinds
    assert network.out_shape == (3,)


@pytest.mark.parametrize(
    ("loss", "task", "outputs"),
    [
        ("cross_entropy", CLASSES, 3),
        ("binary_cross_entropy", BINARY, 1),
        ("cross_entropy", BINARY, 2),
        ("mse", NUMBERS, 2),
        ("mse", CLASSES, 3),
    ],
)
def test_the_output_layer_fits_loss_and_target(loss: str, task: Task, outputs: int) -> None:
    assert network_of("linear", loss, task).out_shape == (outputs,)


def test_a_dense_layer_is_linear_algebra() -> None:
    network = network_of("linear")
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    state = network.state()
    np.testing.assert_allclose(network.forward(x), x @ state["dense_1.kernel"] + state["dense_1.bias"], rtol=1e-6)
    assert "dense_1.bias" not in network_of({"name": "linear", "bias": False}).state()


def test_an_implied_activation_is_no_layer_of_its_own() -> None:
    assert len(network_of("linear", "cross_entropy", output_activation={"name": "softmax"}).table()) == 1
    assert len(network_of("linear", "mse", output_activation={"name": "identity"}).table()) == 1
    assert [row.kind for row in network_of("linear", "mse", output_activation={"name": "sigmoid"}).table()] == [
        "dense",
        "sigmoid",
    ]


def test_embedded_columns_come_first() -> None:
    network = network_of("linear", embedded={0: 5, 2: 3})
    assert [row.kind for row in network.table()] == ["category_embedding", "dense"]


def test_initializers_reach_all_layers() -> None:
    spec = {"name": "mlp", "hidden": [3, 3], "kernel_initializer": "ones", "bias_initializer": "ones"}
    assert all((value == 1).all() for value in network_of(spec).state().values())


def test_weights_depend_on_the_seed_alone() -> None:
    first, second = network_of({"name": "mlp"}), network_of({"name": "mlp"})
    assert first.store.value.tobytes() == second.store.value.tobytes()
    assert first.store.value.any()


def test_rosenblatts_rule() -> None:
    """w <- w + t (x, 1) after a mistake and nothing after a correct answer, for separable data until none is left."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((40, 4)).astype(np.float32)
    codes = (x @ np.array([1.0, -2.0, 0.5, 1.0], np.float32) > 0.2).astype(np.int64)
    network = network_of("perceptron", "perceptron", BINARY)
    assert not network.store.value.any()
    loss = LOSSES.build("perceptron")
    loss.build(BINARY)
    rule = OPTIMIZERS.build({"name": "sgd", "learning_rate": 1.0})
    replicas = Replicas(network, loss, Loader(Dataset(x, codes, None, np.arange(40)), 1, seed=0), None, rule)
    weights = np.zeros(5)
    mistakes = 1
    while mistakes:
        mistakes = 0
        for number, (row, code) in enumerate(zip(x, codes, strict=True)):
            t, inputs = 2 * code - 1, np.append(row, 1.0)
            if t * (weights @ inputs) <= 0:
                weights, mistakes = weights + t * inputs, mistakes + 1
            replicas.forward_backward(1, number, number + 1, 1)
            replicas.gradient_norms()
            replicas.update(1, 1.0, 1.0)
        found = [*network.state()["dense_1.kernel"][:, 0], network.state()["dense_1.bias"][0]]
        np.testing.assert_allclose(found, weights, atol=1e-4)
