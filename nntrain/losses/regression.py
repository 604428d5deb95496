"""Losses of numeric targets."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import TaskKind
from nntrain.losses.base import LOSSES, Loss


@LOSSES.register("mse")
class MeanSquaredError(Loss):
    """Mean squared error: l_b = (1/D) sum_d (y_bd - t_bd)^2.

    On classes (``task: classification``) the target is the one-hot code, or 0 and 1 where the network has one output.

    >>> from nntrain.core.task import Task
    >>> loss = MeanSquaredError()
    >>> loss.build(Task("regression", ("y",)))
    >>> loss.value_and_grad(np.array([[3.0]]), np.array([[1.0]]))
    (4.0, array([[4.]]))
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"regression", "classification", "multilabel"})
    takes_output_activation = True

    def rows(self, prediction: Array, target: Array) -> Array:
        losses: Array = np.square(prediction - target).mean(axis=1)
        return losses

    def gradient(self, prediction: Array, target: Array) -> Array:
        dy: Array = 2.0 / prediction.shape[1] * (prediction - target)
        return dy
