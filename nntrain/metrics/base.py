"""The metric: a number that judges predictions, or a reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.registry import Registered, Registry


class Undefined(Exception):  # noqa: N818 - it is an answer, not an error
    """The metric has no value for these predictions; the text is the reason."""


@dataclass
class Predictions:
    """Predictions beside the truth.

    Attributes:
        task: what was predicted.
        target: codes (N,) int64, values (N, D) in original units, or 0/1 labels (N, D).
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

    @cached_property
    def predicted(self) -> Array:
        """(N,) codes of the predicted classes: the largest output, the first where some are equal."""
        codes: Array = np.argmax(self.output, axis=1)
        return codes

    @cached_property
    def confusion(self) -> Array:
        """(K, K) sum of weights by true class (row) and predicted class (column)."""
        classes = len(self.task.classes)
        flat = np.bincount(self.target * classes + self.predicted, self.weight, minlength=classes * classes)
        return flat.reshape(classes, classes).astype(np.float64)

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

MetricLike: TypeAlias = Annotated["str | dict[str, Any] | Metric", Registered("metric")]


def evaluate(metrics: Mapping[str, Metric], predictions: Predictions) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return each metric's value by name, None where it is undefined, and the reasons by name."""
    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for name, metric in metrics.items():
        try:
            values[name] = metric(predictions)
        except Undefined as undefined:
            values[name], reasons[name] = None, str(undefined)
    return values, reasons


def weighted_mean(values: Array, weight: Array | None) -> float:
    """Return sum(w v) / sum(w), summed exactly, so that the order of the rows does not matter.

    Raises:
        Undefined: there are no rows, or their weights sum to 0.
    """

    if weight is None:
        if not len(values):
            raise Undefined("there are no rows")
        return math.fsum(values.tolist()) / len(values)
    total = math.fsum(weight.tolist())
    if total <= 0:
        raise Undefined("the weights sum to 0")
    return math.fsum((values.astype(np.float64) * weight).tolist()) / total
