"""Metrics of numbers, in the target's own units; of several targets the unweighted mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Lt

from nntrain.core.array import Array
from nntrain.core.task import TaskKind
from nntrain.metrics.base import METRICS, Metric, Predictions, Undefined, exact_sum_of, weighted_mean, weighted_mean_of


class RegressionMetric(Metric):
    """Base of the metrics of numbers: a value for each target, and their mean."""

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"regression"})
    higher_is_better = False

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        """Return the value of one target from (N,) float64 arrays; ``name`` is the target's."""
        raise TypeError(f"{type(self).__name__} does not implement of_column")

    def __call__(self, predictions: Predictions) -> float:
        predicted, truth, weight = _counted(predictions)
        columns = zip(predicted.T, truth.T, predictions.task.targets, strict=True)
        values = [self.of_column(own, true, weight, name) for own, true, name in columns]
        return math.fsum(values) / len(values)


def _counted(predictions: Predictions) -> tuple[Array, Array, Array | None]:
    """Return predicted and true values (N, D) in float64 and the weights, without the rows of weight 0."""
    predicted = predictions.output.astype(np.float64, copy=False)
    truth = predictions.target.astype(np.float64, copy=False)
    weight = predictions.weight
    if weight is not None:
        counts = weight > 0
        predicted, truth, weight = predicted[counts], truth[counts], weight[counts].astype(np.float64)
    if not len(truth):
        raise Undefined("there are no rows" if weight is None else "the weights sum to 0")
    return predicted, truth, weight


@METRICS.register("mse")
class MeanSquaredError(RegressionMetric):
    """Mean squared error, in squared units of the target.

    >>> from nntrain.core.task import Task
    >>> MeanSquaredError()(Predictions(Task("regression", ("y",)), np.array([[1.0]]), np.array([[4.0]])))
    9.0
    """

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        return weighted_mean_of(lambda rows: np.square(predicted[rows] - truth[rows]), len(truth), weight)


@METRICS.register("rmse")
class RootMeanSquaredError(MeanSquaredError):
    """Root of the mean squared error, in units of the target; of several targets the mean of their roots.

    >>> from nntrain.core.task import Task
    >>> RootMeanSquaredError()(Predictions(Task("regression", ("y",)), np.array([[1.0]]), np.array([[4.0]])))
    3.0
    """

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        return math.sqrt(super().of_column(predicted, truth, weight, name))


@METRICS.register("mae")
class MeanAbsoluteError(RegressionMetric):
    """Mean absolute error, in units of the target.

    >>> from nntrain.core.task import Task
    >>> MeanAbsoluteError()(Predictions(Task("regression", ("y",)), np.array([[1.0]]), np.array([[4.0]])))
    3.0
    """

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        return weighted_mean_of(lambda rows: np.abs(predicted[rows] - truth[rows]), len(truth), weight)


@METRICS.register("mape")
class MeanAbsolutePercentageError(RegressionMetric):
    """Mean of |y - t| / |t|, as a share (0.1 is 10 %); undefined where a target is 0.

    >>> from nntrain.core.task import Task
    >>> MeanAbsolutePercentageError()(Predictions(Task("regression", ("y",)), np.array([[2.0]]), np.array([[1.0]])))
    0.5
    """

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        zeros = int(np.count_nonzero(truth == 0))
        if zeros:
            raise Undefined(f"target '{name}' is 0 in {zeros} of {len(truth)} rows")

        def share(rows: slice) -> Array:
            return np.abs((predicted[rows] - truth[rows]) / truth[rows])

        return weighted_mean_of(share, len(truth), weight)


@METRICS.register("median_absolute_error")
class MedianAbsoluteError(RegressionMetric):
    """Median of |y - t|, in units of the target; with weights the value that half of their sum lies below.

    >>> from nntrain.core.task import Task
    >>> task = Task("regression", ("y",))
    >>> MedianAbsoluteError()(Predictions(task, np.zeros((3, 1)), np.array([[1.0], [9.0], [2.0]])))
    2.0
    """

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        errors = np.abs(predicted - truth)
        return float(np.median(errors)) if weight is None else _weighted_median(errors, weight)


def _weighted_median(values: Array, weight: Array) -> float:
    """Return the middle of two values: the first with half of the weight up to it, the first with more than half."""
    order = np.lexsort((weight, values))
    ordered, reached = values[order], np.cumsum(weight[order])
    half, slack = 0.5 * reached[-1], 1e-15 * reached[-1] * len(reached)
    low, high = np.searchsorted(reached, half - slack), np.searchsorted(reached, half + slack)
    return float(0.5 * (ordered[low] + ordered[min(high, len(ordered) - 1)]))


@METRICS.register("max_error")
class MaxError(RegressionMetric):
    """Largest |y - t| of the rows whose weight is not 0, in units of the target.

    >>> from nntrain.core.task import Task
    >>> MaxError()(Predictions(Task("regression", ("y",)), np.array([[1.0]]), np.array([[4.0]])))
    3.0
    """

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        return float(np.abs(predicted - truth).max())


@METRICS.register("pinball")
class Pinball(RegressionMetric):
    """Mean pinball loss of a predicted quantile: quantile (t - y) where t > y, else (1 - quantile) (y - t).

    Args:
        quantile: which quantile is predicted, between 0 and 1.

    >>> from nntrain.core.task import Task
    >>> Pinball(quantile=0.9)(Predictions(Task("regression", ("y",)), np.array([[3.0]]), np.array([[1.0]])))
    1.8
    """

    def __init__(self, quantile: Annotated[float, Gt(0), Lt(1)] = 0.5) -> None:
        self.quantile = quantile

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        def cost(rows: slice) -> Array:
            error = truth[rows] - predicted[rows]
            return np.maximum(self.quantile * error, (self.quantile - 1) * error)

        return weighted_mean_of(cost, len(truth), weight)


class ExplainedShare(RegressionMetric):
    """Base of 1 - (squared error left) / (squared deviation of the target from its mean)."""

    higher_is_better = True

    def forgiven(self, predicted: Array, truth: Array, weight: Array | None) -> float:
        """Return the error that does not count, the same in all rows."""
        return 0.0

    def of_column(self, predicted: Array, truth: Array, weight: Array | None, name: str) -> float:
        if len(truth) < 2:
            raise Undefined("fewer than 2 rows have no variance")
        mean = weighted_mean(truth, weight)
        if truth.min() == truth.max():
            raise Undefined(f"target '{name}' is the same in all rows")
        forgiven = self.forgiven(predicted, truth, weight)

        def deviation(rows: slice) -> Array:
            return np.square(truth[rows] - mean)

        def left(rows: slice) -> Array:
            return np.square(truth[rows] - predicted[rows] - forgiven)

        total = _weighted_sum(deviation, len(truth), weight)
        if not total:  # the squares of tiny deviations are 0
            raise Undefined(f"target '{name}' is the same in all rows")
        return 1 - _weighted_sum(left, len(truth), weight) / total


def _weighted_sum(values: Callable[[slice], Array], count: int, weight: Array | None) -> float:
    return exact_sum_of(values if weight is None else lambda rows: weight[rows] * values(rows), count)


@METRICS.register("r2")
class R2(ExplainedShare):
    """Coefficient of determination: 1 - sum (t - y)^2 / sum (t - mean t)^2; 1 is perfect, 0 is the mean of the target.

    Undefined under 2 rows and where the target is the same in all rows.

    >>> from nntrain.core.task import Task
    >>> R2()(Predictions(Task("regression", ("y",)), np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]])))
    0.5
    """


@METRICS.register("explained_variance")
class ExplainedVariance(ExplainedShare):
    """Explained variance: 1 - Var(t - y) / Var(t), which is R2 with a constant error forgiven.

    Undefined under 2 rows and where the target is the same in all rows.

    >>> from nntrain.core.task import Task
    >>> ExplainedVariance()(Predictions(Task("regression", ("y",)), np.array([[1.0], [3.0]]), np.array([[2.0], [4.0]])))
    1.0
    """

    def forgiven(self, predicted: Array, truth: Array, weight: Array | None) -> float:
        return weighted_mean_of(lambda rows: truth[rows] - predicted[rows], len(truth), weight)
