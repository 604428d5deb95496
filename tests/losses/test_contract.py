"""Every registered loss keeps the contract, as it is named and with its arguments set."""

from __future__ import annotations

import numpy as np
import pytest

from nntrain.core.task import Task
from nntrain.losses.base import LOSSES, Loss
from nntrain.testing.losses import check_loss

BINARY = Task("classification", ("label",), ("no", "yes"), 1)
THREE = Task("classification", ("label",), ("a", "b", "c"))
NUMBER = Task("regression", ("price",))
LABELS = Task("multilabel", ("y1", "y2", "y3"))
ALL = (BINARY, THREE, NUMBER, LABELS)

VARIANTS = (
    {"name": "cross_entropy", "label_smoothing": 0.1},
    {"name": "binary_cross_entropy", "label_smoothing": 0.2, "positive_weight": 3.0},
    {"name": "focal", "gamma": 0.5, "alpha": 0.3},
    {"name": "focal", "gamma": 0.0},
    {"name": "huber", "delta": 0.3},
    {"name": "quantile", "quantile": 0.9},
)


@pytest.mark.parametrize("spec", [*LOSSES.names(), *VARIANTS], ids=str)
def test_contract(spec) -> None:
    assert [check for check in check_loss(lambda: LOSSES.build(spec)) if not check.passed] == []


def test_full_poisson_differs_by_a_constant() -> None:
    plain, full = LOSSES.build("poisson"), LOSSES.build({"name": "poisson", "full": True})
    prediction, target = np.array([[0.3], [-1.0]]), np.array([[4.0], [0.0]])
    for loss in (plain, full):
        loss.build(NUMBER, np.float64)
    difference = full.rows(prediction, target) - plain.rows(prediction, target)
    np.testing.assert_allclose(difference, [np.log(24), 0], atol=1e-14)
    np.testing.assert_array_equal(full.gradient(prediction, target), plain.gradient(prediction, target))


def test_every_task_has_a_loss() -> None:
    for task in ALL:
        assert any(LOSSES.build(name).check(task) is None for name in LOSSES.names())


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_loss_implies_what_its_target_is(name) -> None:
    of_classes = {
        "cross_entropy",
        "binary_cross_entropy",
        "focal",
        "hinge",
        "squared_hinge",
        "perceptron",
    }
    assert LOSSES.build(name).implied_task == ("classification" if name in of_classes else "regression")


def test_reasons_name_both_facts() -> None:
    assert LOSSES.build("cross_entropy").check(NUMBER) == "it fits classification, and the task is regression"
    assert LOSSES.build("poisson").check(THREE) == "it fits regression, and the task is classification"
    assert LOSSES.build("hinge").check(LABELS) == "it fits classification, and the task is multilabel"
    assert LOSSES.build("binary_cross_entropy").check(THREE) == (
        "binary_cross_entropy has one output for two classes, and the target has 3 classes"
    )
    assert LOSSES.build({"name": "focal", "alpha": 0.25}).check(THREE) == (
        "alpha weighs one of two classes, and the target has 3 classes (use class_weight)"
    )


def test_negative_counts_are_refused_with_the_value() -> None:
    loss = LOSSES.build("poisson")
    assert loss.check_target(np.array([[1.0], [-2.0]])) == "poisson needs counts of at least 0, and the target has -2"
    assert loss.check_target(np.array([[0.0], [2.5]])) is None
    assert not loss.allows_target_scaling


@pytest.mark.parametrize(
    ("name", "binary", "three"),
    [
        ("cross_entropy", 2, 3),
        ("focal", 1, 3),
        ("hinge", 1, 3),
        ("squared_hinge", 1, 3),
        ("perceptron", 1, 3),
        ("mse", 1, 3),
        ("mae", 1, 3),
        ("huber", 1, 3),
        ("log_cosh", 1, 3),
        ("binary_cross_entropy", 1, None),
    ],
)
def test_outputs_of_classes(name, binary, three) -> None:
    assert LOSSES.build(name).outputs(BINARY) == binary
    if three is not None:
        assert LOSSES.build(name).outputs(THREE) == three


def built(spec, task) -> Loss:
    loss = LOSSES.build(spec)
    loss.build(task, np.float64)
    return loss


def test_links() -> None:
    logit = np.array([[np.log(3.0)]])
    for name in ("binary_cross_entropy", "focal"):
        np.testing.assert_allclose(built(name, BINARY).link(logit), [[0.25, 0.75]], rtol=1e-15)
    np.testing.assert_allclose(built("binary_cross_entropy", LABELS).link(np.zeros((1, 3))), [[0.5] * 3])
    np.testing.assert_allclose(built("cross_entropy", THREE).link(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])
    for name in ("hinge", "squared_hinge", "perceptron"):
        np.testing.assert_array_equal(built(name, BINARY).link(np.array([[2.0]])), [[-2.0, 2.0]])
        np.testing.assert_array_equal(built(name, THREE).link(np.array([[2.0, 1.0, 0.0]])), [[2.0, 1.0, 0.0]])
        assert not LOSSES.build(name).gives_probabilities
    np.testing.assert_array_equal(built("mse", BINARY).link(np.array([[0.75]])), [[0.25, 0.75]])
    np.testing.assert_array_equal(built("mse", NUMBER).link(np.array([[0.75]])), [[0.75]])
    np.testing.assert_allclose(built("poisson", NUMBER).link(np.array([[np.log(7.0)]])), [[7.0]])


def test_zero_weights_learn_from_the_perceptron_loss() -> None:
    np.testing.assert_array_equal(built("perceptron", BINARY).gradient(np.zeros((2, 1)), np.array([0, 1])), [[1], [-1]])
    three = built("perceptron", THREE).gradient(np.zeros((2, 3)), np.array([0, 2]))
    np.testing.assert_array_equal(three, [[-1, 1, 0], [1, 0, -1]])


def test_losses_outlive_the_next_batch() -> None:
    loss = built("mse", NUMBER)
    first = loss.rows(np.array([[1.0]]), np.array([[0.0]]))
    loss.rows(np.array([[5.0]]), np.array([[0.0]]))
    assert first.tolist() == [1.0]


def test_rows_of_many_blocks_are_those_of_one_by_one() -> None:
    loss, rows = built("cross_entropy", THREE), 9001
    generator = np.random.Generator(np.random.PCG64(0))
    prediction, target = generator.standard_normal((rows, 3)), generator.integers(0, 3, rows)
    whole = loss.rows(prediction, target)
    single = [loss.rows(prediction[i : i + 1], target[i : i + 1])[0] for i in range(0, rows, 1000)]
    np.testing.assert_array_equal(whole[::1000], single)


def test_dtype_of_the_prediction_is_followed_without_building_again() -> None:
    loss = built("mse", NUMBER)
    single, double = np.ones((3, 1), np.float32), np.ones((3, 1))
    for prediction in (double, single, double):
        assert loss.value_and_grad(prediction, np.zeros((3, 1)))[1].dtype == prediction.dtype


@pytest.mark.parametrize("name", ["cross_entropy", "hinge", "focal", "mse"])
def test_a_loss_may_be_built_again_for_more_classes(name) -> None:
    loss, fresh = LOSSES.build(name), LOSSES.build(name)
    four = Task("classification", ("label",), ("a", "b", "c", "d"))
    target = np.array([2, 0, 1])
    loss.build(THREE, np.float64)
    loss.gradient(np.arange(9.0).reshape(3, 3), target)
    for built_loss in (loss, fresh):
        built_loss.build(four, np.float64)
    prediction = np.sin(np.arange(12.0)).reshape(3, 4)
    np.testing.assert_array_equal(loss.gradient(prediction, target), fresh.gradient(prediction, target))


@pytest.mark.parametrize("positive", [0, 1])
def test_positive_weight_follows_the_positive_class(positive) -> None:
    task = Task("classification", ("label",), ("no", "yes"), positive)
    weighted, plain = (
        built({"name": "binary_cross_entropy", "positive_weight": 5.0}, task),
        built("binary_cross_entropy", task),
    )
    prediction, target = np.array([[0.4], [0.4]]), np.array([0, 1])
    ratio = weighted.rows(prediction, target) / plain.rows(prediction, target)
    expected = np.ones(2)
    expected[positive] = 5
    np.testing.assert_allclose(ratio, expected, rtol=1e-15)


@pytest.mark.parametrize("positive", [0, 1])
def test_alpha_follows_the_positive_class(positive) -> None:
    task = Task("classification", ("label",), ("no", "yes"), positive)
    weighted, plain = built({"name": "focal", "alpha": 0.2}, task), built("focal", task)
    prediction, target = np.array([[0.4], [0.4]]), np.array([0, 1])
    ratio = weighted.rows(prediction, target) / plain.rows(prediction, target)
    expected = np.full(2, 0.8)
    expected[positive] = 0.2
    np.testing.assert_allclose(ratio, expected, rtol=1e-15)
