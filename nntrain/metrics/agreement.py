"""Metrics of agreement between prediction and truth, corrected for chance."""

from __future__ import annotations

import math

import numpy as np

from nntrain.core.array import Array
from nntrain.metrics.base import METRICS, Metric, Predictions, Undefined, exact_sum


def _margins(predictions: Predictions) -> tuple[Array, Array, Array, float]:
    """Return the confusion, sums of its rows and columns, and its total, which is above 0."""
    full = predictions.full_confusion
    truth, predicted = full.sum(axis=1), full.sum(axis=0)
    total = exact_sum(truth)
    if not total > 0:
        raise Undefined("there are no rows")
    return full, truth, predicted, total


@METRICS.register("cohen_kappa")
class CohenKappa(Metric):
    """Cohen's kappa: (observed - expected) / (1 - expected) agreement, expected from the frequencies of the classes.

    1 is perfect, 0 is chance, below 0 is worse than chance (Cohen 1960, equation 1).

    >>> from nntrain.core.task import Task
    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> output = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    >>> CohenKappa()(Predictions(task, np.array([0, 1, 1, 0]), output))
    0.0
    """

    tasks = frozenset({"classification"})

    def __call__(self, predictions: Predictions) -> float:
        full, truth, predicted, total = _margins(predictions)
        if np.count_nonzero(truth) == 1 and np.count_nonzero(truth * predicted) == np.count_nonzero(predicted) == 1:
            raise Undefined("truth and predictions are all one and the same class")
        # Both multiplied by the square of the total, so that counts are subtracted and nothing is rounded before.
        by_chance = exact_sum(truth * predicted)
        return (exact_sum(np.diagonal(full)) * total - by_chance) / (total * total - by_chance)


@METRICS.register("mcc")
@METRICS.register("matthews_correlation")
class MatthewsCorrelation(Metric):
    """Matthews' correlation of truth and prediction, from -1 to 1, also for more than two classes.

    (c s - sum_k t_k p_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2)) with c rows right of s, t_k of class k and p_k
    predicted as it (Gorodkin 2004, equation 8).

    >>> from nntrain.core.task import Task
    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> output = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])
    >>> MatthewsCorrelation()(Predictions(task, np.array([0, 1, 1, 0]), output))
    1.0
    """

    tasks = frozenset({"classification"})

    def __call__(self, predictions: Predictions) -> float:
        full, truth, predicted, total = _margins(predictions)
        for what, sums in (("rows are of", truth), ("predictions are of", predicted)):
            if np.count_nonzero(sums) == 1:
                raise Undefined(f"all {what} one class")
        above = exact_sum(np.diagonal(full)) * total - exact_sum(truth * predicted)
        spreads = [total * total - exact_sum(sums * sums) for sums in (truth, predicted)]
        if min(spreads) <= 0:
            raise Undefined("all rows but a vanishing share are of one class")
        return max(-1.0, min(1.0, above / math.sqrt(spreads[0] * spreads[1])))
