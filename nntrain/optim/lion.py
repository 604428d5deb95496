"""Lion: steps of one size, in the direction of a sign."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nntrain.core.array import Array
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate, Share, decay_add


@OPTIMIZERS.register("lion")
class Lion(Optimizer):
    """Lion: w <- w - learning_rate (sign(beta1 m + (1 - beta1) g) + weight_decay w); m <- beta2 m + (1 - beta2) g.

    Chen et al. 2023, "Symbolic discovery of optimization algorithms", program 1. Every parameter moves by the learning
    rate, so it wants a rate three to ten times smaller than Adam's, and a weight decay as much larger. The decay is
    always decoupled. The slot holds the sum m / (1 - beta2), which saves passes.

    Args:
        learning_rate: step size, or a schedule.
        beta1: share of the average in the direction.
        beta2: share of the average that is kept.
        weight_decay: coefficient of the decoupled weight decay.

    >>> w, g = np.array([1.0, 1.0, 1.0]), np.array([2.0, -0.001, 0.0])
    >>> rule = Lion(learning_rate=0.5)
    >>> rule.bind(3, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.5)
    >>> w.tolist()
    [0.5, 1.5, 1.0]
    """

    slots = ("gradient_sum",)
    scratches = 1

    def __init__(
        self,
        learning_rate: Rate = 0.0001,
        beta1: Share = 0.9,
        beta2: Share = 0.99,
        weight_decay: Decay = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay, decoupled=True)
        self.beta1 = beta1
        self.beta2 = beta2

    def numbers(self, t: int) -> dict[str, float]:
        return {"share": (1.0 - self.beta2) * self.beta1 / (1.0 - self.beta1), "beta2": self.beta2}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> None:
        gradient_sum = state["gradient_sum"]
        np.multiply(gradient_sum, state["share"], out)
        np.add(out, grad, out)
        to_sign(out, state["scratch_0"])
        decay_add(gradient_sum, state["beta2"], grad)


def to_sign(x: Array, scratch: Array) -> None:
    """Set x <- sign(x) in place; ``scratch`` has the size and type of ``x``.

    ``np.sign`` decides element by element, and random signs make it several times slower than two comparisons.

    >>> x = np.array([-3.0, 0.0, 2.0])
    >>> to_sign(x, np.empty(3))
    >>> x.tolist()
    [-1.0, 0.0, 1.0]
    """
    flags = scratch.view(np.int8)
    positive, negative = flags[: x.size], flags[x.size : 2 * x.size]
    np.greater(x, 0.0, out=positive.view(np.bool_))
    np.less(x, 0.0, out=negative.view(np.bool_))
    np.subtract(positive, negative, out=positive)
    np.copyto(x, positive)
