"""Metrics of predicted classes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.metrics.base import METRICS, Metric, Predictions, Undefined, exact_sum, weighted_mean
from nntrain.metrics.counting import Counts, count

Average: TypeAlias = Literal["auto", "binary", "macro", "micro", "weighted"]


@METRICS.register("accuracy")
class Accuracy(Metric):
    """Share of the rows whose predicted class is the true one.

    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> Accuracy()(Predictions(task, np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])))
    0.5
    """

    tasks = frozenset({"classification"})

    def __call__(self, predictions: Predictions) -> float:
        return weighted_mean(predictions.predicted == predictions.target, predictions.weight)


@METRICS.register("balanced_accuracy")
class BalancedAccuracy(Metric):
    """Mean over the classes in the truth of the share of their rows that are right, so that rare ones count fully.

    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> output = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.8, 0.2]])
    >>> BalancedAccuracy()(Predictions(task, np.array([0, 0, 0, 1]), output))
    0.5
    """

    tasks = frozenset({"classification"})

    def __call__(self, predictions: Predictions) -> float:
        full = predictions.full_confusion
        truth = full.sum(axis=1)
        if not truth.any():
            raise Undefined("there are no rows")
        present = truth > 0
        return weighted_mean(np.diagonal(full)[present] / truth[present], None)


class HitRatio(Metric):
    """Base of the ratios of hits: of one class, or averaged over all.

    The classes that count are those in the truth or among the predictions; a class of the model that is in neither is
    left out. A class that counts and has no ratio of its own (precision, where it is never predicted) counts as 0.
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multilabel"})
    empty: ClassVar[str] = ""

    def __init__(self, average: Average = "auto") -> None:
        self.average = average

    def check(self, task: Task) -> str | None:
        reason = super().check(task)
        if reason is None and self.average == "binary" and not task.is_binary:
            number = f"{task.width} {'classes' if task.is_classification else 'labels'}"
            return f"average binary judges the positive one of two classes, and the target has {number}"
        return reason

    def parts(self, counts: Counts) -> tuple[Array, Array]:
        """Return numerators and denominators (K,)."""
        raise TypeError(f"{type(self).__name__} does not implement parts")

    def __call__(self, predictions: Predictions) -> float:
        counts = count(predictions)
        numerators, denominators = self.parts(counts)
        average = self.average
        if average == "auto":
            average = "binary" if predictions.task.is_binary else "macro"
        if average == "binary":
            code = predictions.positive
            label = predictions.task.classes[code]
            return self._ratio(float(numerators[code]), float(denominators[code]), f"class '{label}'")
        if average == "micro":
            # A row of an unknown class is one that is never found.
            missed = self.parts(Counts(np.zeros(1), np.full(1, counts.unknown), np.zeros(1)))[1]
            return self._ratio(exact_sum(numerators), exact_sum(denominators) + float(missed[0]), "any class")
        return self._mean(_divided(numerators, denominators), counts, average)

    def _mean(self, ratios: Array, counts: Counts, average: str) -> float:
        weight = counts.truth if average == "weighted" else None
        counting = counts.present if weight is None else counts.truth > 0
        if not counting.any():
            raise Undefined(self.empty.format("any class"))
        return weighted_mean(ratios[counting], None if weight is None else weight[counting])

    def _ratio(self, numerator: float, denominator: float, whose: str) -> float:
        if not denominator > 0:
            raise Undefined(self.empty.format(whose))
        return numerator / denominator


def _divided(numerators: Array, denominators: Array) -> Array:
    """Return the ratios, 0 where the denominator is 0."""
    return np.divide(numerators, denominators, out=np.zeros(len(numerators)), where=denominators > 0)


@METRICS.register("precision_weighted", average="weighted")
@METRICS.register("precision_micro", average="micro")
@METRICS.register("precision_macro", average="macro")
@METRICS.register("precision")
class Precision(HitRatio):
    """Share of the rows predicted as a class that are of it: hits / predicted.

    Macro: the classes that count are those in the truth or among the predictions, one never predicted with 0.

    Args:
        average: ``binary`` (of the positive class), ``macro`` (mean over classes), ``micro`` (of all rows and labels),
            ``weighted`` (mean by true rows); ``auto`` is binary for two classes, else macro.

    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> output = np.array([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    >>> Precision()(Predictions(task, np.array([0, 1, 1]), output))
    0.5
    """

    empty = "no row is predicted as {}"

    def parts(self, counts: Counts) -> tuple[Array, Array]:
        return counts.hits, counts.predicted


@METRICS.register("recall_weighted", average="weighted")
@METRICS.register("recall_micro", average="micro")
@METRICS.register("recall_macro", average="macro")
@METRICS.register("recall")
class Recall(HitRatio):
    """Share of the rows of a class that are predicted as it: hits / truth.

    Macro: the classes that count are those in the truth or among the predictions, one not in the truth with 0; the mean
    over the classes in the truth alone is ``balanced_accuracy``.

    Args:
        average: ``binary`` (of the positive class), ``macro`` (mean over classes), ``micro`` (of all rows and labels),
            ``weighted`` (mean by true rows); ``auto`` is binary for two classes, else macro.

    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> output = np.array([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    >>> Recall()(Predictions(task, np.array([0, 1, 1]), output))
    0.5
    """

    empty = "no row is of {}"

    def parts(self, counts: Counts) -> tuple[Array, Array]:
        return counts.hits, counts.truth


@METRICS.register("f1_weighted", average="weighted")
@METRICS.register("f1_micro", average="micro")
@METRICS.register("f1_macro", average="macro")
@METRICS.register("f1")
class F1(HitRatio):
    """Harmonic mean of precision and recall: 2 hits / (predicted + truth).

    Macro: the classes that count are those in the truth or among the predictions; one the model knows that is in
    neither is left out.

    Args:
        average: ``binary`` (of the positive class), ``macro`` (mean over classes), ``micro`` (of all rows and labels),
            ``weighted`` (mean by true rows); ``auto`` is binary for two classes, else macro.

    >>> task = Task("classification", ("y",), ("a", "b"), 1)
    >>> output = np.array([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    >>> F1()(Predictions(task, np.array([0, 1, 1]), output))
    0.5
    """

    empty = "no row is of, or predicted as, {}"

    def parts(self, counts: Counts) -> tuple[Array, Array]:
        return 2 * counts.hits, counts.predicted + counts.truth


@METRICS.register("top_5", k=5)
@METRICS.register("top_k")
class TopK(Metric):
    """Share of the rows whose true class is among the k highest outputs; of equal outputs the first classes count.

    Args:
        k: how many guesses a row has, at least 1; below the number of classes, or it would always be 1.

    >>> task = Task("classification", ("y",), ("a", "b", "c"))
    >>> TopK(k=2)(Predictions(task, np.array([1, 2]), np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])))
    0.5
    """

    tasks = frozenset({"classification"})

    def __init__(self, k: Annotated[int, Ge(1)] = 3) -> None:
        self.k = k

    def check(self, task: Task) -> str | None:
        reason = super().check(task)
        if reason is None and self.k >= len(task.classes):
            return f"one of the {self.k} best guesses is always right where the target has {len(task.classes)} classes"
        return reason

    def __call__(self, predictions: Predictions) -> float:
        output, target = predictions.output, predictions.target
        own = np.take_along_axis(output, np.maximum(target, 0)[:, None], axis=1)
        before = np.arange(output.shape[1]) < target[:, None]
        rank = np.count_nonzero((output > own) | ((output == own) & before), axis=1)
        return weighted_mean((rank < self.k) & (target >= 0), predictions.weight)
