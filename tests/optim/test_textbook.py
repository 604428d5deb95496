"""Every optimizer equals the textbook: a loop of ten lines of NumPy expressions, no memory reused, no passes saved.

``TEXTBOOK[name](w, gradient, steps, **all arguments)`` returns the weights after ``steps`` updates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.rng import stream
from nntrain.optim.base import OPTIMIZERS

STEPS = 20
SIZE = 37


def sgd(w, gradient, steps, *, learning_rate, momentum, nesterov, weight_decay):
    v = 0.0
    for t in range(1, steps + 1):
        g = gradient(w, t) + weight_decay * w
        v = momentum * v + g
        w = w - learning_rate * (g + momentum * v if nesterov else v)
    return w


def adagrad(w, gradient, steps, *, learning_rate, initial_sum, epsilon, weight_decay):
    s = initial_sum
    for t in range(1, steps + 1):
        g = gradient(w, t) + weight_decay * w
        s = s + g**2
        w = w - learning_rate * g / (np.sqrt(s) + epsilon)
    return w


def adadelta(w, gradient, steps, *, learning_rate, decay, epsilon, weight_decay):
    s = u = 0.0
    for t in range(1, steps + 1):
        g = gradient(w, t) + weight_decay * w
        s = decay * s + (1 - decay) * g**2
        d = np.sqrt(u + epsilon) / np.sqrt(s + epsilon) * g
        u = decay * u + (1 - decay) * d**2
        w = w - learning_rate * d
    return w


def rmsprop(w, gradient, steps, *, learning_rate, decay, epsilon, momentum, centered, weight_decay):
    s = a = v = 0.0
    for t in range(1, steps + 1):
        g = gradient(w, t) + weight_decay * w
        s = decay * s + (1 - decay) * g**2
        a = decay * a + (1 - decay) * g
        v = momentum * v + g / (np.sqrt(s - a**2 if centered else s) + epsilon)
        w = w - learning_rate * v
    return w


def adam(w, gradient, steps, *, learning_rate, beta1, beta2, epsilon, weight_decay, decoupled, amsgrad):
    m = v = largest = 0.0
    for t in range(1, steps + 1):
        g = gradient(w, t) + (0.0 if decoupled else weight_decay * w)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        largest = np.maximum(largest, v) if amsgrad else v
        d = (m / (1 - beta1**t)) / (np.sqrt(largest / (1 - beta2**t)) + epsilon)
        w = w - learning_rate * d - (learning_rate * weight_decay * w if decoupled else 0.0)
    return w


def nadam(w, gradient, steps, *, learning_rate, beta1, beta2, epsilon, momentum_decay, weight_decay, decoupled):
    def mu(t):
        return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))

    m = v = 0.0
    for t in range(1, steps + 1):
        g = gradient(w, t) + (0.0 if decoupled else weight_decay * w)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        product = np.prod([mu(i) for i in range(1, t + 1)])
        m_hat = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        d = m_hat / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        w = w - learning_rate * d - (learning_rate * weight_decay * w if decoupled else 0.0)
    return w


def radam(w, gradient, steps, *, learning_rate, beta1, beta2, epsilon, weight_decay, decoupled):
    m = v = 0.0
    longest = 2 / (1 - beta2) - 1
    for t in range(1, steps + 1):
        g = gradient(w, t) + (0.0 if decoupled else weight_decay * w)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        d = m / (1 - beta1**t)
        rho = longest - 2 * t * beta2**t / (1 - beta2**t)
        if rho > 5:
            r = np.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
            d = d * r * np.sqrt(1 - beta2**t) / (np.sqrt(v) + epsilon)
        w = w - learning_rate * d - (learning_rate * weight_decay * w if decoupled else 0.0)
    return w


def adamax(w, gradient, steps, *, learning_rate, beta1, beta2, epsilon, weight_decay):
    m = u = 0.0
    for t in range(1, steps + 1):
        g = gradient(w, t) + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        u = np.maximum(beta2 * u, np.abs(g) + epsilon)
        w = w - learning_rate / (1 - beta1**t) * m / u
    return w


def lion(w, gradient, steps, *, learning_rate, beta1, beta2, weight_decay):
    m = 0.0
    for t in range(1, steps + 1):
        g = gradient(w, t)
        c = beta1 * m + (1 - beta1) * g
        w = w - learning_rate * (np.sign(c) + weight_decay * w)
        m = beta2 * m + (1 - beta2) * g
    return w


TEXTBOOK = {
    "adadelta": adadelta,
    "adagrad": adagrad,
    "adam": adam,
    "adamax": adamax,
    "adamw": adam,
    "amsgrad": adam,
    "lion": lion,
    "momentum": sgd,
    "nadam": nadam,
    "nesterov": sgd,
    "radam": radam,
    "rmsprop": rmsprop,
    "sgd": sgd,
}

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in TEXTBOOK),
    *((name, {"weight_decay": 0.1}) for name in TEXTBOOK),
    *((name, {"learning_rate": 0.3}) for name in TEXTBOOK),
    ("sgd", {"momentum": 0.5, "nesterov": True, "weight_decay": 0.2}),
    ("adagrad", {"initial_sum": 0.5, "epsilon": 1e-3}),
    ("adadelta", {"decay": 0.5, "epsilon": 1e-2}),
    ("adadelta", {"decay": 0.0}),
    ("rmsprop", {"centered": True, "decay": 0.9}),
    ("rmsprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("rmsprop", {"momentum": 0.9, "centered": True, "epsilon": 1e-2}),
    ("rmsprop", {"decay": 0.0}),
    ("adam", {"beta1": 0.0, "beta2": 0.0, "epsilon": 0.1}),
    ("adam", {"decoupled": True, "amsgrad": True, "weight_decay": 0.1}),
    ("amsgrad", {"beta2": 0.5}),
    ("nadam", {"beta1": 0.0}),
    ("nadam", {"momentum_decay": 0.5, "decoupled": True, "weight_decay": 0.1}),
    ("radam", {"beta2": 0.9}),
    ("radam", {"beta2": 0.5}),
    ("radam", {"beta1": 0.5, "beta2": 0.95, "decoupled": True, "weight_decay": 0.1}),
    ("adamax", {"beta2": 0.5, "epsilon": 0.1}),
    ("lion", {"beta1": 0.5, "beta2": 0.5, "learning_rate": 0.01, "weight_decay": 1.0}),
]


def arguments(name: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of a registered optimizer: its defaults, its presets and what the test changes."""
    return {argument.name: argument.default for argument in OPTIMIZERS.get(name).arguments} | overrides


def gradient(w, t):
    """Return a gradient of its own at every step, with a few zeros, that also depends on the weights."""
    noise = stream(0, "gradient", t).normal(size=SIZE) * 10.0 ** np.linspace(-3, 1, SIZE)
    noise[3] = 0.0
    return noise + np.where(np.arange(SIZE) == 3, 0.0, 0.5 * w)


def train(name: str, overrides: dict[str, Any], start, dtype=np.float64):
    rule = OPTIMIZERS.build({"name": name, **overrides})
    rule.bind(SIZE, dtype)
    w = start.astype(dtype)
    for t in range(1, STEPS + 1):
        rule.update(w, gradient(w, t).astype(dtype), t, rule.schedule(t - 1))
    return w


def test_every_registered_optimizer_has_a_textbook() -> None:
    assert sorted(TEXTBOOK) == OPTIMIZERS.names()


@pytest.mark.parametrize(("name", "overrides"), VARIANTS, ids=str)
def test_twenty_steps_equal_the_textbook(name: str, overrides: dict[str, Any]) -> None:
    start = stream(1, "start").normal(size=SIZE)
    expected = TEXTBOOK[name](start, gradient, STEPS, **arguments(name, overrides))
    assert np.abs(expected - start).max() > 1e-4
    np.testing.assert_allclose(train(name, overrides, start), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", [name for name in TEXTBOOK if name != "lion"])
def test_float32_stays_close(name: str) -> None:
    start = stream(1, "start").normal(size=SIZE)
    w = train(name, {}, start, np.float32)
    assert w.dtype == np.float32
    np.testing.assert_allclose(w, train(name, {}, start), rtol=2e-5, atol=2e-5)
