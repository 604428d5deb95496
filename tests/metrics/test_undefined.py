"""Where a metric has no value it says why, and what does not fit a task is told before training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nntrain.core.task import Task
from nntrain.metrics.base import METRICS, Predictions, Undefined, evaluate, exact_sum, sums_by_group, weighted_mean

BINARY = Task("classification", ("label",), ("no", "yes"), 1)
THREE = Task("classification", ("label",), ("a", "b", "c"))
NUMBER = Task("regression", ("price",))
LABELS = Task("multilabel", ("y1", "y2"))
NO, YES = [0.9, 0.1], [0.2, 0.8]


def of(task, target, output, weight=None, is_probability=True) -> Predictions:
    weight = None if weight is None else np.array(weight, float)
    return Predictions(task, np.array(target), np.array(output, float), weight, is_probability)


@pytest.mark.parametrize(
    ("name", "predictions", "reason"),
    [
        ("roc_auc", of(BINARY, [0, 0], [NO, YES]), "no row is positive"),
        ("roc_auc", of(BINARY, [1, 1], [NO, YES]), "every row is positive"),
        ("roc_auc", of(THREE, [1, 1], [[1, 0, 0], [0, 1, 0]]), "no row is positive"),
        ("pr_auc", of(BINARY, [0, 0], [NO, YES]), "no row is positive"),
        ("r2", of(NUMBER, [[2.0], [2.0]], [[1.0], [2.0]]), "target 'price' is the same in all rows"),
        ("r2", of(NUMBER, [[0.1]] * 3, [[1.0]] * 3), "target 'price' is the same in all rows"),
        ("r2", of(NUMBER, [[2.0]], [[1.0]]), "fewer than 2 rows have no variance"),
        ("r2", of(NUMBER, [[2.0], [3.0]], [[1.0], [1.0]], [1, 0]), "fewer than 2 rows have no variance"),
        ("explained_variance", of(NUMBER, [[2.0], [2.0]], [[1.0], [2.0]]), "target 'price' is the same in all rows"),
        ("mape", of(NUMBER, [[0.0], [1.0]], [[1.0], [1.0]]), "target 'price' is 0 in 1 of 2 rows"),
        ("precision", of(BINARY, [0, 1], [NO, NO]), "no row is predicted as class 'yes'"),
        ("recall", of(BINARY, [0, 0], [NO, YES]), "no row is of class 'yes'"),
        ("f1", of(BINARY, [0, 0], [NO, NO]), "no row is of, or predicted as, class 'yes'"),
        ("f1_macro", of(LABELS, [[0.0, 0.0]], [[0.1, 0.1]]), "no row is of, or predicted as, any class"),
        ("precision_micro", of(LABELS, [[0.0, 1.0]], [[0.1, 0.1]]), "no row is predicted as any class"),
        ("matthews_correlation", of(BINARY, [0, 1], [NO, NO]), "all predictions are of one class"),
        ("matthews_correlation", of(BINARY, [0, 0], [NO, YES]), "all rows are of one class"),
        ("cohen_kappa", of(BINARY, [1, 1], [YES, YES]), "truth and predictions are all one and the same class"),
        ("log_loss", of(BINARY, [0, 1], [[3, -3], [1, -1]], None, False), "the outputs are scores, not probabilities"),
        ("brier", of(BINARY, [0, 1], [[3, -3], [1, -1]], None, False), "the outputs are scores, not probabilities"),
        ("log_loss", of(BINARY, [0, -1], [NO, NO]), "1 rows are of a class that the model gives no probability"),
        ("accuracy", of(BINARY, [0, 1], [NO, NO], [0, 0]), "the weights sum to 0"),
        ("mse", of(NUMBER, [[0.0]], [[1.0]], [0]), "the weights sum to 0"),
    ],
)
def test_reasons(name, predictions, reason) -> None:
    with pytest.raises(Undefined) as caught:
        METRICS.build(name)(predictions)
    assert str(caught.value) == reason


@pytest.mark.parametrize("task", [BINARY, THREE, LABELS, NUMBER], ids=lambda task: task.kind)
def test_no_rows_and_outputs_that_are_not_finite(task) -> None:
    metrics = {name: METRICS.build(name) for name in METRICS.names()}
    metrics = {name: metric for name, metric in metrics.items() if metric.check(task) is None}
    target = np.zeros((0, task.width)) if not task.is_classification else np.zeros(0, np.int64)
    values, reasons = evaluate(metrics, Predictions(task, target, np.zeros((0, task.width))))
    assert set(values.values()) == {None}
    assert set(reasons.values()) == {"there are no rows"}
    for name, metric in metrics.items():
        with pytest.raises(Undefined, match="no row"):
            metric(Predictions(task, target, np.zeros((0, task.width))))
        assert name in reasons
    output = np.full((3, task.width), 0.5)
    output[1, 0] = np.nan
    output[2, -1] = np.inf
    values, reasons = evaluate(metrics, Predictions(task, np.zeros_like(target, shape=(3, *target.shape[1:])), output))
    assert set(values.values()) == {None}
    assert set(reasons.values()) == {"2 of 3 rows have an output that is not finite"}


def test_values_and_reasons_are_json() -> None:
    metrics = {name: METRICS.build(name) for name in ("accuracy", "roc_auc")}
    values, reasons = evaluate(metrics, of(BINARY, [0, 0], [NO, YES]))
    assert json.dumps(values, allow_nan=False) == '{"accuracy": 0.5, "roc_auc": null}'
    assert reasons == {"roc_auc": "no row is positive"}


def test_a_value_that_is_not_finite_is_no_value() -> None:
    predictions = of(NUMBER, [[0.0], [1.0]], [[1e200], [1.0]])
    with np.errstate(over="ignore"):
        values, reasons = evaluate({"mse": METRICS.build("mse")}, predictions)
    assert values == {"mse": None}
    assert reasons == {"mse": "it came out as inf"}
    with pytest.raises(Undefined, match="the sum over the rows is not finite"):
        exact_sum(np.array([1e308, 1e308, 1e308]))
    with pytest.raises(Undefined, match="the sum over the rows is not finite"):
        exact_sum(np.array([np.inf, -np.inf]))


@pytest.mark.parametrize(
    ("spec", "task", "reason"),
    [
        ("accuracy", NUMBER, "it judges classification, and the task is regression"),
        ("rmse", BINARY, "it judges regression, and the task is classification"),
        ("subset_accuracy", THREE, "it judges multilabel, and the task is classification"),
        ("f1", NUMBER, "it judges classification or multilabel, and the task is regression"),
        (
            {"name": "f1", "average": "binary"},
            THREE,
            "average binary judges the positive one of two classes, and the target has 3 classes",
        ),
        (
            {"name": "f1", "average": "binary"},
            LABELS,
            "average binary judges the positive one of two classes, and the target has 2 labels",
        ),
        ("top_k", THREE, "one of the 3 best guesses is always right where the target has 3 classes"),
        ({"name": "top_k", "k": 2}, THREE, None),
        ("f1", BINARY, None),
    ],
    ids=str,
)
def test_what_does_not_fit(spec, task, reason) -> None:
    assert METRICS.build(spec).check(task) == reason


def test_rows_of_unknown_classes_are_errors() -> None:
    output = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]
    made = of(THREE, [0, 1, 2, -1], output)
    values, reasons = evaluate({name: METRICS.build(name) for name in ("accuracy", "f1_micro", "recall_micro")}, made)
    assert values == {"accuracy": 0.75, "f1_micro": 0.75, "recall_micro": 0.75}
    assert reasons == {}
    assert METRICS.build("precision_macro")(made) == pytest.approx((0.5 + 1 + 1) / 3)
    assert METRICS.build("recall_macro")(made) == 1.0
    assert METRICS.build("balanced_accuracy")(made) == 0.75
    assert METRICS.build({"name": "top_k", "k": 2})(made) == 0.75
    np.testing.assert_array_equal(made.confusion, np.eye(3))
    np.testing.assert_array_equal(made.full_confusion[-1], [1, 0, 0, 0])


def test_ties_take_the_first_class() -> None:
    made = of(THREE, [0, 1, 2], [[0.4, 0.4, 0.2]] * 3)
    assert METRICS.build("accuracy")(made) == METRICS.build({"name": "top_k", "k": 1})(made) == pytest.approx(1 / 3)
    assert METRICS.build({"name": "top_k", "k": 2})(made) == pytest.approx(2 / 3)
    for code, expected in enumerate((1.0, 0.0, 0.0)):
        one = of(THREE, [code], [[0.4, 0.4, 0.2]])
        assert METRICS.build("accuracy")(one) == METRICS.build({"name": "top_k", "k": 1})(one) == expected


def test_a_label_is_predicted_from_one_half_on() -> None:
    assert METRICS.build("subset_accuracy")(of(LABELS, [[1.0, 0.0]], [[0.5, 0.49]])) == 1.0


def test_sums() -> None:
    assert weighted_mean(np.array([True, False, True, True]), None) == 0.75
    assert weighted_mean(np.array([True, False]), np.array([3.0, 1.0])) == 0.75
    assert sums_by_group(np.array([], np.int64), 3, np.array([])).tolist() == [0, 0, 0]
    assert sums_by_group(np.array([1, 1]), 2, None).tolist() == [0, 2]
    with pytest.raises(Undefined, match="there are no rows"):
        weighted_mean(np.array([]), None)
