"""Adam and what it became: AdamW, AMSGrad."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nntrain.core.array import Array
from nntrain.core.epsilon import Epsilon
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate, Share, decay_add, sum_of_shares


@OPTIMIZERS.register("amsgrad", amsgrad=True)
@OPTIMIZERS.register("adamw", decoupled=True, weight_decay=0.01)
@OPTIMIZERS.register("adam")
class Adam(Optimizer):
    """Adam: the mean gradient over its root mean square, both weighted towards the latest steps.

    m <- beta1 m + g; v <- beta2 v + g^2; w <- w - learning_rate (m / a1) / (sqrt(v / a2) + epsilon), where a1 and a2
    are the sums of the weights, a = (1 - beta^t) / (1 - beta): bias correction is the division by what was summed.
    The paper's averages are (1 - beta1) m and (1 - beta2) v; the step is the same, with fewer passes over memory, as

        w <- w - learning_rate sqrt(a2) / a1 * m / (sqrt(v) + sqrt(a2) epsilon).

    Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1. AMSGrad divides by the largest v so
    far (Reddi, Kale and Kumar 2018, algorithm 2; with bias correction, as in PyTorch, where it is applied after the
    maximum). AdamW decouples the weight decay (Loshchilov and Hutter 2019, algorithm 2; PyTorch's form, in which the
    decay is multiplied by the learning rate).

    Args:
        learning_rate: step size, or a schedule.
        beta1: share of the gradient sum that is kept.
        beta2: share of the sum of squares that is kept.
        epsilon: added to the root.
        weight_decay: coefficient of the weight decay.
        decoupled: whether the weights are shrunk beside the step instead of adding to the gradient.
        amsgrad: whether the largest mean square so far is used.

    >>> w, g = np.array([1.0, 1.0]), np.array([2.0, -0.001])
    >>> rule = Adam(learning_rate=0.1)
    >>> rule.bind(2, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.1)  # the first step has the size of the learning rate
    >>> w.round(4).tolist()
    [0.9, 1.1]
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta1: Share = 0.9,
        beta2: Share = 0.999,
        epsilon: Epsilon = 1e-8,
        weight_decay: Decay = 0.0,
        decoupled: bool = False,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(learning_rate, weight_decay, decoupled)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.slots = ("gradient_sum", "square_sum", "largest_square_sum")[: 3 if amsgrad else 2]

    def numbers(self, t: int) -> dict[str, float]:
        root = math.sqrt(sum_of_shares(self.beta2, t))
        return {"beta1": self.beta1, "beta2": self.beta2, "epsilon": root * self.epsilon}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float:
        gradient_sum, square_sum = state["gradient_sum"], state["square_sum"]
        decay_add(gradient_sum, state["beta1"], grad)
        np.multiply(grad, grad, grad)
        decay_add(square_sum, state["beta2"], grad)
        if self.amsgrad:
            largest = state["largest_square_sum"]
            square_sum = np.maximum(largest, square_sum, out=largest)
        np.sqrt(square_sum, out)
        np.add(out, state["epsilon"], out)
        np.divide(gradient_sum, out, out)
        return math.sqrt(sum_of_shares(self.beta2, t)) / sum_of_shares(self.beta1, t)
