"""Adamax: Adam with the largest gradient in place of the mean square."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nntrain.core.array import Array
from nntrain.core.epsilon import Epsilon
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate, Share, decay_add, sum_of_shares


@OPTIMIZERS.register("adamax")
class Adamax(Optimizer):
    """Adamax: m <- beta1 m + g; u <- max(beta2 u, abs(g) + epsilon); w <- w - learning_rate (m / a1) / u.

    a1 = (1 - beta1^t) / (1 - beta1) is the sum of the weights in m, as in ``adam``. Kingma and Ba 2015, "Adam: a
    method for stochastic optimization", algorithm 2; epsilon, which the paper does not have, as in PyTorch.

    Args:
        learning_rate: step size, or a schedule.
        beta1: share of the gradient sum that is kept.
        beta2: share of the largest gradient that is kept.
        epsilon: added to the gradient's size.
        weight_decay: coefficient of the L2 penalty in the gradient.

    >>> w, g = np.array([1.0]), np.array([2.0])
    >>> rule = Adamax(learning_rate=0.1)
    >>> rule.bind(1, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.1)
    >>> w.round(6).tolist()
    [0.9]
    """

    slots = ("gradient_sum", "largest")

    def __init__(
        self,
        learning_rate: Rate = 0.002,
        beta1: Share = 0.9,
        beta2: Share = 0.999,
        epsilon: Epsilon = 1e-8,
        weight_decay: Decay = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def numbers(self, t: int) -> dict[str, float]:
        return {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float:
        gradient_sum, largest = state["gradient_sum"], state["largest"]
        decay_add(gradient_sum, state["beta1"], grad)
        np.absolute(grad, out)
        np.add(out, state["epsilon"], out)
        np.multiply(largest, state["beta2"], largest)
        np.maximum(largest, out, out=largest)
        np.divide(gradient_sum, largest, out)
        return 1.0 / sum_of_shares(self.beta1, t)
