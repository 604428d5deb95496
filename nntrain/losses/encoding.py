"""Classes as numbers: how a target of codes meets a network's outputs."""

from __future__ import annotations

from typing import ClassVar

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
        return np.add(starts[:rows], codes, self.scratch(key, (rows,), np.int64))

    def taken(self, key: str, array: Array, positions: Array) -> Array:
        """Return the elements (B,) of a contiguous array at flat positions, in the scratch memory of this key."""
        # With mode raise, take would write to a copy first.
        return array.reshape(-1).take(positions, None, self.scratch(key, positions.shape), "clip")

    def indicators(self, target: Array, shape: Shape) -> Array:
        """Return a target as zeros and ones (B, D).

        Labels (B, D) are copied; codes (B,) become the code itself where there is one column, else one-hot rows.
        """
        indicators = self.scratch("indicators", shape)
        if target.ndim == 2:
            indicators[...] = target
        elif shape[1] == 1:
            indicators[:, 0] = target
        else:
            indicators.fill(0)
            indicators.reshape(-1)[self.positions(target, shape[1])] = 1
        return indicators


class AveragedLoss(CodedLoss):
    """Base of the losses that are a mean over outputs: l_b = (1/D) sum_d f(y_bd, t_bd).

    Attributes:
        steepness: what the slopes of :meth:`elements` are still to be multiplied by, to save them a pass.
    """

    steepness: ClassVar[float] = 1.0
    _shares: Array = np.empty(0)

    def elements(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        """Return f and its slope divided by :attr:`steepness`, (B, D) each, both in the loss's own scratch memory."""
        raise TypeError(f"{type(self).__name__} does not implement elements")

    def compute(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        outputs = prediction.shape[1]
        values, slopes = self.elements(prediction, target)
        if outputs > 1 or self.steepness != 1:
            np.multiply(slopes, self.number(self.steepness / outputs), slopes)
        if outputs == 1:
            return values[:, 0], slopes
        losses = np.add.reduce(values, axis=1, out=self.scratch("losses", (len(values),)))
        return np.divide(losses, outputs, out=losses), slopes

    def scaled(self, prediction: Array, target: Array, factor: Array) -> tuple[Array, Array]:
        self.adopt(prediction.dtype)
        outputs = prediction.shape[1]
        values, slopes = self.elements(prediction, target)
        if outputs > 1 or self.steepness != 1:
            share = self.number(self.steepness / outputs)
            factor = np.multiply(factor, share, self.scratch("factor_of_output", factor.shape))
        np.multiply(slopes, factor[:, None] if factor.ndim else factor, slopes)
        if outputs == 1:
            return values[:, 0], slopes
        # A product takes half the time of np.add.reduce over short rows.
        return values.dot(self._share_each(outputs), self.scratch("losses", (len(values),))), slopes

    def _share_each(self, outputs: int) -> Array:
        if len(self._shares) != outputs or self._shares.dtype != self.dtype:
            self._shares = np.full(outputs, 1.0 / outputs, self.dtype)
        return self._shares


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
