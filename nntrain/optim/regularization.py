"""Penalties on the size of the weights."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array
from nntrain.core.parameter import ParameterStore
from nntrain.optim.blocks import BLOCK, spans


class Regularization:
    """Adds l1 sum abs(w) + l2 sum w^2 to what is minimized; biases and scales of a normalization are left out.

    The gradient is l1 sign(w) + 2 l2 w. Unlike an optimizer's ``weight_decay`` it spares what is not
    :attr:`~nntrain.core.parameter.Parameter.penalized`, and the optimizer sees it as part of the gradient.

    Args:
        store: the parameters.
        l1: coefficient of the sum of absolute values, which drives weights to 0 (lasso).
        l2: coefficient of the sum of squares (ridge).

    >>> from nntrain.core.initializers import Zeros
    >>> from nntrain.core.parameter import Parameter
    >>> parameters = [Parameter("kernel", (2, 1), Zeros()), Parameter("bias", (1,), Zeros(), penalized=False)]
    >>> store = ParameterStore(parameters, np.dtype(np.float32))
    >>> store.value[...] = [3.0, -1.0, 5.0]
    >>> penalties = Regularization(store, l1=0.5, l2=1.0)
    >>> grad = np.zeros(3, np.float32)
    >>> penalties.add_gradient(grad, slice(0, 3))
    >>> grad.tolist(), penalties.penalty()
    ([6.5, -2.5, 0.0], 12.0)
    """

    def __init__(
        self, store: ParameterStore, l1: Annotated[float, Ge(0)] = 0.0, l2: Annotated[float, Ge(0)] = 0.0
    ) -> None:
        self.store = store
        self.l1 = l1
        self.l2 = l2
        self._penalized = np.repeat([p.penalized for p in store.trainable], [p.size for p in store.trainable])
        # One coefficient for each parameter, 0 where it is spared, is faster than many short slices: two calls for
        # a whole block instead of two for each layer.
        self._l1 = (l1 * self._penalized).astype(store.dtype) if l1 else None
        self._l2 = (2.0 * l2 * self._penalized).astype(store.dtype) if l2 else None
        self._out = np.empty(min(store.size, BLOCK), store.dtype)

    def add_gradient(self, grad: Array, span: slice) -> None:
        """Add the penalties' gradient for the parameters at ``span``, at most a block of them, to their ``grad``."""
        value, out = self.store.value[span], self._out[: len(grad)]
        if self._l2 is not None:
            np.multiply(value, self._l2[span], out=out)
            np.add(grad, out, out=grad)
        if self._l1 is not None:
            np.sign(value, out=out)
            np.multiply(out, self._l1[span], out=out)
            np.add(grad, out, out=grad)

    def penalty(self) -> float:
        """Return l1 sum abs(w) + l2 sum w^2."""
        parts = []
        for span in spans(self.store.size):
            weights = self.store.value[span][self._penalized[span]].astype(np.float64)
            parts.append(self.l1 * np.abs(weights).sum() + self.l2 * np.square(weights).sum())
        return math.fsum(parts)
