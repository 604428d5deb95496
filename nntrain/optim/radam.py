"""RAdam: Adam that waits until its mean square can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nntrain.core.array import Array
from nntrain.core.epsilon import Epsilon
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate, Share, decay_add, sum_of_shares


@OPTIMIZERS.register("radam")
class RAdam(Optimizer):
    """RAdam: gradient descent with momentum first, Adam with a rectified rate once its mean square is trustworthy.

    With rho_inf = 2 / (1 - beta2) - 1 and rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t), the length of the average:
    where rho_t > 5, w <- w - learning_rate r_t sqrt(1 - beta2^t) m_hat / (sqrt(v) + epsilon), with
    r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t)); else
    w <- w - learning_rate m_hat. Here m_hat = m / (1 - beta1^t), and m, v are Adam's averages.
    Liu et al. 2020, "On the variance of the adaptive learning rate and beyond", algorithm 2; the threshold (5 where
    the paper has 4) and the place of epsilon are PyTorch's. The slots hold m / (1 - beta1) and v / (1 - beta2).

    Args:
        learning_rate: step size, or a schedule.
        beta1: share of the average gradient that is kept.
        beta2: share of the average square that is kept.
        epsilon: added to the root.
        weight_decay: coefficient of the weight decay.
        decoupled: whether the weights are shrunk beside the step instead of adding to the gradient.

    >>> w, g = np.array([1.0]), np.array([2.0])
    >>> rule = RAdam(learning_rate=0.1)
    >>> rule.bind(1, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.1)  # plain gradient descent at first
    >>> w.round(6).tolist()
    [0.8]
    """

    slots = ("gradient_sum", "square_sum")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta1: Share = 0.9,
        beta2: Share = 0.999,
        epsilon: Epsilon = 1e-8,
        weight_decay: Decay = 0.0,
        decoupled: bool = False,
    ) -> None:
        super().__init__(learning_rate, weight_decay, decoupled)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def numbers(self, t: int) -> dict[str, float]:
        epsilon = self.epsilon / math.sqrt(1.0 - self.beta2)
        return {"beta1": self.beta1, "beta2": self.beta2, "epsilon": epsilon}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float:
        gradient_sum, square_sum = state["gradient_sum"], state["square_sum"]
        decay_add(gradient_sum, state["beta1"], grad)
        np.multiply(grad, grad, grad)
        decay_add(square_sum, state["beta2"], grad)
        mean = 1.0 / sum_of_shares(self.beta1, t)
        rectification = self.rectification(t)
        if rectification is None:
            np.copyto(out, gradient_sum)
            return mean
        np.sqrt(square_sum, out)
        np.add(out, state["epsilon"], out)
        np.divide(gradient_sum, out, out)
        return mean * rectification * math.sqrt(sum_of_shares(self.beta2, t))

    def rectification(self, t: int) -> float | None:
        """Return r_t, or None while the average is too short (rho_t is at most 5)."""
        power = self.beta2**t
        longest = 2.0 / (1.0 - self.beta2) - 1.0
        length = longest - 2.0 * t * power / (1.0 - power)
        if length <= 5.0:
            return None
        above = (length - 4.0) * (length - 2.0) * longest
        return math.sqrt(above / ((longest - 4.0) * (longest - 2.0) * length))
