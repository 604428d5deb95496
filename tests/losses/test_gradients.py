"""Every gradient, weighted and not, equals finite differences along random directions, away from the kinks."""

from __future__ import annotations

import numpy as np
import pytest

from nntrain.core.rng import stream
from nntrain.core.task import Task
from nntrain.losses.base import LOSSES

TASKS = (
    Task("classification", ("label",), ("a", "b"), 1),
    Task("classification", ("label",), ("a", "b"), 0),
    Task("classification", ("label",), ("a", "b", "c", "d", "e")),
    Task("regression", ("y",)),
    Task("regression", ("y1", "y2", "y3")),
    Task("multilabel", ("y1", "y2", "y3")),
)
SPECS = (
    *LOSSES.names(),
    {"name": "cross_entropy", "label_smoothing": 0.15},
    {"name": "binary_cross_entropy", "label_smoothing": 0.15},
    {"name": "binary_cross_entropy", "positive_weight": 4.0, "label_smoothing": 0.3},
    {"name": "focal", "gamma": 0.0},
    {"name": "focal", "gamma": 0.5},
    {"name": "focal", "gamma": 5.0, "alpha": 0.9},
    {"name": "huber", "delta": 0.2},
    {"name": "quantile", "quantile": 0.05},
    {"name": "poisson", "full": True},
)
CASES = [
    pytest.param(spec, task, id=f"{spec}-{task.kind}-{task.width}-{task.positive}")
    for spec in SPECS
    for task in TASKS
    if LOSSES.build(spec).check(task) is None
]
ROWS = 9
STEP = 1e-5


@pytest.mark.parametrize(("spec", "task"), CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient(spec, task, weighted) -> None:
    loss = LOSSES.build(spec)
    loss.build(task, np.float64)
    generator = stream(7, "loss-gradients")
    for scale in (0.3, 3.0):
        prediction = scale * generator.standard_normal((ROWS, loss.outputs(task)))
        target = target_of(task, loss, generator)
        weight = generator.random(ROWS) + 0.1 if weighted else None
        dy = loss.value_and_grad(prediction, target, weight)[1].copy()
        for _ in range(3):
            direction = generator.standard_normal(prediction.shape)
            assert not near_a_kink(loss, prediction, direction, target)
            ahead, behind = (
                loss.value_and_grad(prediction + sign * STEP * direction, target, weight)[0] for sign in (1, -1)
            )
            numeric, analytic = (ahead - behind) / (2 * STEP * ROWS), float(np.sum(dy * direction))
            assert abs(numeric - analytic) <= 1e-6 * max(abs(numeric), abs(analytic), 1e-3)


def target_of(task, loss, generator) -> np.ndarray:
    if task.is_classification:
        return generator.integers(0, task.width, ROWS)
    if task.kind == "multilabel":
        return generator.integers(0, 2, (ROWS, task.width)).astype(np.float64)
    values = generator.standard_normal((ROWS, task.width))
    return values if loss.check_target(values) is None else generator.integers(0, 6, values.shape).astype(np.float64)


def near_a_kink(loss, prediction, direction, target) -> bool:
    """Whether the slope jumps between the two points of the difference quotient."""
    ahead, behind = (loss.gradient(prediction + sign * STEP * direction, target).copy() for sign in (1, -1))
    return bool(np.abs(ahead - behind).max() > 0.01)
