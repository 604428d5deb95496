"""The metric: a number that judges predictions, or a reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np

from nntrain.core.array import Array, largest_places, read_only
from nntrain.core.task import Task, TaskKind
from nntrain.errors import ConfigError, shorten
from nntrain.metrics import exact
from nntrain.registry import Registered, Registry


class Undefined(Exception):  # noqa: N818 - it is an answer, not an error
    """The metric has no value for these predictions; the text is the reason."""


@dataclass(frozen=True)
class Predictions:
    """Predictions beside the truth, which no metric can change: all of them are shown the same.

    Attributes:
        task: what was predicted.
        target: codes (N,) int64, values (N, D) in original units, or 0/1 labels (N, D). The code -1 stands for a class
            the model does not know: its rows count as errors.
        output: scores or probabilities (N, K) with one column a class, values (N, D) in original units, or
            probabilities (N, D) of the labels.
        weight: (N,) weights, or None for all ones.
        is_probability: whether the scores are probabilities.
    """

    task: Task
    target: Array
    output: Array
    weight: Array | None = None
    is_probability: bool = True

    def __post_init__(self) -> None:
        for name in ("target", "output", "weight"):
            values = getattr(self, name)
            if values is not None:
                object.__setattr__(self, name, read_only(values))

    @cached_property
    def predicted(self) -> Array:
        """(N,) codes of the predicted classes: the largest output, the first where some are equal."""
        return largest_places(self.output)

    @cached_property
    def labels(self) -> Array:
        """(N, D) whether each label is predicted: its probability is at least 0.5."""
        return np.asarray(self.output >= 0.5)

    @cached_property
    def full_confusion(self) -> Array:
        """(K + 1, K + 1) sum of weights by true class (row) and predicted class (column), unknown classes last."""
        classes = len(self.task.classes)
        truth = np.where(self.target < 0, classes, self.target)
        size = classes + 1
        return sums_by_group(truth * size + self.predicted, size * size, self.weight).reshape(size, size)

    @cached_property
    def confusion(self) -> Array:
        """(K, K) sum of weights by true class (row) and predicted class (column), of the classes the model knows."""
        return self.full_confusion[:-1, :-1]

    @property
    def positive(self) -> int:
        """Code of the positive class of two: the task's own, or the second."""
        return 1 if self.task.positive is None else self.task.positive

    @cached_property
    def faults(self) -> str | None:
        """Why no metric has a value for these predictions, or None."""
        return self.faults_of(self.output)

    def faults_of(self, output: Array) -> str | None:
        """Return why no metric has a value for these outputs (N, K), or None."""
        if not len(self):
            return "there are no rows"
        if self.weight is not None and not self.weight.any():
            return "the weights sum to 0"
        finite = np.isfinite(output)
        if finite.all():  # in a hundredth of the time of row by row
            return None
        return f"{np.count_nonzero(~finite.all(axis=1))} of {len(self)} rows have an output that is not finite"

    def __len__(self) -> int:
        return len(self.output)


class Metric:
    """Base of all metrics.

    Attributes:
        tasks: the kinds of task the metric judges.
        higher_is_better: the direction, which ``best`` checkpoints, early stopping and ``compare`` follow.
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset()
    higher_is_better: ClassVar[bool] = True

    def check(self, task: Task) -> str | None:
        """Return why the metric does not fit the task, or None where it does."""
        if task.kind in self.tasks:
            return None
        return f"it judges {' or '.join(sorted(self.tasks))}, and the task is {task.kind}"

    def __call__(self, predictions: Predictions) -> float:
        """Return the metric's value.

        Raises:
            Undefined: there is none, for the reason given.
        """
        raise TypeError(f"{type(self).__name__} does not implement __call__")


METRICS: Registry[Metric] = Registry("metric", Metric, "nntrain.metrics")

MetricLike: TypeAlias = Annotated[str | dict[str, Any] | Metric, Registered("metric")]


def evaluate(metrics: Mapping[str, Metric], predictions: Predictions) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return each metric's value by name, None where it is undefined, and the reasons by name."""
    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for name, metric in metrics.items():
        try:
            values[name] = _finite_value(metric, predictions)
        except Undefined as undefined:
            values[name], reasons[name] = None, str(undefined)
    return values, reasons


def _finite_value(metric: Metric, predictions: Predictions) -> float:
    if predictions.faults is not None:
        raise Undefined(predictions.faults)
    value = metric(predictions)
    try:
        value = float(value)
    except (TypeError, ValueError, OverflowError):
        from nntrain.plugins import place_of_method

        place = place_of_method(type(metric), "__call__")
        message = f"metric {METRICS.name_of(metric)} gave {shorten(str(value))}, expected a number"
        raise ConfigError(message, **place) from None
    if not math.isfinite(value):
        raise Undefined(f"it came out as {value}")
    return value


def exact_sum(values: Array) -> float:
    """Return the sum of (N,) numbers, rounded once, so that their order does not matter.

    >>> exact_sum(np.array([1e100, 1.0, -1e100]))
    1.0

    Raises:
        Undefined: the sum is beyond the largest number.
    """
    return exact_sum_of(lambda rows: values[rows], len(values))


def exact_sum_of(values: Callable[[slice], Array], count: int) -> float:
    """Return the sum of N numbers as :func:`exact_sum` does, given what returns those of a stretch of rows."""
    try:
        return exact.exact_sum_of(values, count)
    except (OverflowError, ValueError):
        raise Undefined("the sum over the rows is not finite") from None


def weighted_mean(values: Array, weight: Array | None) -> float:
    """Return sum(w v) / sum(w) of (N,) values, summed exactly, so that the order of the rows does not matter.

    Raises:
        Undefined: there are no rows, or their weights sum to 0.
    """
    if weight is None and len(values) and values.dtype == np.bool_:
        return int(np.count_nonzero(values)) / len(values)
    return weighted_mean_of(lambda rows: values[rows], len(values), weight)


def weighted_mean_of(values: Callable[[slice], Array], count: int, weight: Array | None) -> float:
    """Return the :func:`weighted_mean` of N values, given what returns those of a stretch of rows."""
    if weight is None:
        if not count:
            raise Undefined("there are no rows")
        return exact_sum_of(values, count) / count
    total = exact_sum(weight)
    if total <= 0:
        raise Undefined("the weights sum to 0")
    return exact_sum_of(lambda rows: np.multiply(values(rows), weight[rows], dtype=np.float64), count) / total


def sums_by_group(groups: Array, count: int, weight: Array | None) -> Array:
    """Return the sum of weights (count,) of each group number 0 to count - 1, the same bits for any order of the rows.

    >>> sums_by_group(np.array([2, 0, 2]), 3, np.array([0.5, 1.0, 0.25])).tolist()
    [1.0, 0.0, 0.75]
    """
    if weight is None:
        return np.bincount(groups, minlength=count).astype(np.float64)
    sums = np.zeros(count)
    if not len(groups):
        return sums
    # Sorted by weight within a group, the terms are added in an order that their values alone decide.
    order = np.lexsort((weight, groups))
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sums[ordered[starts]] = np.add.reduceat(weight[order].astype(np.float64), starts)
    return sums
