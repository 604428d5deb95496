"""Adadelta: steps in the parameters' own units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nntrain.core.array import Array
from nntrain.core.epsilon import Epsilon
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate, Share, decay_add


@OPTIMIZERS.register("adadelta")
class Adadelta(Optimizer):
    """Adadelta: the gradient over its own root mean square, times that of the steps made so far.

    s <- decay s + (1 - decay) g^2; d = sqrt(u + epsilon) / sqrt(s + epsilon) g; u <- decay u + (1 - decay) d^2;
    w <- w - learning_rate d. Zeiler 2012, "ADADELTA: an adaptive learning rate method", algorithm 1.

    The slots hold the sums s / (1 - decay) and u / (1 - decay), which saves passes and leaves d as it is.

    Args:
        learning_rate: what the step is multiplied by, or a schedule; the paper's is 1.
        decay: share of the averages s and u that is kept (rho).
        epsilon: added under both roots; sets the size of the first steps.
        weight_decay: coefficient of the L2 penalty in the gradient.

    >>> w, g = np.array([1.0]), np.array([2.0])
    >>> rule = Adadelta(decay=0.5, epsilon=1.0)
    >>> rule.bind(1, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=1.0)  # s = 2, d = 2 / sqrt(3)
    >>> w.round(6).tolist()
    [-0.154701]
    """

    slots = ("square_sum", "step_square_sum")
    scratches = 1

    def __init__(
        self,
        learning_rate: Rate = 1.0,
        decay: Share = 0.9,
        epsilon: Epsilon = 1e-6,
        weight_decay: Decay = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.decay = decay
        self.epsilon = epsilon

    def numbers(self, t: int) -> dict[str, float]:
        return {"decay": self.decay, "epsilon": self.epsilon / (1.0 - self.decay)}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> None:
        square_sum, step_square_sum = state["square_sum"], state["step_square_sum"]
        decay, epsilon, spare = state["decay"], state["epsilon"], state["scratch_0"]
        np.multiply(grad, grad, out)
        decay_add(square_sum, decay, out)
        np.add(square_sum, epsilon, out)
        np.add(step_square_sum, epsilon, spare)
        np.divide(spare, out, out)
        np.sqrt(out, out)
        np.multiply(out, grad, out)
        np.multiply(out, out, grad)
        decay_add(step_square_sum, decay, grad)
