"""The contract of a metric, check by check, for each kind of task it says it judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.core.task import Task
from nntrain.metrics.base import Metric, Predictions, Undefined
from nntrain.testing.loss_case import TASKS as TASKS_OF_LOSSES
from nntrain.testing.suite import Check, Suite, require, require_close, require_equal, require_no_global_randomness

MetricFactory = Callable[[], Metric]

ROWS = 60

TASKS = (*TASKS_OF_LOSSES, Task("classification", ("label",), tuple("abcdefg")))
"""One task of each kind that metrics tell apart."""

METRIC_SUITE: Suite[MetricCase] = Suite()


@dataclass(frozen=True)
class MetricCase:
    """What a metric is checked with."""

    factory: MetricFactory
    seed: int = 0

    def each(self, perfect: bool = False) -> Iterator[tuple[Metric, Predictions]]:
        """Yield a fresh metric with predictions for each task it judges.

        Raises:
            AssertionError: it judges none.
        """
        fitting = [task for task in TASKS if self.factory().check(task) is None]
        require(fitting, "check() refuses every task, so there is nothing the metric could be used for")
        for task in fitting:
            yield self.factory(), self.predictions(task, perfect)

    def predictions(self, task: Task, perfect: bool) -> Predictions:
        """Return predictions of a task, random ones or the truth itself; all numbers are above 0."""
        generator = stream(self.seed, "check-predictions")
        if task.is_classification:
            target: Array = np.arange(ROWS) % task.width
            output = np.eye(task.width)[target] if perfect else generator.dirichlet(np.ones(task.width), ROWS)
        elif task.kind == "multilabel":
            target = generator.integers(0, 2, (ROWS, task.width)).astype(np.float64)
            output = target.copy() if perfect else generator.random((ROWS, task.width))
        else:
            target = generator.random((ROWS, task.width)) + 0.5
            output = target.copy() if perfect else generator.random((ROWS, task.width)) + 0.5
        return Predictions(task, target, output)


def check_metric(metric_factory: MetricFactory, *, seed: int = 0) -> list[Check]:
    """Check a metric against the contract of :mod:`nntrain.metrics.base`.

    Args:
        metric_factory: makes a fresh metric at each call.
        seed: of predictions and targets.

    >>> from nntrain.metrics.classification import Accuracy
    >>> all(check.passed for check in check_metric(Accuracy))
    True
    """
    return METRIC_SUITE.run(MetricCase(metric_factory, seed))


def _value(metric: Metric, predictions: Predictions) -> float | None:
    """Return a metric's value, or None where it says that there is none."""
    try:
        return float(metric(predictions))
    except Undefined as undefined:
        require(str(undefined).strip(), "Undefined without a reason")
        return None


def _require_same(name: str, found: float | None, expected: float | None) -> None:
    require((found is None) == (expected is None), f"{name} is {found}, expected {expected}")
    if found is not None and expected is not None:
        require_close(name, np.asarray(found), np.asarray(expected), 1e-9)


@METRIC_SUITE.check("it judges some task, and says why it does not judge another")
def _tasks(case: MetricCase) -> None:
    for task in TASKS:
        reason = case.factory().check(task)
        require(reason is None or reason.strip(), "check() returned an empty text")
        require(task.kind in case.factory().tasks or reason, f"check() accepts {task.kind}, which is not among tasks")
    require(list(case.each()), "there is no task")


@METRIC_SUITE.check("the value is a finite number, on 60 rows of any task it judges")
def _finite(case: MetricCase) -> None:
    values = [(predictions.task, _value(metric, predictions)) for metric, predictions in case.each()]
    require(any(value is not None for _, value in values), "it is undefined for every task")
    for task, value in values:
        require(value is None or np.isfinite(value), f"{task.kind} with {task.width}: the value is {value}")


@METRIC_SUITE.check("the truth itself scores no worse than random predictions")
def _direction(case: MetricCase) -> None:
    for (metric, truth), (_, guesses) in zip(case.each(perfect=True), case.each(), strict=True):
        best, other = _value(metric, truth), _value(metric, guesses)
        if best is not None and other is not None:
            better = best >= other if metric.higher_is_better else best <= other
            sense = "higher" if metric.higher_is_better else "lower"
            require(better, f"{sense} is better, and the truth scores {best:.6g}, random predictions {other:.6g}")


@METRIC_SUITE.check("the order of the rows does not matter")
def _order(case: MetricCase) -> None:
    order = stream(case.seed, "check-order").permutation(ROWS)
    for metric, given in case.each():
        shuffled = Predictions(given.task, given.target[order], given.output[order])
        _require_same("the value of shuffled rows", _value(metric, shuffled), _value(metric, given))


@METRIC_SUITE.check("weights of 1 are no weights, and a weight of 2 is a row twice")
def _weights(case: MetricCase) -> None:
    twice = np.repeat(np.arange(ROWS), 2)
    for metric, given in case.each():
        plain = _value(metric, given)
        _require_same("with weights of 1 the value", _value(metric, replace(given, weight=np.ones(ROWS))), plain)
        doubled = Predictions(given.task, given.target[twice], given.output[twice])
        weighted = replace(given, weight=np.full(ROWS, 2.0))
        _require_same("with weights of 2 the value", _value(metric, weighted), _value(metric, doubled))


@METRIC_SUITE.check("arguments are not written, and may be read-only")
def _arguments(case: MetricCase) -> None:
    for metric, given in case.each():
        target, output = given.target.copy(), given.output.copy()
        given.target.flags.writeable = given.output.flags.writeable = False
        _value(metric, given)
        require_equal("the target", given.target, target)
        require_equal("the output", given.output, output)


@METRIC_SUITE.check("the same predictions give the same bits")
def _repeats(case: MetricCase) -> None:
    for (metric, given), (_, again) in zip(case.each(), case.each(), strict=True):
        first, second = _value(metric, given), _value(metric, again)
        require(first == second, f"the value was {first!r}, then {second!r}")


@METRIC_SUITE.check("no global random generator is used")
def _randomness(case: MetricCase) -> None:
    require_no_global_randomness(lambda: [_value(metric, given) for metric, given in case.each()])


METRIC_SUITE.check_construction()
