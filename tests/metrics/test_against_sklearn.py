"""Values equal scikit-learn's to 1e-12: with and without weights, with ties, with classes that are absent."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as reference

from nntrain.core.rng import stream
from nntrain.core.task import Task
from nntrain.metrics.base import METRICS, Predictions

ROWS = 400
BINARY = Task("classification", ("label",), ("no", "yes"), 1)
REVERSED = Task("classification", ("label",), ("no", "yes"), 0)
SIX = Task("classification", ("label",), tuple("abcdef"))
LABELS = Task("multilabel", ("y1", "y2", "y3"))
NUMBERS = Task("regression", ("y1", "y2"))
weights = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
ties = pytest.mark.parametrize("tied", [False, True], ids=["distinct", "tied"])


def equal(name, predictions: Predictions, expected: float) -> None:
    found = METRICS.build(name)(predictions)
    assert type(found) is float
    assert abs(found - expected) <= 1e-12 * max(1, abs(expected)), (found, expected)


def weight_of(weighted: bool, seed: int = 0):
    if not weighted:
        return None
    weight = stream(seed, "weights").random(ROWS) * 3
    weight[::7] = 0
    return weight


def classes(task: Task, weighted: bool, tied: bool = False, absent: int | None = None) -> Predictions:
    """Return predictions better than chance; one class may be absent from the truth and from the predictions."""
    generator = stream(1, "classes")
    target = generator.integers(0, task.width, ROWS)
    logits = generator.standard_normal((ROWS, task.width))
    logits[np.arange(ROWS), target] += 1
    if absent is not None:
        target[target == absent] = (absent + 1) % task.width
        logits[:, absent] = -9
    if tied:
        logits = np.round(logits)
    probability = np.exp(logits)
    probability /= probability.sum(axis=1, keepdims=True)
    return Predictions(task, target, probability, weight_of(weighted))


@weights
@ties
@pytest.mark.parametrize("task", [BINARY, REVERSED, SIX], ids=["binary", "reversed", "six"])
def test_classes(task, tied, weighted) -> None:
    made = classes(task, weighted, tied)
    arguments = {"sample_weight": made.weight}
    guess = made.output.argmax(axis=1)
    equal("accuracy", made, reference.accuracy_score(made.target, guess, **arguments))
    equal("balanced_accuracy", made, reference.balanced_accuracy_score(made.target, guess, **arguments))
    equal("cohen_kappa", made, reference.cohen_kappa_score(made.target, guess, **arguments))
    for name in ("matthews_correlation", "mcc"):
        equal(name, made, reference.matthews_corrcoef(made.target, guess, **arguments))
    equal("log_loss", made, reference.log_loss(made.target, made.output, **arguments))
    np.testing.assert_allclose(
        made.confusion, reference.confusion_matrix(made.target, guess, **arguments), rtol=1e-13, atol=1e-13
    )


@weights
@pytest.mark.parametrize("absent", [None, 0, 3])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_averages(name, average, absent, weighted) -> None:
    made = classes(SIX, weighted, absent=absent)
    score = getattr(reference, f"{name}_score")
    guess = made.output.argmax(axis=1)
    expected = score(made.target, guess, average=average, sample_weight=made.weight, zero_division=0)
    equal(f"{name}_{average}", made, expected)
    equal({"name": name, "average": average}, made, expected)
    if average == "macro":
        equal(name, made, expected)


@weights
@pytest.mark.parametrize("task", [BINARY, REVERSED], ids=["last", "first"])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_the_positive_class(name, task, weighted) -> None:
    made = classes(task, weighted)
    score = getattr(reference, f"{name}_score")
    expected = score(
        made.target, made.output.argmax(axis=1), pos_label=task.positive, average="binary", sample_weight=made.weight
    )
    equal(name, made, expected)
    equal({"name": name, "average": "binary"}, made, expected)


def test_a_class_never_predicted_counts_as_zero() -> None:
    made = classes(SIX, weighted=False)
    made = replace(made, output=made.output * (1, 1, 0, 1, 1, 1))
    guess = made.output.argmax(axis=1)
    for name in ("precision", "f1", "recall"):
        score = getattr(reference, f"{name}_score")
        equal(f"{name}_macro", made, score(made.target, guess, average="macro", zero_division=0))


@weights
@ties
@pytest.mark.parametrize("task", [BINARY, REVERSED], ids=["last", "first"])
def test_areas_of_two_classes(task, tied, weighted) -> None:
    made = classes(task, weighted, tied)
    is_positive, score = made.target == task.positive, made.output[:, task.positive]
    equal("roc_auc", made, reference.roc_auc_score(is_positive, score, sample_weight=made.weight))
    equal("pr_auc", made, reference.average_precision_score(is_positive, score, sample_weight=made.weight))


@weights
@ties
def test_areas_of_many_classes(tied, weighted) -> None:
    made = classes(SIX, weighted, tied)
    expected = reference.roc_auc_score(made.target, made.output, multi_class="ovr", sample_weight=made.weight)
    equal("roc_auc", made, expected)
    one_hot = np.eye(6)[made.target]
    equal("pr_auc", made, reference.average_precision_score(one_hot, made.output, sample_weight=made.weight))


@weights
def test_areas_leave_absent_classes_out(weighted) -> None:
    made = classes(SIX, weighted, absent=3)
    present = [0, 1, 2, 4, 5]
    one_hot = np.eye(6)[made.target]
    for name, score in (("roc_auc", reference.roc_auc_score), ("pr_auc", reference.average_precision_score)):
        each = [score(one_hot[:, k], made.output[:, k], sample_weight=made.weight) for k in present]
        equal(name, made, float(np.mean(each)))


@weights
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities(weighted, dtype) -> None:
    for task in (BINARY, REVERSED):
        made = classes(task, weighted)
        expected = reference.brier_score_loss(made.target == 1, made.output[:, 1], sample_weight=made.weight)
        equal("brier", made, expected)
    made = classes(SIX, weighted)
    equal("brier", made, reference.brier_score_loss(made.target, made.output, sample_weight=made.weight))
    certain = np.eye(6, dtype=dtype)[stream(2, "certain").integers(0, 6, ROWS)]
    made = Predictions(SIX, made.target, certain, made.weight)
    expected = reference.log_loss(made.target, certain.astype(dtype), sample_weight=made.weight, labels=range(6))
    assert METRICS.build("log_loss")(made) == pytest.approx(expected, rel=1e-6 if dtype == np.float32 else 1e-12)


@weights
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_top_k(k, weighted) -> None:
    made = classes(SIX, weighted)
    expected = reference.top_k_accuracy_score(made.target, made.output, k=k, sample_weight=made.weight)
    equal({"name": "top_k", "k": k}, made, expected)
    if k == 5:
        equal("top_5", made, expected)
    if k == 3:
        equal("top_k", made, expected)


def labels(weighted: bool, tied: bool = False) -> Predictions:
    generator = stream(5, "labels")
    target = generator.integers(0, 2, (ROWS, 3)).astype(np.float64)
    output = np.clip(0.35 * generator.standard_normal(target.shape) + 0.2 + 0.6 * target, 0.001, 0.999)
    return Predictions(LABELS, target, np.round(output, 1) * 0.9 + 0.05 if tied else output, weight_of(weighted))


@weights
def test_labels(weighted) -> None:
    made = labels(weighted)
    guess, arguments = (made.output >= 0.5).astype(int), {"sample_weight": made.weight}
    equal("subset_accuracy", made, reference.accuracy_score(made.target, guess, **arguments))
    equal("hamming_loss", made, reference.hamming_loss(made.target, guess, **arguments))
    for name in ("precision", "recall", "f1"):
        score = getattr(reference, f"{name}_score")
        for average in ("macro", "micro", "weighted"):
            equal(f"{name}_{average}", made, score(made.target, guess, average=average, **arguments))
        equal(name, made, score(made.target, guess, average="macro", **arguments))
    each = range(3)
    equal(
        "log_loss", made, np.mean([reference.log_loss(made.target[:, i], made.output[:, i], **arguments) for i in each])
    )
    brier = [reference.brier_score_loss(made.target[:, i], made.output[:, i], **arguments) for i in each]
    equal("brier", made, np.mean(brier))


@weights
@ties
def test_areas_of_labels(tied, weighted) -> None:
    made = labels(weighted, tied)
    arguments = {"sample_weight": made.weight}
    equal("roc_auc", made, reference.roc_auc_score(made.target, made.output, **arguments))
    equal("pr_auc", made, reference.average_precision_score(made.target, made.output, **arguments))


@pytest.mark.filterwarnings("ignore:F-score is ill-defined")
def test_a_label_in_neither_is_left_out() -> None:
    made = labels(weighted=False)
    made = replace(made, target=made.target * (1, 0, 1), output=np.where((0, 1, 0), 0.1, made.output))
    guess = (made.output >= 0.5).astype(int)
    expected = reference.f1_score(made.target, guess, average="macro", zero_division=np.nan)
    equal("f1_macro", made, expected)
    assert expected == reference.f1_score(made.target[:, [0, 2]], guess[:, [0, 2]], average="macro")


def numbers(weighted: bool, columns: int, tied: bool = False) -> Predictions:
    generator = stream(9, "numbers")
    target = 100 + 10 * generator.standard_normal((ROWS, columns))
    output = target + generator.standard_normal(target.shape) + 0.3
    if tied:
        target, output = np.round(target), np.round(output)
    task = Task("regression", tuple(f"y{i}" for i in range(columns)))
    return Predictions(task, target, output, weight_of(weighted))


REGRESSION = {
    "mse": reference.mean_squared_error,
    "rmse": reference.root_mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
    "mape": reference.mean_absolute_percentage_error,
    "median_absolute_error": reference.median_absolute_error,
    "explained_variance": reference.explained_variance_score,
    "pinball": reference.mean_pinball_loss,
}


@weights
@ties
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", REGRESSION)
def test_numbers(name, columns, tied, weighted) -> None:
    made = numbers(weighted, columns, tied)
    expected = REGRESSION[name](made.target, made.output, sample_weight=made.weight)
    found = METRICS.build(name)(made)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


@weights
def test_quantiles(weighted) -> None:
    made = numbers(weighted, 2)
    for quantile in (0.1, 0.9):
        expected = reference.mean_pinball_loss(made.target, made.output, alpha=quantile, sample_weight=made.weight)
        equal({"name": "pinball", "quantile": quantile}, made, expected)


def test_a_weighted_median_between_two_rows() -> None:
    errors = np.array([[4.0], [1.0], [2.0], [3.0]])
    for weight, expected in (
        ([1, 1, 1, 1], 2.5),
        ([3, 1, 1, 1], 3.5),
        ([1, 1, 1, 0.5], 2.0),
        ([0.1, 0.1, 0.1, 0.1], 2.5),
    ):
        made = Predictions(Task("regression", ("y",)), np.zeros((4, 1)), errors, np.array(weight, float))
        assert METRICS.build("median_absolute_error")(made) == expected


def test_largest_error() -> None:
    made = numbers(weighted=False, columns=1)
    equal("max_error", made, reference.max_error(made.target, made.output))
    two = numbers(weighted=False, columns=2)
    equal("max_error", two, np.mean([reference.max_error(two.target[:, i], two.output[:, i]) for i in range(2)]))


@weights
def test_everything_is_compared(weighted) -> None:
    """Each registered metric accepts one of the predictions above, so no name escapes."""
    made = [classes(BINARY, weighted), classes(SIX, weighted), labels(weighted), numbers(weighted, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in METRICS.names():
            metric = METRICS.build(name)
            assert any(metric.check(each.task) is None and np.isfinite(metric(each)) for each in made), name
