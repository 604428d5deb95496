"""Adagrad: a rate for each parameter, by the sum of its squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array
from nntrain.core.epsilon import Epsilon
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate


@OPTIMIZERS.register("adagrad")
class Adagrad(Optimizer):
    """Adagrad: s <- s + g^2; w <- w - learning_rate g / (sqrt(s) + epsilon).

    Duchi, Hazan and Singer 2011, "Adaptive subgradient methods", in PyTorch's form. PyTorch's ``lr_decay`` is the
    schedule ``inverse_time`` here.

    Args:
        learning_rate: step size, or a schedule.
        initial_sum: what s starts at.
        epsilon: keeps the first steps of a parameter with tiny gradients finite.
        weight_decay: coefficient of the L2 penalty in the gradient.

    >>> w, g = np.array([1.0, 1.0]), np.array([2.0, -0.1])
    >>> rule = Adagrad(learning_rate=0.5)
    >>> rule.bind(2, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.5)
    >>> w.round(6).tolist()
    [0.5, 1.5]
    """

    slots = ("square_sum",)

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        initial_sum: Annotated[float, Ge(0)] = 0.0,
        epsilon: Epsilon = 1e-10,
        weight_decay: Decay = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.initial_sum = initial_sum
        self.epsilon = epsilon

    def initial(self, slot: str) -> float:
        return self.initial_sum

    def numbers(self, t: int) -> dict[str, float]:
        return {"epsilon": self.epsilon}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> None:
        square_sum = state["square_sum"]
        np.multiply(grad, grad, out)
        np.add(square_sum, out, square_sum)
        np.sqrt(square_sum, out)
        np.add(out, state["epsilon"], out)
        np.divide(grad, out, out)
