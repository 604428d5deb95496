"""Metrics of the order that scores put the rows in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import TaskKind
from nntrain.metrics.base import METRICS, Metric, Predictions, Undefined, exact_sum, sums_by_group, weighted_mean


class RankingMetric(Metric):
    """Base of the areas under a curve: of the positive class, or the mean over the classes, each against the rest."""

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multilabel"})

    def area(self, positives: Array, negatives: Array) -> float:
        """Return the area from the weights of positive and negative rows at each distinct score, lowest score first.

        Raises:
            Undefined: one of them, which the area needs, is missing.
        """
        raise TypeError(f"{type(self).__name__} does not implement area")

    def __call__(self, predictions: Predictions) -> float:
        areas, reason = [], "there are no rows"
        for is_positive, score in _sides(predictions):
            try:
                areas.append(self.area(*_weights_by_score(is_positive, score, predictions.weight)))
            except Undefined as undefined:
                reason = str(undefined)
        if not areas:
            raise Undefined(reason)
        return weighted_mean(np.array(areas), None)


def _sides(predictions: Predictions) -> Iterator[tuple[Array, Array]]:
    """Yield whether each row is positive, and its score: for the positive class of two, else each class or label."""
    output, target = predictions.output, predictions.target
    if not predictions.task.is_classification:
        yield from ((target[:, i] > 0.5, output[:, i]) for i in range(output.shape[1]))
        return
    codes = [predictions.positive] if predictions.task.is_binary else range(output.shape[1])
    yield from ((target == code, output[:, code]) for code in codes)


def _weights_by_score(is_positive: Array, score: Array, weight: Array | None) -> tuple[Array, Array]:
    """Return the sums of weights of positive and of negative rows at each distinct score, lowest first."""
    distinct, groups = np.unique(score, return_inverse=True)
    both = sums_by_group(2 * groups + is_positive, 2 * len(distinct), weight)
    return both[1::2], both[::2]


@METRICS.register("roc_auc")
class RocAuc(RankingMetric):
    """Area under the ROC curve: the chance that a positive row scores higher than a negative one, ties counting half.

    Two classes: of the positive class. More: the unweighted mean of each class against the rest, and multilabel that of
    each label; a class that no row or every row is of has no curve and is left out. Undefined where none is left.

    >>> from nntrain.core.task import Task
    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> output = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    >>> RocAuc()(Predictions(task, np.array([0, 0, 1, 1]), output))
    0.75
    """

    def area(self, positives: Array, negatives: Array) -> float:
        total_positive, total_negative = exact_sum(positives), exact_sum(negatives)
        if not total_positive > 0 or not total_negative > 0:
            raise Undefined("every row is positive" if total_positive > 0 else "no row is positive")
        below = np.cumsum(negatives) - 0.5 * negatives
        return min(1.0, exact_sum(positives * below) / (total_positive * total_negative))


@METRICS.register("pr_auc")
class PrAuc(RankingMetric):
    """Average precision: sum_n (R_n - R_(n-1)) P_n over the distinct scores, highest first, without interpolation.

    Two classes: of the positive class. More: the unweighted mean of each class against the rest, and multilabel that of
    each label; a class that no row is of is left out. Undefined where none is left.

    >>> from nntrain.core.task import Task
    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> output = np.array([[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]])
    >>> round(PrAuc()(Predictions(task, np.array([0, 0, 1, 1]), output)), 6)
    0.833333
    """

    def area(self, positives: Array, negatives: Array) -> float:
        total = exact_sum(positives)
        if not total > 0:
            raise Undefined("no row is positive")
        found, passed = np.cumsum(positives[::-1]), np.cumsum((positives + negatives)[::-1])
        precision = np.divide(found, passed, out=np.zeros(len(found)), where=passed > 0)
        return min(1.0, exact_sum(positives[::-1] * precision) / total)
