"""The loss of counts."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import TaskKind
from nntrain.losses.base import LOSSES
from nntrain.losses.encoding import AveragedLoss

LARGEST_LOG_RATE = 60.0
"""exp(60) = 1e26 is no rate that counts have; beyond it exp would soon leave float32."""


@LOSSES.register("poisson")
class Poisson(AveragedLoss):
    """Negative log likelihood of counts, y the log of the rate: l_b = (1/D) sum_d exp(y_bd) - t_bd y_bd [+ log t_bd!].

    The target is not scaled, must be at least 0, and need not be whole; the prediction is the rate exp(y). Above
    y = 60 exp(y) goes on along its tangent and the rate stays exp(60), so that no finite output overflows.

    Args:
        full: whether the constant log t! is part of the reported loss; it has no gradient.

    >>> from nntrain.core.task import Task
    >>> loss = Poisson()
    >>> loss.build(Task("regression", ("visits",)), np.float64)
    >>> loss.value_and_grad(np.array([[0.0]]), np.array([[3.0]]))
    (1.0, array([[-2.]]))
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"regression"})
    allows_target_scaling = False
    implied_activation = "exp"

    def __init__(self, full: bool = False) -> None:
        self.full = full

    def check_target(self, target: Array) -> str | None:
        smallest = target.min(initial=0)
        return f"poisson needs counts of at least 0, and the target has {smallest:g}" if smallest < 0 else None

    def elements(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        shape = prediction.shape
        values, rate = self.scratch("values", shape), self.scratch("rate", shape)
        product = self.scratch("product", shape)
        np.minimum(prediction, self.number(LARGEST_LOG_RATE), out=rate)
        np.subtract(prediction, rate, values)
        np.exp(rate, rate)
        np.add(values, self.number(1.0), values)
        np.multiply(values, rate, values)
        np.multiply(prediction, target, product, casting="same_kind")
        np.subtract(values, product, values)
        if self.full:
            np.add(values, log_factorial(target), values, casting="same_kind")
        return values, np.subtract(rate, target, rate, casting="same_kind")

    def link(self, prediction: Array) -> Array:
        rate: Array = np.exp(np.minimum(prediction, LARGEST_LOG_RATE))
        return rate


def log_factorial(t: Array) -> Array:
    """Return log t! = log Gamma(t + 1) for t >= 0, in float64 to about 15 digits.

    Stirling's series at t + 9, brought down by the recurrence Gamma(x + 1) = x Gamma(x) (Abramowitz and Stegun 1964,
    6.1.15 and 6.1.41).

    >>> log_factorial(np.array([0.0, 5.0])).round(12).tolist() == [0.0, round(math.log(120), 12)]
    True
    """
    x: Array = np.asarray(t, np.float64) + 9
    product = np.ones_like(x)
    for step in range(1, 9):
        product *= x - step
    square = 1 / (x * x)
    series = np.full_like(x, -691 / 360360)
    for coefficient in (1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * square + coefficient
    value: Array = (x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi) + series / x - np.log(product)
    return value
