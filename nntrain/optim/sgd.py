"""Gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from nntrain.core.array import Array
from nntrain.optim.base import OPTIMIZERS, Optimizer, Rate


@OPTIMIZERS.register("nesterov", momentum=0.9, nesterov=True)
@OPTIMIZERS.register("momentum", momentum=0.9)
@OPTIMIZERS.register("sgd")
class SGD(Optimizer):
    """Gradient descent: w <- w - learning_rate g; with momentum v <- momentum v + g, w <- w - learning_rate v.

    Whether this is batch, mini-batch or stochastic gradient descent is the ``batch_size``: ``full``, n or 1.
    Nesterov's variant steps along g + momentum v (Sutskever et al. 2013, in PyTorch's form).

    Args:
        learning_rate: step size, or a schedule.
        momentum: share of the last direction that is kept, at least 0 and below 1.
        nesterov: whether the gradient is looked up ahead.
        weight_decay: coefficient of the L2 penalty in the gradient.

    >>> w, g = np.array([1.0]), np.array([2.0])
    >>> rule = SGD(learning_rate=0.1)
    >>> rule.bind(1, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.1)
    >>> w.tolist()
    [0.8]
    """

    slots = ("velocity",)

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: Annotated[float, Ge(0), Lt(1)] = 0.0,
        nesterov: bool = False,
        weight_decay: Annotated[float, Ge(0)] = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.momentum = momentum
        self.nesterov = nesterov

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> None:
        velocity = state["velocity"]
        np.multiply(velocity, self.momentum, out=velocity)
        np.add(velocity, grad, out=velocity)
        if self.nesterov:
            np.multiply(velocity, self.momentum, out=out)
            np.add(out, grad, out=out)
        else:
            np.copyto(out, velocity)
