"""Logits of 10,000 and tails far below rounding, against exact arithmetic with 60 digits."""

from __future__ import annotations

from decimal import Decimal, getcontext, localcontext

import numpy as np
import pytest

from nntrain.core.task import Task
from nntrain.losses.base import LOSSES
from nntrain.losses.counts import log_factorial

BINARY = Task("classification", ("label",), ("a", "b"), 1)
THREE = Task("classification", ("label",), ("a", "b", "c"))
NUMBER = Task("regression", ("y",))
EXTREME = (-1e4, -88.5, -30.0, -0.125, 0.0, 0.125, 30.0, 88.5, 1e4)
DTYPES = pytest.mark.parametrize(("dtype", "relative"), [(np.float32, 1e-5), (np.float64, 1e-13)])


@pytest.fixture(autouse=True)
def _digits():
    with localcontext() as context:
        context.prec = 6000
        yield


def exact_exp(x) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return Decimal(x).exp()


def softplus(x) -> Decimal:
    """log(1 + exp(x)), from the series of the logarithm where exp(x) is too small for the digits."""
    e = exact_exp(x)
    with localcontext() as context:
        context.prec = 60
        return e if e < Decimal("1e-50") else (1 + e).ln()


def sigmoid(x) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return 1 / (1 + exact_exp(-Decimal(x)))


def close(found, expected, relative) -> None:
    smallest = float(np.finfo(np.asarray(found).dtype).smallest_normal)
    assert np.isfinite(found)
    assert abs(float(found) - float(expected)) <= relative * abs(float(expected)) + smallest


@DTYPES
@pytest.mark.parametrize("x", EXTREME)
@pytest.mark.parametrize("code", [0, 1])
def test_binary_cross_entropy(dtype, relative, x, code) -> None:
    loss = LOSSES.build("binary_cross_entropy")
    loss.build(BINARY, dtype)
    x = float(dtype(x))
    prediction, target = np.array([[x]], dtype), np.array([code])
    close(loss.rows(prediction, target)[0], softplus(-x if code else x), relative * (1 + abs(x) / 50))
    expected = -sigmoid(-x) if code else sigmoid(x)
    close(loss.gradient(prediction, target)[0, 0], expected, relative * 100)
    close(loss.link(prediction)[0, 1], sigmoid(x), relative)
    close(loss.link(prediction)[0, 0], sigmoid(-x), relative)


@DTYPES
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("x", EXTREME)
def test_focal(dtype, relative, gamma, x) -> None:
    loss = LOSSES.build({"name": "focal", "gamma": gamma})
    loss.build(BINARY, dtype)
    x = float(dtype(x))
    prediction, target = np.array([[x]], dtype), np.array([1])
    with localcontext() as context:
        context.prec = 60
        p, q, s = sigmoid(x), sigmoid(-x), softplus(-x)
        focus = (Decimal(gamma) * q.ln()).exp()
        value, slope = focus * s, -focus * (Decimal(gamma) * p * s + q)
    close(loss.rows(prediction, target)[0], value, relative * 100)
    close(loss.gradient(prediction, target)[0, 0], slope, relative * 100)


@DTYPES
@pytest.mark.parametrize("name", ["cross_entropy", {"name": "focal", "gamma": 0.0}], ids=str)
def test_cross_entropy(dtype, relative, name) -> None:
    loss = LOSSES.build(name)
    loss.build(THREE, dtype)
    for logits in ((1e4, -1e4, 0.0), (-1e4, 1e4, 1e4), (-1e4, -1e4, -1e4), (1e4, 1e4, 1e4), (88.5, -88.5, 0.0)):
        logits = tuple(float(dtype(y)) for y in logits)
        prediction = np.array([logits] * 3, dtype)
        with localcontext() as context:
            context.prec = 60
            largest = Decimal(max(logits))
            powers = [(Decimal(y) - largest).exp() for y in logits]
            total = sum(powers)
            losses = [total.ln() + largest - Decimal(y) for y in logits]
            shares = [power / total for power in powers]
        tolerance = float(np.finfo(dtype).eps) * 4
        rows, dy = loss.rows(prediction, np.arange(3)), loss.gradient(prediction, np.arange(3))
        assert np.isfinite(rows).all() and np.isfinite(dy).all()
        for code in range(3):
            assert abs(float(rows[code]) - float(losses[code])) <= tolerance + relative * float(losses[code])
            for k in range(3):
                assert abs(float(dy[code, k]) - (float(shares[k]) - (k == code))) <= tolerance
        np.testing.assert_allclose(loss.link(prediction)[0], [float(share) for share in shares], atol=tolerance)


@DTYPES
@pytest.mark.parametrize("name", LOSSES.names())
def test_everything_stays_finite(dtype, relative, name) -> None:
    loss = LOSSES.build(name)
    for task in (BINARY, THREE, NUMBER):
        if loss.check(task) is not None:
            continue
        loss.build(task, dtype)
        width = loss.outputs(task)
        prediction = np.array([[(1e4, -1e4, 1e4)[(i + k) % 3] for k in range(width)] for i in range(3)], dtype)
        target = np.array([0, 1, 1]) if task.is_classification else np.array([[3.0], [0.0], [7.0]], dtype)
        value, dy = loss.value_and_grad(prediction, target)
        assert np.isfinite(value) and np.isfinite(dy).all() and np.isfinite(loss.link(prediction)).all()


@DTYPES
@pytest.mark.parametrize("x", [-1e4, -1.5, -1.0, -1e-3, 0.0, 1e-6, 0.5, 0.999, 1.0, 20.0, 1e4])
def test_log_cosh(dtype, relative, x) -> None:
    loss = LOSSES.build("log_cosh")
    loss.build(NUMBER, dtype)
    x = float(dtype(x))
    prediction, target = np.array([[x]], dtype), np.zeros((1, 1), dtype)
    with localcontext() as context:
        context.prec = 60
        up, down = exact_exp(x), exact_exp(-Decimal(x))
        value, slope = ((up + down) / 2).ln(), (up - down) / (up + down)
    close(loss.rows(prediction, target)[0], value, relative)
    close(loss.gradient(prediction, target)[0, 0], slope, relative)


def test_poisson_goes_on_along_its_tangent() -> None:
    loss = LOSSES.build("poisson")
    loss.build(NUMBER, np.float64)
    zero, rate = np.zeros((1, 1)), np.exp(60.0)
    at, beyond = loss.rows(np.array([[60.0]]), zero)[0], loss.rows(np.array([[62.0]]), zero)[0]
    np.testing.assert_allclose([at, beyond], [rate, 3 * rate], rtol=1e-14)
    np.testing.assert_allclose(loss.gradient(np.array([[62.0]]), zero), [[rate]], rtol=1e-14)


def test_log_factorial() -> None:
    getcontext().prec = 60
    counts, expected, product = np.arange(200.0), [], Decimal(1)
    for count in range(200):
        product *= max(count, 1)
        expected.append(float(product.ln()))
    np.testing.assert_allclose(log_factorial(counts), expected, rtol=1e-14, atol=1e-14)
