"""Counts of right and wrong predictions by class or label, which precision, recall and F1 are ratios of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nntrain.core.array import Array
from nntrain.metrics.base import Predictions, exact_sum


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums of weights by class, or by label: (K,) each.

    Attributes:
        hits: of rows that are predicted as this class and are of it.
        truth: of rows that are of this class.
        predicted: of rows that are predicted as this class.
        unknown: of rows of classes the model does not know.
    """

    hits: Array
    truth: Array
    predicted: Array
    unknown: float = 0.0

    @property
    def present(self) -> Array:
        """(K,) whether a class is in the truth or among the predictions."""
        return np.asarray((self.truth > 0) | (self.predicted > 0))


def count(predictions: Predictions) -> Counts:
    """Return the counts of predictions of classes or labels."""
    if not predictions.task.is_classification:
        return _count_labels(predictions)
    full = predictions.full_confusion
    hits = np.diagonal(full)[:-1]
    return Counts(hits, full[:-1].sum(axis=1), full.sum(axis=0)[:-1], float(full[-1].sum()))


def _count_labels(predictions: Predictions) -> Counts:
    truth = predictions.target > 0.5
    hits, true, predicted = (
        _column_sums(flags, predictions.weight) for flags in (truth & predictions.labels, truth, predictions.labels)
    )
    return Counts(hits, true, predicted)


def _column_sums(flags: Array, weight: Array | None) -> Array:
    if weight is None:
        return np.asarray(np.count_nonzero(flags, axis=0), np.float64)
    return np.array([exact_sum(weight[column]) for column in flags.T])
