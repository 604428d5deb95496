"""Penalties on weights, and on weights only."""

from __future__ import annotations

import numpy as np
import pytest

from nntrain.core.array import Array
from nntrain.core.initializers import INITIALIZERS
from nntrain.core.parameter import Parameter, ParameterStore
from nntrain.core.rng import stream
from nntrain.optim.blocks import BLOCK, spans
from nntrain.optim.regularization import Regularization

ZEROS = INITIALIZERS.build("zeros")


def made(dtype: type = np.float64, wide: int = 4) -> ParameterStore:
    """Return a store of weights and biases in turn, with statistics that are not trained between them."""
    parameters = [
        Parameter("dense_1.kernel", (3, wide), ZEROS),
        Parameter("dense_1.bias", (wide,), ZEROS, penalized=False),
        Parameter("norm.mean", (wide,), ZEROS, trainable=False),
        Parameter("dense_2.kernel", (wide, 2), ZEROS),
        Parameter("dense_2.bias", (2,), ZEROS, penalized=False),
    ]
    store = ParameterStore(parameters, np.dtype(dtype))
    store.value[...] = stream(0, "value").normal(size=store.size)
    store.buffer[...] = 100.0
    return store


def add_all(penalties: Regularization, grad: Array) -> None:
    for span in spans(grad.size):
        penalties.add_gradient(grad[span], span)


def textbook(store: ParameterStore, l1: float, l2: float) -> float:
    weights = [p.value.astype(np.float64) for p in store.trainable if p.penalized]
    return float(sum(l1 * np.abs(w).sum() + l2 * (w**2).sum() for w in weights))


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.3), (0.2, 0.0), (0.2, 0.3), (0.0, 0.0)])
@pytest.mark.parametrize("wide", [4, BLOCK])
def test_gradient_and_penalty(l1: float, l2: float, wide: int) -> None:
    store = made(wide=wide)
    penalties = Regularization(store, l1=l1, l2=l2)
    grad = np.ones(store.size)
    add_all(penalties, grad)
    for parameter, span in zip(store.trainable, store.slices().values(), strict=True):
        w = parameter.value.ravel()
        expected = l1 * np.sign(w) + 2 * l2 * w if parameter.penalized else np.zeros(w.size)
        np.testing.assert_allclose(grad[span], 1.0 + expected, rtol=1e-14, atol=1e-15)
    assert penalties.penalty() == pytest.approx(textbook(store, l1, l2), rel=1e-12)


def test_gradient_is_the_penaltys_derivative() -> None:
    store = made()
    penalties = Regularization(store, l1=0.2, l2=0.3)
    grad = np.zeros(store.size)
    add_all(penalties, grad)
    direction = stream(0, "direction").normal(size=store.size)
    value = store.value.copy()
    ends = []
    for step in (1e-6, -1e-6):
        store.value[...] = value + step * direction
        ends.append(penalties.penalty())
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(grad @ direction, rel=1e-7)


def test_biases_keep_every_bit_and_types_stay() -> None:
    store = made(np.float32)
    grad = np.full(store.size, -0.5, np.float32)
    add_all(Regularization(store, l1=0.1, l2=0.1), grad)
    assert grad.dtype == np.float32
    assert np.all(grad[store.slices()["dense_1.bias"]] == -0.5)
    assert np.all(grad[store.slices()["dense_2.kernel"]] != -0.5)


def test_l1_at_zero_pulls_nowhere() -> None:
    store = made()
    store.value[...] = 0.0
    grad = np.zeros(store.size)
    add_all(Regularization(store, l1=1.0), grad)
    assert not grad.any()


def test_the_penalty_follows_the_weights() -> None:
    store = made()
    penalties = Regularization(store, l2=1.0)
    store.value[...] = 0.0
    assert penalties.penalty() == 0.0
    store.value[0] = 3.0
    assert penalties.penalty() == 9.0


def test_no_parameters_at_all() -> None:
    store = ParameterStore([], np.dtype(np.float32))
    penalties = Regularization(store, l2=1.0)
    add_all(penalties, store.grad)
    assert penalties.penalty() == 0.0
