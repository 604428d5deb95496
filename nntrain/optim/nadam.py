"""NAdam: Adam that looks one momentum step ahead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array
from nntrain.core.epsilon import Epsilon
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate, Share, decay_add, sum_of_shares

NEGLIGIBLE = 1e-17
"""A product below this no longer changes 1 - product, and is not multiplied any further."""


@OPTIMIZERS.register("nadam")
class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's momentum, which grows towards beta1 over the first steps.

    With mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2) and p_t = mu_1 mu_2 ... mu_t:
    m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
    d = (1 - mu_t) / (1 - p_t) g + mu_(t+1) / (1 - p_(t+1)) m;
    w <- w - learning_rate d / (sqrt(v / (1 - beta2^t)) + epsilon).
    Dozat 2016, "Incorporating Nesterov momentum into Adam", algorithm 2, in PyTorch's form. The slots hold the sums
    m / (1 - beta1) and v / (1 - beta2), as in ``adam``.

    Args:
        learning_rate: step size, or a schedule.
        beta1: share of the average gradient that is kept.
        beta2: share of the average square that is kept.
        epsilon: added to the root.
        momentum_decay: how fast mu approaches beta1: to a thousandth of it in about 152 / momentum_decay steps.
        weight_decay: coefficient of the weight decay.
        decoupled: whether the weights are shrunk beside the step instead of adding to the gradient.

    >>> w, g = np.array([1.0]), np.array([2.0])
    >>> rule = NAdam(learning_rate=0.1, beta1=0.0)  # no momentum at all: one step of RMSprop
    >>> rule.bind(1, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.1)
    >>> w.round(6).tolist()
    [0.9]
    """

    slots = ("gradient_sum", "square_sum")

    def __init__(
        self,
        learning_rate: Rate = 0.002,
        beta1: Share = 0.9,
        beta2: Share = 0.999,
        epsilon: Epsilon = 1e-8,
        momentum_decay: Annotated[float, Ge(0)] = 0.004,
        weight_decay: Decay = 0.0,
        decoupled: bool = False,
    ) -> None:
        super().__init__(learning_rate, weight_decay, decoupled)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.momentum_decay = momentum_decay
        self._known = (0, 1.0)

    def numbers(self, t: int) -> dict[str, float]:
        of_gradient, of_average = self._coefficients(t)
        root = math.sqrt(sum_of_shares(self.beta2, t))
        ahead = (1.0 - self.beta1) * of_average / of_gradient
        return {"beta1": self.beta1, "beta2": self.beta2, "ahead": ahead, "epsilon": root * self.epsilon}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float:
        gradient_sum, square_sum = state["gradient_sum"], state["square_sum"]
        np.multiply(grad, grad, out)
        decay_add(square_sum, state["beta2"], out)
        decay_add(gradient_sum, state["beta1"], grad)
        np.multiply(gradient_sum, state["ahead"], out)
        np.add(grad, out, grad)
        np.sqrt(square_sum, out)
        np.add(out, state["epsilon"], out)
        np.divide(grad, out, out)
        return math.sqrt(sum_of_shares(self.beta2, t)) * self._coefficients(t)[0]

    def _coefficients(self, t: int) -> tuple[float, float]:
        """Return what the gradient and the average m are multiplied by; the first is never 0."""
        product, now, ahead = self.momentum_product(t), self._momentum(t), self._momentum(t + 1)
        return (1.0 - now) / (1.0 - product), ahead / (1.0 - product * ahead)

    def _momentum(self, t: int) -> float:
        return self.beta1 * (1.0 - 0.5 * math.pow(0.96, t * self.momentum_decay))

    def momentum_product(self, t: int) -> float:
        """Return mu_1 mu_2 ... mu_t: a function of ``t`` alone, so that no checkpoint need hold it."""
        # Multiplied up from the last product known, in the same order always, so the bits never depend on what is
        # known; the pair is replaced whole, so threads may share it.
        known, product = self._known
        if t < known:
            known, product = 0, 1.0
        for number in range(known + 1, t + 1):
            if product < NEGLIGIBLE:
                break
            product *= self._momentum(number)
        self._known = (t, product)
        return product
