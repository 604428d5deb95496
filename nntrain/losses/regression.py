"""Losses of a difference between output and target, averaged over the D outputs of a row."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Lt

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.losses.base import LOSSES
from nntrain.losses.encoding import AveragedLoss, outputs_of_classes

ANY_TASK: frozenset[TaskKind] = frozenset({"regression", "classification", "multilabel"})


class DifferenceLoss(AveragedLoss):
    """Base of the losses l_b = (1/D) sum_d f(y_bd - t_bd).

    On classes (``task: classification``) t is the one-hot code, or 0 and 1 in one output where there are two classes;
    an ``output_activation`` such as sigmoid may stand before the loss.
    """

    tasks: ClassVar[frozenset[TaskKind]] = ANY_TASK
    takes_output_activation = True

    def outputs(self, task: Task) -> int:
        return outputs_of_classes(task)

    def values_and_slopes(self, difference: Array) -> tuple[Array, Array]:
        """Return f and f' (over :attr:`steepness`) of differences (B, D); the slopes may take their place."""
        raise TypeError(f"{type(self).__name__} does not implement values_and_slopes")

    def elements(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        difference = self.scratch("difference", prediction.shape)
        if target.ndim == 1:
            target = self.indicators(target, prediction.shape)
        np.subtract(prediction, target, difference, casting="same_kind")
        return self.values_and_slopes(difference)

    def link(self, prediction: Array) -> Array:
        if self.task.is_classification and prediction.shape[1] == 1:
            return np.concatenate((1 - prediction, prediction), axis=1)
        return prediction.copy()


@LOSSES.register("mse")
class MeanSquaredError(DifferenceLoss):
    """Mean squared error: l_b = (1/D) sum_d (y_bd - t_bd)^2, the mean over rows and outputs (PyTorch's).

    On classes (``task: classification``) the target is the one-hot code, or 0 and 1 where the network has one output.

    >>> loss = MeanSquaredError()
    >>> loss.build(Task("regression", ("y",)), np.float64)
    >>> loss.value_and_grad(np.array([[3.0]]), np.array([[1.0]]))
    (4.0, array([[4.]]))
    """

    steepness = 2.0

    def values_and_slopes(self, difference: Array) -> tuple[Array, Array]:
        return np.multiply(difference, difference, self.scratch("values", difference.shape)), difference


@LOSSES.register("mae")
class MeanAbsoluteError(DifferenceLoss):
    """Mean absolute error: l_b = (1/D) sum_d |y_bd - t_bd|, with slope 0 at 0; its best constant is the median.

    >>> loss = MeanAbsoluteError()
    >>> loss.build(Task("regression", ("y",)), np.float64)
    >>> loss.value_and_grad(np.array([[3.0]]), np.array([[1.0]]))
    (2.0, array([[1.]]))
    """

    def values_and_slopes(self, difference: Array) -> tuple[Array, Array]:
        values = np.absolute(difference, out=self.scratch("values", difference.shape))
        return values, np.sign(difference, out=difference)


@LOSSES.register("huber")
class Huber(DifferenceLoss):
    """Huber's loss: with e = y - t, e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2).

    Squares small errors and takes large ones as they are, so outliers pull less (Huber 1964, section 4).

    Args:
        delta: the error, in units of the (scaled) target, from which on the loss grows linearly; above 0.

    >>> loss = Huber(delta=1.0)
    >>> loss.build(Task("regression", ("y",)), np.float64)
    >>> loss.value_and_grad(np.array([[4.0]]), np.array([[1.0]]))
    (2.5, array([[1.]]))
    """

    def __init__(self, delta: Annotated[float, Gt(0)] = 1.0) -> None:
        self.delta = delta

    def values_and_slopes(self, difference: Array) -> tuple[Array, Array]:
        # With c = clip(e, -delta, delta) both branches are c (e - c / 2), and c is the slope.
        slopes, values = self.scratch("slopes", difference.shape), self.scratch("values", difference.shape)
        np.minimum(difference, self.number(self.delta), out=slopes)
        np.maximum(slopes, self.number(-self.delta), out=slopes)
        np.multiply(slopes, self.number(-0.5), values)
        np.add(values, difference, values)
        return np.multiply(values, slopes, values), slopes


@LOSSES.register("log_cosh")
class LogCosh(DifferenceLoss):
    """Log-cosh: log(cosh(y - t)), which is smooth, quadratic near 0 and linear far from it.

    Computed as |e| + log(1 + exp(-2 |e|)) - log 2, which does not overflow, and for |e| < 1, where that would cancel,
    as log(1 + 2 sinh(e / 2)^2).

    >>> loss = LogCosh()
    >>> loss.build(Task("regression", ("y",)), np.float64)
    >>> loss.value_and_grad(np.array([[1e4]]), np.array([[0.0]]))
    (9999.30685281944, array([[1.]]))
    """

    def values_and_slopes(self, difference: Array) -> tuple[Array, Array]:
        shape = difference.shape
        absolute = np.absolute(difference, self.scratch("absolute", shape))
        near = np.minimum(absolute, self.number(1.0), out=self.scratch("near", shape))
        np.multiply(near, self.number(0.5), near)
        np.sinh(near, near)
        np.multiply(near, near, near)
        np.add(near, near, near)
        np.log1p(near, near)
        values = np.multiply(absolute, self.number(-2.0), self.scratch("values", shape))
        np.exp(values, values)
        np.log1p(values, values)
        np.add(values, absolute, values)
        np.subtract(values, self.number(math.log(2)), values)
        is_near = np.less(absolute, self.number(1.0), self.scratch("is_near", shape, np.bool_))
        np.copyto(values, near, where=is_near)
        return values, np.tanh(difference, difference)


@LOSSES.register("quantile")
class Quantile(DifferenceLoss):
    """Pinball loss: with e = y - t, (1 - quantile) e where e > 0, else -quantile e; slope 0 at 0.

    Its best constant is that quantile of the target (Koenker and Bassett 1978, equation 3.1).

    Args:
        quantile: which quantile is predicted, between 0 and 1; 0.5 is half the absolute error.

    >>> loss = Quantile(quantile=0.9)
    >>> loss.build(Task("regression", ("y",)), np.float64)
    >>> loss.value_and_grad(np.array([[1.0]]), np.array([[3.0]]))
    (1.8, array([[-0.9]]))
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"regression"})
    takes_output_activation = True

    def __init__(self, quantile: Annotated[float, Gt(0), Lt(1)] = 0.5) -> None:
        self.quantile = quantile

    def values_and_slopes(self, difference: Array) -> tuple[Array, Array]:
        # The slope is sign(e) / 2 + (1/2 - quantile) |sign(e)|, and the value is slope times e.
        slopes = np.sign(difference, out=self.scratch("slopes", difference.shape))
        shift = np.absolute(slopes, out=self.scratch("values", difference.shape))
        np.multiply(shift, self.number(0.5 - self.quantile), shift)
        np.multiply(slopes, self.number(0.5), slopes)
        np.add(slopes, shift, slopes)
        return np.multiply(slopes, difference, shift), slopes
