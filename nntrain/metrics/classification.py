"""Metrics of classes."""

from __future__ import annotations

import numpy as np

from nntrain.metrics.base import METRICS, Metric, Predictions, weighted_mean


@METRICS.register("accuracy")
class Accuracy(Metric):
    """Share of the rows whose predicted class is the true one.

    >>> from nntrain.core.task import Task
    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> Accuracy()(Predictions(task, np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])))
    0.5
    """

    tasks = frozenset({"classification"})

    def __call__(self, predictions: Predictions) -> float:
        return weighted_mean((predictions.predicted == predictions.target).astype(np.float64), predictions.weight)
