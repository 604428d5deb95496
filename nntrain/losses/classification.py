"""Cross-entropy: the negative log likelihood of classes and of labels, from logits."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Lt

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.losses.base import LOSSES
from nntrain.losses.encoding import CodedLoss, only_two_classes, outputs_of_classes, positive_code
from nntrain.losses.links import both_classes, sigmoid, softmax


@LOSSES.register("cross_entropy")
class CrossEntropy(CodedLoss):
    """Softmax cross-entropy: l_b = -sum_k q_bk log p_bk with p = softmax(y), y (B, K), and dl_b/dy_bk = p_bk - q_bk.

    q is the one-hot code of the class, or with smoothing (1 - label_smoothing) one-hot + label_smoothing / K
    (Szegedy et al. 2016, section 7). Two classes have two outputs here, one with ``binary_cross_entropy``.

    Args:
        label_smoothing: share of the target that is spread evenly over all classes, at least 0 and below 1.

    >>> loss = CrossEntropy()
    >>> loss.build(Task("classification", ("y",), ("a", "b")), np.float64)
    >>> loss.value_and_grad(np.array([[0.0, 0.0]]), np.array([1]))
    (0.6931471805599453, array([[ 0.5, -0.5]]))
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})
    implied_task: ClassVar[TaskKind] = "classification"
    gives_probabilities = True
    implied_activation = "softmax"

    def __init__(self, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def compute(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        rows, classes = prediction.shape
        # Class-major: a reduction over a few classes runs along whole vectors of rows, several times faster.
        y = self.scratch("y", (classes, rows))
        np.copyto(y, prediction.T)
        largest = np.maximum.reduce(y, axis=0, out=self.scratch("largest", (rows,)))
        np.subtract(y, largest, out=y)
        positions = self.positions(target, classes)
        chosen = self.taken("chosen", prediction, positions)
        np.subtract(chosen, largest, out=chosen)
        if self.label_smoothing:
            self._smooth(y, chosen)
        np.exp(y, out=y)
        total = np.add.reduce(y, axis=0, out=largest)
        dy = self.scratch("dy", (rows, classes))
        np.divide(y, total, out=dy.T)
        losses = np.log(total, out=self.scratch("losses", (rows,)))
        np.subtract(losses, chosen, out=losses)
        self._subtract_target(dy, positions)
        return losses, dy

    def _smooth(self, y: Array, chosen: Array) -> None:
        """Turn the true class's logit (B,) into sum_k q_bk y_bk, of logits (K, B)."""
        even = np.add.reduce(y, axis=0, out=self.scratch("even", chosen.shape))
        np.multiply(even, self.label_smoothing / len(y), out=even)
        np.multiply(chosen, 1 - self.label_smoothing, out=chosen)
        np.add(chosen, even, out=chosen)

    def _subtract_target(self, dy: Array, positions: Array) -> None:
        """Turn p (B, K) into p - q."""
        if self.label_smoothing:
            np.subtract(dy, self.label_smoothing / dy.shape[1], out=dy)
        share = self.taken("chosen", dy, positions)
        dy.reshape(-1)[positions] = np.subtract(share, 1 - self.label_smoothing, out=share)

    def link(self, prediction: Array) -> Array:
        return softmax(prediction)


@LOSSES.register("binary_cross_entropy")
class BinaryCrossEntropy(CodedLoss):
    """Sigmoid cross-entropy of two classes, y (B, 1), or of D labels, y (B, D).

    l_b = -(1/D) sum_d positive_weight q_bd log p_bd + (1 - q_bd) log(1 - p_bd) with p = sigmoid(y), the probability of
    the second class (or of the label), q = 1 where that is the truth, else 0; with smoothing q is
    (1 - label_smoothing) q + label_smoothing / 2.

    Args:
        label_smoothing: share of the target that is spread evenly over yes and no, at least 0 and below 1.
        positive_weight: factor of the loss of the positive class (or of a label that is 1), above 0.

    >>> loss = BinaryCrossEntropy()
    >>> loss.build(Task("classification", ("y",), ("no", "yes"), 1), np.float64)
    >>> loss.value_and_grad(np.array([[0.0]]), np.array([1]))
    (0.6931471805599453, array([[-0.5]]))
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multilabel"})
    implied_task: ClassVar[TaskKind] = "classification"
    gives_probabilities = True
    implied_activation = "sigmoid"

    def __init__(
        self,
        label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
        positive_weight: Annotated[float, Gt(0)] = 1.0,
    ) -> None:
        self.label_smoothing = label_smoothing
        self.positive_weight = positive_weight

    def check(self, task: Task) -> str | None:
        return super().check(task) or only_two_classes("binary_cross_entropy", task)

    def outputs(self, task: Task) -> int:
        return outputs_of_classes(task)

    def compute(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        shape, labels = prediction.shape, prediction.shape[1]
        yes, no = self._shares(target, shape)
        surprise_yes, surprise_no = self._surprises(prediction)
        dy = self._slopes(surprise_yes, surprise_no, yes, no)
        np.multiply(surprise_yes, yes, out=surprise_yes)
        np.multiply(surprise_no, no, out=surprise_no)
        values = np.add(surprise_yes, surprise_no, out=surprise_yes)
        if labels == 1:
            return values[:, 0], dy
        losses = np.add.reduce(values, axis=1, out=self.scratch("losses", shape[:1]))
        return np.divide(losses, labels, out=losses), np.divide(dy, labels, out=dy)

    def _shares(self, target: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Return the weights (B, D) of -log p and of -log(1 - p)."""
        yes = self.indicators(target, shape)
        if self.label_smoothing:
            np.multiply(yes, 1 - self.label_smoothing, out=yes)
            np.add(yes, self.label_smoothing / 2, out=yes)
        no = np.subtract(1, yes, out=self.scratch("no", shape))
        if self.positive_weight != 1:
            positive = yes if positive_code(self.task) else no
            np.multiply(positive, self.positive_weight, out=positive)
        return yes, no

    def _surprises(self, prediction: Array) -> tuple[Array, Array]:
        """Return -log p and -log(1 - p) (B, D): log(1 + exp(-|y|)) + max(-y, 0) and + max(y, 0), so nothing cancels."""
        shape = prediction.shape
        surprise_yes, surprise_no = self.scratch("surprise_yes", shape), self.scratch("surprise_no", shape)
        np.absolute(prediction, out=surprise_yes)
        np.negative(surprise_yes, out=surprise_yes)
        np.exp(surprise_yes, out=surprise_yes)
        np.log1p(surprise_yes, out=surprise_yes)
        linear = np.maximum(prediction, 0, out=self.scratch("linear", shape))
        np.add(surprise_yes, linear, out=surprise_no)
        np.minimum(prediction, 0, out=linear)
        return np.subtract(surprise_yes, linear, out=surprise_yes), surprise_no

    def _slopes(self, surprise_yes: Array, surprise_no: Array, yes: Array, no: Array) -> Array:
        """Return no p - yes (1 - p), both factors from their logarithms and so accurate in their tails."""
        dy, other = self.scratch("dy", yes.shape), self.scratch("linear", yes.shape)
        np.negative(surprise_yes, out=dy)
        np.exp(dy, out=dy)
        np.multiply(dy, no, out=dy)
        np.negative(surprise_no, out=other)
        np.exp(other, out=other)
        np.multiply(other, yes, out=other)
        return np.subtract(dy, other, out=dy)

    def link(self, prediction: Array) -> Array:
        return both_classes(prediction) if self.task.is_classification else sigmoid(prediction)
