"""The loss: what it promises to the training step."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np

from nntrain.core.array import Array, largest_places
from nntrain.core.scratch import ScratchOwner
from nntrain.core.task import Task, TaskKind
from nntrain.registry import Registered, Registry

BLOCK = 4096
"""Rows whose losses are computed at a time where a whole data set's are asked for."""

SHORT = 4096
"""Up to this many numbers are summed by a product with ones, which takes a third of the time of ``np.add.reduce`` where
they are few; from 10,000 on OpenBLAS would split it over its threads, and the sum would depend on their number."""


class Loss(ScratchOwner):
    """Base of all losses.

    A loss takes the network's raw outputs (logits), never probabilities, so that the link function (sigmoid, softmax,
    exp) is fused with it and cannot overflow. Its arguments are never written; the gradient it returns belongs to it
    until its next call.

    Attributes:
        tasks: the kinds of task the loss fits.
        implied_task: the kind of task that naming this loss in a config sets, where ``data.task`` is ``auto``.
        gives_probabilities: whether :meth:`link` gives probabilities, which log loss and Brier score need.
        allows_target_scaling: whether a numeric target may be shifted and scaled before training.
        takes_output_activation: whether an ``output_activation`` may stand between network and loss.
        implied_activation: name of the link where the loss fuses one, such as ``softmax``.
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset()
    implied_task: ClassVar[TaskKind] = "regression"
    gives_probabilities: ClassVar[bool] = False
    allows_target_scaling: ClassVar[bool] = True
    takes_output_activation: ClassVar[bool] = False
    implied_activation: ClassVar[str | None] = None
    task: Task
    _ones: Array = np.ones(0)

    def check(self, task: Task) -> str | None:
        """Return why the loss does not fit the task, as a whole sentence naming both facts, or None where it does."""
        if task.kind in self.tasks:
            return None
        return f"it fits {' or '.join(sorted(self.tasks))}, and the task is {task.kind}"

    def check_target(self, target: Array) -> str | None:
        """Return what is wrong with the values of a target array (a negative count, say), or None."""
        return None

    def outputs(self, task: Task) -> int:
        """Return how many outputs the network must have for a task."""
        return task.width

    def build(self, task: Task, dtype: Any = np.float32) -> None:
        """Take the task, and the dtype of the predictions, before the first batch."""
        self.task = task
        self.adopt(np.dtype(dtype))

    def adopt(self, dtype: np.dtype[Any]) -> None:
        """Compute in this dtype from now on."""
        if dtype != self.dtype:
            self.release()
            self.dtype = dtype

    def rows(self, prediction: Array, target: Array) -> Array:
        """Return the loss of each row (B,) for logits (B, K) and a target as in :class:`~nntrain.core.task.Task`."""
        raise TypeError(f"{type(self).__name__} does not implement rows")

    def gradient(self, prediction: Array, target: Array) -> Array:
        """Return d l_b / d prediction_b for each row: (B, K), unweighted and not divided by the batch."""
        raise TypeError(f"{type(self).__name__} does not implement gradient")

    def rows_and_gradient(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        """Return :meth:`rows` and :meth:`gradient`, from one pass where the loss has one."""
        return self.rows(prediction, target), self.gradient(prediction, target)

    def value_and_grad(
        self, prediction: Array, target: Array, weight: Array | None = None, rows: int | None = None
    ) -> tuple[float, Array]:
        """Return sum_b w_b l_b, and the gradient of (1 / rows) sum_b w_b l_b with respect to the prediction.

        Args:
            prediction: logits (B, K).
            target: codes (B,) or values (B, D).
            weight: (B,) weights, or None for all ones.
            rows: what the gradient is divided by, where the batch is larger than this part of it; B by default.
        """
        share = 1.0 / max(len(prediction) if rows is None else rows, 1)
        if weight is None:
            factor = self.scratch("share", (), prediction.dtype)
            factor[()] = share
        else:
            factor = self.scratch("factor", weight.shape, prediction.dtype)
            np.multiply(weight, share, out=factor, casting="same_kind")
        losses, dy = self.scaled(prediction, target, factor)
        wide = self.scratch("wide", losses.shape, np.float64)
        if weight is None:
            wide[...] = losses
        else:
            np.multiply(losses, weight, wide)
        return self._sum(wide), dy

    def scaled(self, prediction: Array, target: Array, factor: Array) -> tuple[Array, Array]:
        """Return :meth:`rows`, and :meth:`gradient` times a factor () or (B,); both may be overwritten by the caller.

        A loss that multiplies by something for each row anyway saves a pass here.
        """
        losses, dy = self.rows_and_gradient(prediction, target)
        np.multiply(dy, factor[:, None] if factor.ndim else factor, dy)
        return losses, dy

    def _sum(self, values: Array) -> float:
        if values.size > SHORT:
            return float(np.add.reduce(values))
        if self._ones.size != values.size:
            self._ones = np.ones(values.size)
        return float(values.dot(self._ones)) + 0.0  # no -0.0

    def link(self, prediction: Array) -> Array:
        """Return what a logit stands for: a new array (B, K).

        For classification one column a class (two columns also where the network has one output for two classes):
        probabilities where ``gives_probabilities``, else scores whose largest is the predicted class. For regression
        the predicted values, in the units of the (scaled) target.
        """
        return prediction.copy()

    def decide(self, prediction: Array) -> Array:
        """Return the codes (B,) of the classes that logits stand for: those of the largest linked output.

        A loss whose link keeps the order of the logits need not compute it.
        """
        return largest_places(self.link(prediction))


class FusedLoss(Loss):
    """Base of the losses whose value and gradient share their intermediate results: one formula gives both."""

    def compute(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        """Return losses (B,) and gradient (B, K), both in the loss's own scratch memory."""
        raise TypeError(f"{type(self).__name__} does not implement compute")

    def rows_and_gradient(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        if prediction.dtype != self.dtype:
            self.adopt(prediction.dtype)
        return self.compute(prediction, target)

    def gradient(self, prediction: Array, target: Array) -> Array:
        return self.rows_and_gradient(prediction, target)[1]

    def rows(self, prediction: Array, target: Array) -> Array:
        # In blocks, so that the scratch memory of a whole data set's evaluation stays small; a new array, so that it
        # outlives the next batch.
        losses = np.empty(len(prediction), prediction.dtype)
        for start in range(0, len(prediction), BLOCK):
            part = slice(start, start + BLOCK)
            losses[part] = self.rows_and_gradient(prediction[part], target[part])[0]
        return losses


LOSSES: Registry[Loss] = Registry("loss", Loss, "nntrain.losses")

LossLike: TypeAlias = Annotated[str | dict[str, Any] | Loss, Registered("loss")]


def default_loss(task: Task) -> str:
    """Return the name of the loss that a task has where the config names none.

    >>> default_loss(Task("classification", ("y",), ("a", "b", "c")))
    'cross_entropy'
    """
    if task.kind == "regression":
        return "mse"
    return "binary_cross_entropy" if task.kind == "multilabel" or task.is_binary else "cross_entropy"
