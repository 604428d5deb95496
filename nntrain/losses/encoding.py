"""Classes as numbers: how a target of codes meets a network's outputs."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.task import Task
from nntrain.losses.base import FusedLoss


class CodedLoss(FusedLoss):
    """Base of the losses that take class codes."""

    _starts: Array = np.arange(0)
    _columns: int = 0

    def positions(self, codes: Array, columns: int, key: str = "positions") -> Array:
        """Return where (b, code_b) lies in a flattened array of so many columns: (B,), kept under this key."""
        rows = len(codes)
        starts = self._starts
        if len(starts) < rows or self._columns != columns:
            starts = self._starts = np.arange(0, rows * columns, columns)
            self._columns = columns
        return np.add(starts[:rows], codes, out=self.scratch(key, (rows,), np.int64))

    def taken(self, key: str, array: Array, positions: Array) -> Array:
        """Return the elements (B,) of a contiguous array at flat positions, in the scratch memory of this key."""
        # With mode raise, take would write to a copy first.
        return array.reshape(-1).take(positions, out=self.scratch(key, positions.shape), mode="clip")

    def indicators(self, target: Array, shape: Shape) -> Array:
        """Return a target as zeros and ones (B, D).

        Labels (B, D) are copied; codes (B,) become the code itself where there is one column, else one-hot rows.
        """
        indicators = self.scratch("indicators", shape)
        if target.ndim == 2:
            np.copyto(indicators, target, casting="same_kind")
        elif shape[1] == 1:
            np.copyto(indicators[:, 0], target, casting="unsafe")
        else:
            indicators.fill(0)
            indicators.reshape(-1)[self.positions(target, shape[1])] = 1
        return indicators


def outputs_of_classes(task: Task) -> int:
    """Return one output for two classes, else one a class or label."""
    return 1 if task.is_binary else task.width


def only_two_classes(name: str, task: Task) -> str | None:
    """Return why a loss with one output does not fit the classes of a task, or None where it does."""
    if task.kind != "classification" or len(task.classes) == 2:
        return None
    return f"{name} has one output for two classes, and the target has {len(task.classes)} classes"


def positive_code(task: Task) -> int:
    """Return the code of the class that is positive: the task's own, or the second.

    >>> positive_code(Task("classification", ("y",), ("no", "yes"), positive=0))
    0
    """
    return 1 if task.positive is None else task.positive
