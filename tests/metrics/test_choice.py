"""Which metrics a task has by default, and the table of its classes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sklearn.metrics as reference

from nntrain.core.task import Task
from nntrain.metrics.base import METRICS, Predictions
from nntrain.metrics.defaults import default_metrics, standard_metrics
from nntrain.metrics.report import classification_report

TASKS = (
    Task("classification", ("label",), ("no", "yes"), 1),
    Task("classification", ("label",), ("a", "b", "c")),
    Task("classification", ("label",), tuple("abcdefghijklmno")),
    Task("multilabel", ("y1", "y2")),
    Task("regression", ("y",)),
)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.kind}-{task.width}")
@pytest.mark.parametrize("choose", [default_metrics, standard_metrics])
def test_the_choice_fits_its_task(choose, task) -> None:
    names = choose(task)
    assert names and len(set(names)) == len(names)
    for name in names:
        assert METRICS.build(name).check(task) is None


def test_the_standard_choice_holds_what_users_expect() -> None:
    assert default_metrics(TASKS[0]) == default_metrics(TASKS[1]) == ["accuracy"]
    assert {"accuracy", "f1", "roc_auc", "log_loss"} <= set(standard_metrics(TASKS[0]))
    assert {"accuracy", "f1_macro", "log_loss"} <= set(standard_metrics(TASKS[1]))
    assert "top_5" in standard_metrics(TASKS[2])
    assert {"rmse", "mae", "r2"} <= set(standard_metrics(TASKS[4]))


def test_presets_are_the_average_they_name() -> None:
    for name in ("precision", "recall", "f1"):
        for average in ("macro", "micro", "weighted"):
            assert METRICS.build(f"{name}_{average}").average == average
    assert METRICS.build("top_5").k == 5
    assert type(METRICS.build("mcc")) is type(METRICS.build("matthews_correlation"))


def test_directions() -> None:
    lower = {name for name in METRICS.names() if not METRICS.build(name).higher_is_better}
    assert lower == {
        "brier",
        "hamming_loss",
        "log_loss",
        "mae",
        "mape",
        "max_error",
        "median_absolute_error",
        "mse",
        "pinball",
        "rmse",
    }


def test_report_against_sklearn() -> None:
    generator = np.random.Generator(np.random.PCG64(0))
    target, output = generator.integers(0, 3, 90), generator.random((90, 3))
    weight = generator.random(90)
    for given in (None, weight):
        report = classification_report(Predictions(TASKS[1], target, output, given))
        expected = reference.precision_recall_fscore_support(target, output.argmax(axis=1), sample_weight=given)
        for key, column in zip(("precision", "recall", "f1", "support"), expected, strict=True):
            assert [row[key] for row in report["classes"]] == pytest.approx(list(column), rel=1e-12)
        matrix = reference.confusion_matrix(target, output.argmax(axis=1), sample_weight=given)
        np.testing.assert_allclose(report["confusion"]["matrix"], matrix, rtol=1e-12)
        assert [row["label"] for row in report["classes"]] == report["confusion"]["labels"] == ["a", "b", "c"]


def test_report_of_absent_and_unknown_classes_is_json() -> None:
    output = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.1, 0.9, 0.0]])
    report = json.loads(
        json.dumps(classification_report(Predictions(TASKS[1], np.array([0, -1, 0]), output)), allow_nan=False)
    )
    assert report["classes"][2] == {"label": "c", "precision": None, "recall": None, "f1": None, "support": 0}
    assert report["classes"][0] == {"label": "a", "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert report["confusion"]["matrix"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert report["confusion"]["unknown"] == [1, 0, 0]


def test_report_of_labels() -> None:
    target, output = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.9, 0.1], [0.2, 0.8]])
    report = classification_report(Predictions(TASKS[3], target, output))
    assert report == {
        "classes": [
            {"label": "y1", "precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2},
            {"label": "y2", "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
        ]
    }
