"""Values and gradients equal PyTorch's in float64, to 1e-10."""

from __future__ import annotations

import numpy as np
import pytest

from nntrain.core.rng import stream
from nntrain.core.task import Task
from nntrain.losses.base import LOSSES

torch = pytest.importorskip("torch")
F = torch.nn.functional

BINARY = Task("classification", ("label",), ("a", "b"), 1)
FIVE = Task("classification", ("label",), tuple("abcde"))
NUMBERS = Task("regression", ("y1", "y2", "y3"))
NUMBER = Task("regression", ("y",))
LABELS = Task("multilabel", ("y1", "y2", "y3", "y4"))
ROWS = 17


def one_hot(t, width):
    return F.one_hot(t.long(), width).double() if width > 1 else t.double()[:, None]


def crammer_singer_margin(y, t):
    if y.shape[1] == 1:
        return (2 * t - 1) * y[:, 0]
    own = y.gather(1, t[:, None])[:, 0]
    return own - y.masked_fill(one_hot(t, y.shape[1]).bool(), -torch.inf).max(dim=1).values


def focal(y, t, gamma, alpha=None):
    if t.ndim == 2 or y.shape[1] == 1:
        t = t if t.ndim == 2 else t.double()[:, None]
        p = torch.sigmoid(y)
        truth = t * p + (1 - t) * (1 - p)
        weight = 1.0 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
        cross = F.binary_cross_entropy_with_logits(y, t, reduction="none")
        return (weight * (1 - truth) ** gamma * cross).mean(dim=1)
    cross = F.cross_entropy(y, t, reduction="none")
    return (1 - torch.exp(-cross)) ** gamma * cross


def of_labels(y, t):
    return t if t.ndim == 2 else t.double()[:, None]


# Each reference returns the loss of each row.
REFERENCES = [
    ("mse", NUMBERS, lambda y, t: F.mse_loss(y, t, reduction="none").mean(1)),
    ("mse", FIVE, lambda y, t: F.mse_loss(y, one_hot(t, 5), reduction="none").mean(1)),
    ("mse", BINARY, lambda y, t: F.mse_loss(y, one_hot(t, 1), reduction="none").mean(1)),
    ("mse", LABELS, lambda y, t: F.mse_loss(y, t, reduction="none").mean(1)),
    ("mae", NUMBERS, lambda y, t: F.l1_loss(y, t, reduction="none").mean(1)),
    ("huber", NUMBERS, lambda y, t: F.huber_loss(y, t, reduction="none").mean(1)),
    ({"name": "huber", "delta": 0.3}, NUMBER, lambda y, t: F.huber_loss(y, t, reduction="none", delta=0.3).mean(1)),
    ("log_cosh", NUMBERS, lambda y, t: torch.log(torch.cosh(y - t)).mean(1)),
    (
        {"name": "quantile", "quantile": 0.8},
        NUMBERS,
        lambda y, t: torch.maximum(0.8 * (t - y), -0.2 * (t - y)).mean(1),
    ),
    ("poisson", NUMBERS, lambda y, t: F.poisson_nll_loss(y, t, reduction="none").mean(1)),
    (
        {"name": "poisson", "full": True},
        NUMBERS,
        lambda y, t: (F.poisson_nll_loss(y, t, reduction="none") + torch.lgamma(t + 1)).mean(1),
    ),
    ("cross_entropy", FIVE, lambda y, t: F.cross_entropy(y, t, reduction="none")),
    ("cross_entropy", BINARY, lambda y, t: F.cross_entropy(y, t, reduction="none")),
    (
        {"name": "cross_entropy", "label_smoothing": 0.2},
        FIVE,
        lambda y, t: F.cross_entropy(y, t, reduction="none", label_smoothing=0.2),
    ),
    (
        "binary_cross_entropy",
        BINARY,
        lambda y, t: F.binary_cross_entropy_with_logits(y, of_labels(y, t), reduction="none").mean(1),
    ),
    (
        {"name": "binary_cross_entropy", "positive_weight": 3.0},
        LABELS,
        lambda y, t: F.binary_cross_entropy_with_logits(
            y, t, reduction="none", pos_weight=torch.tensor(3.0, dtype=torch.float64)
        ).mean(1),
    ),
    (
        {"name": "binary_cross_entropy", "label_smoothing": 0.1},
        BINARY,
        lambda y, t: F.binary_cross_entropy_with_logits(y, 0.9 * of_labels(y, t) + 0.05, reduction="none").mean(1),
    ),
    ("focal", BINARY, lambda y, t: focal(y, t, 2.0)),
    ("focal", FIVE, lambda y, t: focal(y, t, 2.0)),
    ({"name": "focal", "gamma": 1.5, "alpha": 0.25}, LABELS, lambda y, t: focal(y, t, 1.5, 0.25)),
    ({"name": "focal", "gamma": 0.7, "alpha": 0.25}, BINARY, lambda y, t: focal(y, t, 0.7, 0.25)),
    ({"name": "focal", "gamma": 0.0}, FIVE, lambda y, t: F.cross_entropy(y, t, reduction="none")),
    ("hinge", BINARY, lambda y, t: F.relu(1 - crammer_singer_margin(y, t))),
    ("hinge", FIVE, lambda y, t: F.relu(1 - crammer_singer_margin(y, t))),
    ("squared_hinge", BINARY, lambda y, t: F.relu(1 - crammer_singer_margin(y, t)) ** 2),
    ("squared_hinge", FIVE, lambda y, t: F.relu(1 - crammer_singer_margin(y, t)) ** 2),
    ("perceptron", BINARY, lambda y, t: F.relu(-crammer_singer_margin(y, t))),
    ("perceptron", FIVE, lambda y, t: F.relu(-crammer_singer_margin(y, t))),
]


def batch(loss, task):
    generator = stream(3, "torch")
    prediction = 2 * generator.standard_normal((ROWS, loss.outputs(task)))
    if task.is_classification:
        return prediction, generator.integers(0, task.width, ROWS)
    if task.kind == "multilabel" or not loss.allows_target_scaling:
        return prediction, generator.integers(0, 2 if task.kind == "multilabel" else 9, prediction.shape).astype(float)
    return prediction, generator.standard_normal(prediction.shape)


@pytest.mark.parametrize(
    ("spec", "task", "reference"), REFERENCES, ids=[f"{spec}-{task.kind}-{task.width}" for spec, task, _ in REFERENCES]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradient(spec, task, reference, weighted) -> None:
    loss = LOSSES.build(spec)
    loss.build(task, np.float64)
    prediction, target = batch(loss, task)
    weight = stream(4, "torch").random(ROWS) if weighted else None
    y = torch.tensor(prediction, requires_grad=True)
    rows = reference(y, torch.tensor(target))
    total = rows.sum() if weight is None else (rows * torch.tensor(weight)).sum()
    (total / ROWS).backward()
    np.testing.assert_allclose(loss.rows(prediction, target), rows.detach().numpy(), rtol=1e-10, atol=1e-10)
    value, dy = loss.value_and_grad(prediction, target, weight)
    np.testing.assert_allclose(value, float(total.detach()), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dy, y.grad.numpy(), rtol=1e-10, atol=1e-10)


def test_every_loss_has_a_reference() -> None:
    named = {spec if isinstance(spec, str) else spec["name"] for spec, _, _ in REFERENCES}
    assert named == set(LOSSES.names())
