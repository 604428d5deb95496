"""Gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nntrain.core.array import Array
from nntrain.errors import ConfigError
from nntrain.optim.base import OPTIMIZERS, Decay, Optimizer, Rate, Share, decay_add


@OPTIMIZERS.register("nesterov", momentum=0.9, nesterov=True)
@OPTIMIZERS.register("momentum", momentum=0.9)
@OPTIMIZERS.register("sgd")
class SGD(Optimizer):
    """Gradient descent: w <- w - learning_rate g; with momentum v <- momentum v + g, w <- w - learning_rate v.

    Whether this is batch, mini-batch or stochastic gradient descent is the ``batch_size``: ``full``, n or 1.
    Nesterov's variant steps along g + momentum v (Sutskever et al. 2013, "On the importance of initialization and
    momentum in deep learning", in PyTorch's form, where the learning rate is not part of v); its slot holds momentum v,
    which saves a pass. There is no dampening.

    Args:
        learning_rate: step size, or a schedule.
        momentum: share of the last direction that is kept, at least 0 and below 1.
        nesterov: whether the gradient is looked up ahead; needs a momentum.
        weight_decay: coefficient of the L2 penalty in the gradient.

    Raises:
        ConfigError: ``nesterov`` without a momentum.

    >>> w, g = np.array([1.0]), np.array([2.0])
    >>> rule = SGD(learning_rate=0.1)
    >>> rule.bind(1, np.float64)
    >>> rule.update(w, g, t=1, learning_rate=0.1)
    >>> w.tolist()
    [0.8]
    """

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: Share = 0.0,
        nesterov: bool = False,
        weight_decay: Decay = 0.0,
    ) -> None:
        if nesterov and not momentum:
            raise ConfigError(
                "optimizer.nesterov: expected a momentum above 0 beside it, got 0",
                help="set optimizer.momentum, to 0.9 for instance, or remove nesterov",
            )
        super().__init__(learning_rate, weight_decay)
        self.momentum = momentum
        self.nesterov = nesterov
        self.slots = ("velocity",) if momentum else ()

    def numbers(self, t: int) -> dict[str, float]:
        return {"momentum": self.momentum}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> Array | None:
        if not self.momentum:
            return grad
        velocity, momentum = state["velocity"], state["momentum"]
        if not self.nesterov:
            decay_add(velocity, momentum, grad)
            return velocity
        np.add(velocity, grad, velocity)
        np.multiply(velocity, momentum, velocity)
        np.add(velocity, grad, out)
        return None
