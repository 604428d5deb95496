"""Every optimizer finds the bottom of a parabola and of Rosenbrock's valley."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nntrain.optim.base import OPTIMIZERS

PARABOLA_START = [-1.0, 10.0, 1.0]
PARABOLA_BOTTOM = np.array([1.0, -1.0, 1.0])
ROSENBROCK_START = [0.0, 0.0]
ROSENBROCK_BOTTOM = np.array([1.0, 1.0])


def parabola(w: Any) -> Any:
    return 2.0 * (w - PARABOLA_BOTTOM)


def rosenbrock(w: Any) -> Any:
    a, b = w
    return np.array([-2.0 * (1.0 - a) - 400.0 * a * (b - a * a), 200.0 * (b - a * a)])


RATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "adadelta": ({"learning_rate": 10.0}, {"learning_rate": 1.0, "decay": 0.99}),
    "adagrad": ({"learning_rate": 1.0}, {"learning_rate": 1.0}),
    "adam": ({"learning_rate": 0.1}, {"learning_rate": 0.01}),
    "adamax": ({"learning_rate": 0.1}, {"learning_rate": 0.01}),
    "adamw": ({"learning_rate": 0.1, "weight_decay": 1e-5}, {"learning_rate": 0.01, "weight_decay": 1e-5}),
    "amsgrad": ({"learning_rate": 0.1}, {"learning_rate": 0.01}),
    "lion": ({"learning_rate": 0.02}, {"learning_rate": 0.002}),
    "momentum": ({"learning_rate": 0.01}, {"learning_rate": 1e-4}),
    "nadam": ({"learning_rate": 0.1}, {"learning_rate": 0.01}),
    "nesterov": ({"learning_rate": 0.01}, {"learning_rate": 1e-4}),
    "radam": ({"learning_rate": 0.1}, {"learning_rate": 0.01}),
    "rmsprop": ({"learning_rate": 0.05}, {"learning_rate": 0.005}),
    "sgd": ({"learning_rate": 0.1}, {"learning_rate": 1e-3}),
}

STEPS = 20_000
"""Of Rosenbrock's valley, which is flat; the parabola has a tenth."""


def descend(name: str, arguments: dict[str, Any], gradient: Callable[[Any], Any], start: Any, steps: int) -> Any:
    rate = {"name": "linear", "initial": arguments["learning_rate"]}
    rule = OPTIMIZERS.build({"name": name, **arguments, "learning_rate": rate})
    rule.bind(len(start), np.float64)
    rule.schedule.bind(steps, 1)
    w = np.array(start)
    for step in range(steps):
        rule.update(w, gradient(w), step + 1, rule.schedule(step))
    return w


def test_every_optimizer_has_rates() -> None:
    assert sorted(RATES) == OPTIMIZERS.names()


@pytest.mark.parametrize("name", sorted(RATES))
def test_finds_the_bottom_of_a_parabola(name: str) -> None:
    w = descend(name, RATES[name][0], parabola, PARABOLA_START, STEPS // 10)
    np.testing.assert_allclose(w, PARABOLA_BOTTOM, atol=1e-3)


@pytest.mark.parametrize("name", sorted(RATES))
def test_finds_the_end_of_rosenbrocks_valley(name: str) -> None:
    w = descend(name, RATES[name][1], rosenbrock, ROSENBROCK_START, STEPS)
    np.testing.assert_allclose(w, ROSENBROCK_BOTTOM, atol=0.02)
