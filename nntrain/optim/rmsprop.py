"""RMSprop: the gradient over its running root mean square."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nntrain.core.array import Array
from nntrain.core.epsilon import Epsilon
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate, Share, decay_add


@OPTIMIZERS.register("rmsprop")
class RMSprop(Optimizer):
    """RMSprop: s <- decay s + (1 - decay) g^2; w <- w - learning_rate g / (sqrt(s) + epsilon).

    Centered, it divides by the standard deviation sqrt(s - a^2) with a <- decay a + (1 - decay) g. With momentum,
    v <- momentum v + g / (sqrt(s) + epsilon) and w <- w - learning_rate v. Tieleman and Hinton 2012, lecture 6.5;
    centered: Graves 2013, "Generating sequences with recurrent neural networks", equations 38 to 45; epsilon stands
    outside the root, as in PyTorch.

    The slots hold s / (1 - decay) and a / (1 - decay), which saves passes. Where rounding makes s - a^2 negative, it
    counts as 0; PyTorch's step is NaN there.

    Args:
        learning_rate: step size, or a schedule.
        decay: share of the averages s and a that is kept (PyTorch's ``alpha``).
        epsilon: added to the root.
        momentum: share of the last direction that is kept, at least 0 and below 1.
        centered: whether the mean is taken out of the mean square.
        weight_decay: coefficient of the L2 penalty in the gradient.

    >>> w, g = np.array([1.0]), np.array([2.0])
    >>> rule = RMSprop(learning_rate=0.1, decay=0.75)
    >>> rule.bind(1, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.1)  # s = 1
    >>> w.round(6).tolist()
    [0.8]
    """

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        decay: Share = 0.99,
        epsilon: Epsilon = 1e-8,
        momentum: Share = 0.0,
        centered: bool = False,
        weight_decay: Decay = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.decay = decay
        self.epsilon = epsilon
        self.momentum = momentum
        self.centered = centered
        kept = {"square_sum": True, "gradient_sum": centered, "velocity": momentum > 0}
        self.slots = tuple(slot for slot, needed in kept.items() if needed)

    def numbers(self, t: int) -> dict[str, float]:
        epsilon = self.epsilon / math.sqrt(1.0 - self.decay)
        return {"decay": self.decay, "left": 1.0 - self.decay, "epsilon": epsilon, "momentum": self.momentum}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float:
        square_sum = state["square_sum"]
        np.multiply(grad, grad, out)
        decay_add(square_sum, state["decay"], out)
        if self.centered:
            self._variance(state, grad, out)
            np.sqrt(out, out)
        else:
            np.sqrt(square_sum, out)
        np.add(out, state["epsilon"], out)
        np.divide(grad, out, out)
        if self.momentum:
            decay_add(state["velocity"], state["momentum"], out)
            np.copyto(out, state["velocity"])
        return 1.0 / math.sqrt(1.0 - self.decay)

    def _variance(self, state: Mapping[str, Array], grad: Array, out: Array) -> None:
        """Write (s - a^2) / (1 - decay) into ``out``."""
        gradient_sum = state["gradient_sum"]
        decay_add(gradient_sum, state["decay"], grad)
        np.multiply(gradient_sum, gradient_sum, out)
        np.multiply(out, state["left"], out)
        np.subtract(state["square_sum"], out, out)
        np.maximum(out, 0.0, out=out)
