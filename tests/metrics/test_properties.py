"""What must hold for any predictions: the order of the rows changes no bit, and weights are repetitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.core.task import Task
from nntrain.metrics.base import METRICS, Predictions, evaluate
from nntrain.metrics.report import classification_report

TASKS = (
    Task("classification", ("label",), ("no", "yes"), 1),
    Task("classification", ("label",), tuple("abcdef")),
    Task("multilabel", ("y1", "y2", "y3")),
    Task("regression", ("y1", "y2")),
)
tasks = pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.kind}-{task.width}")


def fitting(task: Task):
    built = {name: METRICS.build(name) for name in METRICS.names()}
    return {name: metric for name, metric in built.items() if metric.check(task) is None}


def drawn(task: Task, seed: int, rows: int, weighted: bool, tied: bool) -> Predictions:
    generator = np.random.Generator(np.random.PCG64(seed))
    scale = 10.0 ** generator.integers(-3, 4)
    if task.kind == "regression":
        target, output = (scale * generator.standard_normal((rows, task.width)) for _ in range(2))
    elif task.kind == "multilabel":
        target, output = (
            generator.integers(0, 2, (rows, task.width)).astype(float),
            generator.random((rows, task.width)),
        )
    else:
        target, output = generator.integers(0, task.width, rows), generator.random((rows, task.width)) + 1e-3
        output /= output.sum(axis=1, keepdims=True)
    if tied:
        output = np.round(output, 1)
    weight = scale * generator.random(rows) if weighted else None
    return Predictions(task, target, output, weight)


def taken(predictions: Predictions, rows) -> Predictions:
    weight = None if predictions.weight is None else predictions.weight[rows]
    return Predictions(predictions.task, predictions.target[rows], predictions.output[rows], weight)


@tasks
@settings(max_examples=60)
@given(
    st.integers(0, 2**32), st.integers(1, 300), st.booleans(), st.booleans(), st.sampled_from([np.float32, np.float64])
)
def test_the_order_of_rows_changes_no_bit(task, seed, rows, weighted, tied, dtype) -> None:
    made = drawn(task, seed, rows, weighted, tied)
    made = replace(made, output=made.output.astype(dtype))
    order = np.random.Generator(np.random.PCG64(seed + 1)).permutation(rows)
    metrics = fitting(task)
    assert evaluate(metrics, taken(made, order)) == evaluate(metrics, made)
    if task.kind != "regression":
        assert classification_report(taken(made, order)) == classification_report(made)


@tasks
@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_a_whole_weight_is_a_repetition_and_zero_is_absence(task, seed, rows) -> None:
    made = drawn(task, seed, rows, False, True)
    times = np.random.Generator(np.random.PCG64(seed + 2)).integers(0, 4, rows)
    weighted = Predictions(task, made.target, made.output, times.astype(np.float64))
    repeated = taken(made, np.repeat(np.arange(rows), times))
    metrics = fitting(task)
    if task.kind == "regression" and np.count_nonzero(times) < 2:
        # One row five times has no variance, one row of weight 5 is one row: the reasons differ.
        metrics = {name: metric for name, metric in metrics.items() if name not in ("r2", "explained_variance")}
    found, _ = evaluate(metrics, weighted)
    expected, _ = evaluate(metrics, repeated)
    assert {name for name in found if found[name] is None} == {name for name in expected if expected[name] is None}
    for name, value in found.items():
        if value is not None:
            np.testing.assert_allclose(value, expected[name], rtol=1e-11, atol=1e-11, err_msg=name)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 60), st.booleans(), st.permutations(range(6)))
def test_renaming_classes_changes_nothing(seed, rows, weighted, names) -> None:
    made = drawn(TASKS[1], seed, rows, weighted, False)
    output = np.empty_like(made.output)
    output[:, names] = made.output
    renamed = Predictions(made.task, np.array(names)[made.target], output, made.weight)
    metrics = fitting(made.task)
    found, expected = evaluate(metrics, renamed)[0], evaluate(metrics, made)[0]
    for name, value in found.items():
        if value is None or expected[name] is None:
            assert value is expected[name], name
        else:
            np.testing.assert_allclose(value, expected[name], rtol=1e-12, atol=1e-12, err_msg=name)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(4, 60))
def test_ranking_sees_only_the_order(seed, rows) -> None:
    made = drawn(TASKS[0], seed, rows, False, True)
    stretched = Predictions(made.task, made.target, made.output**3, None, is_probability=False)
    for name in ("roc_auc", "pr_auc"):
        metrics = {name: METRICS.build(name)}
        assert evaluate(metrics, stretched)[0] == evaluate(metrics, made)[0]


@tasks
@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(2, 60), st.booleans())
def test_a_perfect_prediction_is_the_best(task, seed, rows, weighted) -> None:
    made = drawn(task, seed, rows, weighted, False)
    perfect = np.eye(task.width)[made.target] if task.is_classification else made.target
    best = Predictions(task, made.target, perfect, made.weight)
    for name, metric in fitting(task).items():
        value = evaluate({name: metric}, best)[0][name]
        if value is not None:
            assert value == pytest.approx(1.0 if metric.higher_is_better else 0.0, abs=1e-12), name
            other = evaluate({name: metric}, made)[0][name]
            assert other is None or (other <= value + 1e-12 if metric.higher_is_better else other >= value - 1e-12)


def test_arguments_are_only_read() -> None:
    for task in TASKS:
        made = drawn(task, 3, 20, True, False)
        for array in (made.target, made.output, made.weight):
            array.flags.writeable = False
        evaluate(fitting(task), made)
