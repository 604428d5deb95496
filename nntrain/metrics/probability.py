"""Metrics of predicted probabilities."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import TaskKind
from nntrain.metrics.base import METRICS, Metric, Predictions, Undefined, weighted_mean


class ProbabilityMetric(Metric):
    """Base of the metrics that need probabilities; on mere scores (``hinge``, ``perceptron``) they are undefined."""

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multilabel"})
    higher_is_better = False

    def of_classes(self, probability: Array, target: Array) -> Array:
        """Return each row's value (N,) for probabilities (N, K) and codes (N,)."""
        raise TypeError(f"{type(self).__name__} does not implement of_classes")

    def of_labels(self, probability: Array, target: Array) -> Array:
        """Return each label's value (N, D) for probabilities and labels (N, D)."""
        raise TypeError(f"{type(self).__name__} does not implement of_labels")

    def __call__(self, predictions: Predictions) -> float:
        if not predictions.is_probability:
            raise Undefined("the outputs are scores, not probabilities")
        target, output = predictions.target, predictions.output
        if not predictions.task.is_classification:
            # The mean over labels is added label by label, in a fixed order.
            return weighted_mean(self.of_labels(output, target).mean(axis=1), predictions.weight)
        unknown = int(np.count_nonzero(target < 0))
        if unknown:
            raise Undefined(f"{unknown} rows are of a class that the model gives no probability")
        return weighted_mean(self.of_classes(output, target), predictions.weight)


@METRICS.register("log_loss")
class LogLoss(ProbabilityMetric):
    """Mean of -log p of the true class, p kept within the rounding error of its type from 0 and 1 (scikit-learn's).

    Multilabel: the mean over rows and labels of -log of the probability of what is true.

    >>> from nntrain.core.task import Task
    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> LogLoss()(Predictions(task, np.array([0]), np.array([[0.5, 0.5]])))
    0.6931471805599453
    """

    def of_classes(self, probability: Array, target: Array) -> Array:
        return _surprise(np.take_along_axis(probability, target[:, None], axis=1)[:, 0])

    def of_labels(self, probability: Array, target: Array) -> Array:
        return _surprise(np.where(target > 0.5, probability, 1 - probability))


def _surprise(probability: Array) -> Array:
    smallest = np.finfo(probability.dtype).eps
    surprise: Array = -np.log(np.clip(probability, smallest, 1 - smallest).astype(np.float64))
    return surprise


@METRICS.register("brier")
class Brier(ProbabilityMetric):
    """Brier score: two classes, mean of (p - t)^2 of the positive class; more, mean of sum_k (p_k - t_k)^2.

    The first is from 0 to 1, the second from 0 to 2 (Brier 1950, equation 2); multilabel: the mean over rows and labels
    of (p - t)^2.

    >>> from nntrain.core.task import Task
    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> Brier()(Predictions(task, np.array([0]), np.array([[0.5, 0.5]])))
    0.25
    """

    def of_classes(self, probability: Array, target: Array) -> Array:
        error = probability.astype(np.float64)
        error[np.arange(len(target)), target] -= 1
        squares: Array = np.square(error).sum(axis=1)
        return squares / 2 if probability.shape[1] == 2 else squares

    def of_labels(self, probability: Array, target: Array) -> Array:
        squares: Array = np.square(np.subtract(probability, target, dtype=np.float64))
        return squares
