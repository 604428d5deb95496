"""Every optimizer that PyTorch has takes PyTorch's steps, with PyTorch's defaults."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nntrain.core.rng import stream
from nntrain.optim.base import OPTIMIZERS
from nntrain.optim.clipping import Clipping, flat_norm

torch = pytest.importorskip("torch")

STEPS = 20
SHAPES = [(5, 7), (7,), (3, 2, 2)]
SIZE = 54

NOT_IN_TORCH = {"lion"}

PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "adadelta": ("Adadelta", {}),
    "adagrad": ("Adagrad", {}),
    "adam": ("Adam", {}),
    "adamax": ("Adamax", {}),
    "adamw": ("AdamW", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "momentum": ("SGD", {"lr": 0.01, "momentum": 0.9}),
    "nadam": ("NAdam", {}),
    "nesterov": ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "radam": ("RAdam", {}),
    "rmsprop": ("RMSprop", {}),
    "sgd": ("SGD", {"lr": 0.01}),
}

VARIANTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    *((name, {}, {}) for name in PEERS),
    *((name, {"weight_decay": 0.1}, {"weight_decay": 0.1}) for name in PEERS),
    *((name, {"learning_rate": 0.25}, {"lr": 0.25}) for name in PEERS),
    ("sgd", {"momentum": 0.5, "nesterov": True}, {"momentum": 0.5, "nesterov": True}),
    ("adagrad", {"initial_sum": 0.5, "epsilon": 1e-3}, {"initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("adadelta", {"decay": 0.5, "epsilon": 1e-2}, {"rho": 0.5, "eps": 1e-2}),
    ("rmsprop", {"decay": 0.9, "epsilon": 1e-3}, {"alpha": 0.9, "eps": 1e-3}),
    ("rmsprop", {"centered": True}, {"centered": True}),
    ("rmsprop", {"momentum": 0.9}, {"momentum": 0.9}),
    (
        "rmsprop",
        {"momentum": 0.9, "centered": True, "weight_decay": 0.1},
        {"momentum": 0.9, "centered": True, "weight_decay": 0.1},
    ),
    ("adam", {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.1}, {"betas": (0.5, 0.9), "eps": 0.1}),
    ("adam", {"beta1": 0.0}, {"betas": (0.0, 0.999)}),
    ("adamw", {"amsgrad": True, "beta2": 0.5}, {"amsgrad": True, "betas": (0.9, 0.5)}),
    ("adamw", {"learning_rate": 0.5, "weight_decay": 0.5}, {"lr": 0.5, "weight_decay": 0.5}),
    ("amsgrad", {"beta2": 0.5}, {"betas": (0.9, 0.5)}),
    ("nadam", {"momentum_decay": 0.5, "beta1": 0.8}, {"momentum_decay": 0.5, "betas": (0.8, 0.999)}),
    ("nadam", {"weight_decay": 0.1, "decoupled": True}, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("radam", {"beta2": 0.9}, {"betas": (0.9, 0.9)}),
    ("radam", {"weight_decay": 0.1, "decoupled": True}, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("adamax", {"beta1": 0.5, "beta2": 0.5, "epsilon": 0.1}, {"betas": (0.5, 0.5), "eps": 0.1}),
]


@pytest.fixture(autouse=True)
def float64_by_default() -> Iterator[None]:
    """PyTorch keeps NAdam's product of momenta in the default type; in float32 it agrees to 1e-9 only."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def gradients() -> list[Any]:
    scales = 10.0 ** np.linspace(-4, 1, SIZE)
    return [stream(0, "gradient", t).normal(size=SIZE) * scales for t in range(STEPS)]


def cut(vector: Any) -> list[Any]:
    ends = np.cumsum([np.prod(shape) for shape in SHAPES])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(vector, ends), SHAPES, strict=True)]


def torch_steps(optimizer: str, arguments: dict[str, Any], start: Any) -> Any:
    tensors = [torch.tensor(part, requires_grad=True) for part in cut(start)]
    rule = getattr(torch.optim, optimizer)(tensors, **arguments)
    for gradient in gradients():
        for tensor, part in zip(tensors, cut(gradient), strict=True):
            tensor.grad = torch.tensor(part)
        rule.step()
    return np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors])


def test_every_optimizer_of_torch_is_compared() -> None:
    assert set(PEERS) | NOT_IN_TORCH == set(OPTIMIZERS.names())


@pytest.mark.parametrize(("name", "ours", "theirs"), VARIANTS, ids=str)
def test_twenty_steps_equal_torch(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    start = stream(1, "start").normal(size=SIZE)
    peer, preset = PEERS[name]
    expected = torch_steps(peer, preset | theirs, start)
    rule = OPTIMIZERS.build({"name": name, **ours})
    rule.bind(SIZE, np.float64)
    value = start.copy()
    for t, gradient in enumerate(gradients(), start=1):
        rule.update(value, gradient.copy(), t, rule.schedule(t - 1))
    assert np.abs(value - start).max() > 1e-4
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-13)


DEFAULTS = {
    "learning_rate": lambda theirs: theirs["lr"],
    "beta1": lambda theirs: theirs["betas"][0],
    "beta2": lambda theirs: theirs["betas"][1],
    "epsilon": lambda theirs: theirs["eps"],
    "decay": lambda theirs: theirs["alpha"] if "alpha" in theirs else theirs["rho"],
    "initial_sum": lambda theirs: theirs["initial_accumulator_value"],
    "decoupled": lambda theirs: theirs["decoupled_weight_decay"],
}


@pytest.mark.parametrize("name", sorted(PEERS))
def test_defaults_are_torchs(name: str) -> None:
    peer, preset = PEERS[name]
    parameters = inspect.signature(getattr(torch.optim, peer).__init__).parameters
    theirs = {key: parameter.default for key, parameter in parameters.items()} | preset
    if name in ("sgd", "momentum", "nesterov"):
        theirs["lr"] = 0.01  # PyTorch's default of 0.001 is that of Adam; 0.01 is the usual one.
    if name == "adamw":
        theirs["decoupled_weight_decay"] = True
    for argument in OPTIMIZERS.get(name).arguments:
        expected = DEFAULTS.get(argument.name, lambda theirs, key=argument.name: theirs[key])(theirs)
        assert argument.default == expected, argument.name


@pytest.mark.parametrize("limit", [1e-3, 1.0, 50.0, 1e6])
def test_clipping_by_norm_equals_torch(limit: float) -> None:
    gradient = gradients()[0]
    tensors = [torch.zeros(shape, dtype=torch.float64) for shape in SHAPES]
    for tensor, part in zip(tensors, cut(gradient), strict=True):
        tensor.grad = torch.tensor(part)
    expected_norm = float(torch.nn.utils.clip_grad_norm_(tensors, limit))
    clipped = gradient.copy()
    norm = flat_norm(clipped)
    assert norm == pytest.approx(expected_norm, rel=1e-14)
    clipped *= Clipping(norm=limit).factor(norm)
    theirs = np.concatenate([tensor.grad.numpy().ravel() for tensor in tensors])
    np.testing.assert_allclose(clipped, theirs, rtol=1e-13)


def test_clipping_by_value_equals_torch() -> None:
    gradient = gradients()[0]
    tensor = torch.zeros(SIZE, dtype=torch.float64)
    tensor.grad = torch.tensor(gradient)
    torch.nn.utils.clip_grad_value_([tensor], 0.5)
    clipped = gradient.copy()
    Clipping(value=0.5).limit(clipped)
    np.testing.assert_array_equal(clipped, tensor.grad.numpy())
