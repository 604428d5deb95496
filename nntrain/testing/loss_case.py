"""What a loss is checked with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.core.task import Task
from nntrain.losses.base import Loss
from nntrain.testing.suite import require

LossFactory = Callable[[], Loss]

TASKS = (
    Task("classification", ("label",), ("a", "b"), 1),
    Task("classification", ("label",), ("a", "b", "c", "d")),
    Task("regression", ("y",)),
    Task("regression", ("y1", "y2", "y3")),
    Task("multilabel", ("y1", "y2", "y3")),
)
"""One task of each kind that losses tell apart."""


@dataclass(frozen=True)
class LossCase:
    """What a loss is checked with."""

    factory: LossFactory
    seed: int = 0

    def each(self, dtype: Any = np.float64) -> Iterator[BoundLoss]:
        """Yield a fresh loss for each task it fits.

        Raises:
            AssertionError: it fits none.
        """
        bound = [BoundLoss(self.factory(), task, dtype, self.seed) for task in TASKS]
        fitting = [each for each in bound if each.loss.check(each.task) is None]
        require(fitting, "check() refuses every task, so there is nothing the loss could be used for")
        for each in fitting:
            each.loss.build(each.task, dtype)
            yield each


class BoundLoss:
    """A loss with a task, and batches for it."""

    def __init__(self, loss: Loss, task: Task, dtype: Any, seed: int) -> None:
        self.loss, self.task, self.dtype, self.seed = loss, task, dtype, seed

    @property
    def place(self) -> str:
        """The task, as it is named in findings."""
        return f"{self.task.kind} with {self.task.width} {'classes' if self.task.classes else 'targets'}"

    def prediction(self, rows: int, number: int = 0) -> Array:
        """Return logits (rows, K)."""
        generator = stream(self.seed, "check-predictions", number)
        return generator.standard_normal((rows, self.loss.outputs(self.task))).astype(self.dtype, copy=False)

    def target(self, rows: int, number: int = 0) -> Array:
        """Return targets the loss accepts."""
        generator = stream(self.seed, "check-targets", number)
        if self.task.is_classification:
            return np.asarray(generator.integers(0, self.task.width, rows))
        shape = (rows, self.task.width)
        binary = generator.integers(0, 2, shape)
        candidates = (generator.standard_normal(shape), generator.integers(0, 9, shape), generator.random(shape) + 0.1)
        for candidate in (binary,) if self.task.kind == "multilabel" else (*candidates, binary):
            target = candidate.astype(self.dtype)
            if self.loss.check_target(target) is None:
                return np.asarray(target)
        raise AssertionError("check_target() refuses normal, count, positive and 0/1 targets alike")

    def weight(self, rows: int) -> Array:
        """Return row weights, one of them 0."""
        weight = stream(self.seed, "check-weights").random(rows).astype(self.dtype) + self.dtype(0.5)
        weight[:1] = 0
        return np.asarray(weight)
