"""Metrics of several yes-or-no labels a row."""

from __future__ import annotations

import numpy as np

from nntrain.metrics.base import METRICS, Metric, Predictions, weighted_mean


@METRICS.register("subset_accuracy")
class SubsetAccuracy(Metric):
    """Share of the rows whose labels are all right; a label is predicted from probability 0.5 on.

    >>> from nntrain.core.task import Task
    >>> task = Task("multilabel", ("a", "b"))
    >>> target = np.array([[1.0, 0.0], [1.0, 1.0]])
    >>> SubsetAccuracy()(Predictions(task, target, np.array([[0.9, 0.2], [0.9, 0.4]])))
    0.5
    """

    tasks = frozenset({"multilabel"})

    def __call__(self, predictions: Predictions) -> float:
        right = (predictions.labels == (predictions.target > 0.5)).all(axis=1)
        return weighted_mean(right, predictions.weight)


@METRICS.register("hamming_loss")
class HammingLoss(Metric):
    """Share of the labels that are wrong, over all rows; a label is predicted from probability 0.5 on.

    >>> from nntrain.core.task import Task
    >>> task = Task("multilabel", ("a", "b"))
    >>> target = np.array([[1.0, 0.0], [1.0, 1.0]])
    >>> HammingLoss()(Predictions(task, target, np.array([[0.9, 0.2], [0.9, 0.4]])))
    0.25
    """

    tasks = frozenset({"multilabel"})
    higher_is_better = False

    def __call__(self, predictions: Predictions) -> float:
        wrong = np.count_nonzero(predictions.labels != (predictions.target > 0.5), axis=1)
        return weighted_mean(wrong, predictions.weight) / len(predictions.task.targets)
