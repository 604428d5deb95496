"""Losses of a margin: how far the score of the true class stands above that of its rivals."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Lt

from nntrain.core.array import Array
from nntrain.core.task import Task, TaskKind
from nntrain.losses.base import LOSSES
from nntrain.losses.encoding import CodedLoss, outputs_of_classes, positive_code
from nntrain.losses.links import both_classes, sigmoid, softmax


class MarginLoss(CodedLoss):
    """Base of the losses l = f(z) of a margin z.

    Two classes have one score y (B, 1) and z = y for the second class, -y for the first. More have a score each,
    y (B, K), and z is the true class's score less the largest of the others (Crammer and Singer 2001, section 3); of
    equal rivals the first is taken.
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})
    implied_task: ClassVar[TaskKind] = "classification"

    def outputs(self, task: Task) -> int:
        return outputs_of_classes(task)

    def values_and_slopes(self, margin: Array) -> tuple[Array, Array]:
        """Return f(z) and f'(z) of margins, of the same shape; the margins may be overwritten."""
        raise TypeError(f"{type(self).__name__} does not implement values_and_slopes")

    def compute(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        if target.ndim == 2 or prediction.shape[1] == 1:
            return self._of_signs(prediction, target)
        return self._of_classes(prediction, target)

    def _of_signs(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        shape, labels = prediction.shape, prediction.shape[1]
        sign = self.indicators(target, shape)
        np.multiply(sign, 2, out=sign)
        np.subtract(sign, 1, out=sign)
        margin = np.multiply(prediction, sign, out=self.scratch("margin", shape))
        values, slopes = self.values_and_slopes(margin)
        self.weigh(values, slopes, sign)
        dy = np.multiply(slopes, sign, out=self.scratch("dy", shape))
        if labels == 1:
            return values[:, 0], dy
        losses = np.add.reduce(values, axis=1, out=self.scratch("losses", shape[:1]))
        return np.divide(losses, labels, out=losses), np.divide(dy, labels, out=dy)

    def weigh(self, values: Array, slopes: Array, sign: Array) -> None:
        """Weigh values and slopes (B, D) in place, by a sign of 1 or -1."""

    def _of_classes(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        classes = prediction.shape[1]
        positions = self.positions(target, classes)
        others = self.scratch("others", prediction.shape)
        np.copyto(others, prediction)
        margin = self.taken("margin", others, positions)
        others.reshape(-1)[positions] = -np.inf
        share = self.subtract_rivals(margin, others)
        values, slopes = self.values_and_slopes(margin)
        dy = np.multiply(share, slopes[:, None], out=share)
        np.negative(dy, out=dy)
        dy.reshape(-1)[positions] = slopes
        return values, dy

    def subtract_rivals(self, margin: Array, others: Array) -> Array:
        """Subtract the rivals' strength from margins (B,) in place, and return its gradient (B, K).

        The rivals' scores are those of ``others`` (B, K), where the true class's is -inf.
        """
        rows, classes = others.shape
        first = others.argmax(axis=1, out=self.scratch("first", (rows,), np.intp))
        place = self.positions(first, classes, key="rival")
        np.subtract(margin, self.taken("strength", others, place), out=margin)
        share = self.scratch("dy", others.shape)
        share.fill(0)
        share.reshape(-1)[place] = 1
        return share

    def link(self, prediction: Array) -> Array:
        return np.concatenate((-prediction, prediction), axis=1) if prediction.shape[1] == 1 else prediction.copy()


@LOSSES.register("hinge")
class Hinge(MarginLoss):
    """Hinge loss: max(0, 1 - z), with slope 0 at z = 1: a linear support vector machine is this with an L2 penalty.

    Two classes: one score y, z = y or -y. More: z = y_t - max_{k != t} y_k (Crammer and Singer 2001, section 3).

    >>> loss = Hinge()
    >>> loss.build(Task("classification", ("y",), ("no", "yes"), 1), np.float64)
    >>> loss.value_and_grad(np.array([[0.25]]), np.array([1]))
    (0.75, array([[-1.]]))
    """

    def values_and_slopes(self, margin: Array) -> tuple[Array, Array]:
        shortfall = np.subtract(1, margin, out=margin)
        values = np.maximum(shortfall, 0, out=shortfall)
        slopes = np.sign(values, out=self.scratch("slopes", values.shape))
        return values, np.negative(slopes, out=slopes)


@LOSSES.register("squared_hinge")
class SquaredHinge(MarginLoss):
    """Squared hinge loss: max(0, 1 - z)^2, which is smooth and punishes large violations more than ``hinge``.

    Two classes: one score y, z = y or -y. More: z = y_t - max_{k != t} y_k.

    >>> loss = SquaredHinge()
    >>> loss.build(Task("classification", ("y",), ("no", "yes"), 1), np.float64)
    >>> loss.value_and_grad(np.array([[0.5]]), np.array([1]))
    (0.25, array([[-1.]]))
    """

    def values_and_slopes(self, margin: Array) -> tuple[Array, Array]:
        shortfall = np.subtract(1, margin, out=margin)
        np.maximum(shortfall, 0, out=shortfall)
        slopes = np.multiply(shortfall, -2, out=self.scratch("slopes", shortfall.shape))
        return np.multiply(shortfall, shortfall, out=shortfall), slopes


@LOSSES.register("perceptron")
class PerceptronLoss(MarginLoss):
    """Rosenblatt's perceptron criterion: max(0, -z); with ``batch_size: 1`` its gradient step is the perceptron rule.

    Two classes: one score y, z = y or -y. More: z = y_t - max_{k != t} y_k, which moves the true class up and the
    strongest rival down. At z = 0 the subgradient is that of a mistake, -1, so that weights that start at zero learn
    (Rosenblatt 1958; Duda, Hart and Stork 2001, section 5.5).

    >>> loss = PerceptronLoss()
    >>> loss.build(Task("classification", ("y",), ("no", "yes"), 1), np.float64)
    >>> loss.value_and_grad(np.array([[0.0]]), np.array([1]))
    (0.0, array([[-1.]]))
    """

    def values_and_slopes(self, margin: Array) -> tuple[Array, Array]:
        slopes = self.scratch("slopes", margin.shape)
        np.less_equal(margin, 0, out=slopes, casting="unsafe")
        np.negative(slopes, out=slopes)
        return np.multiply(margin, slopes, out=margin), slopes


@LOSSES.register("focal")
class Focal(MarginLoss):
    """Focal loss: -alpha_t (1 - p_t)^gamma log p_t, p_t the probability of the truth (Lin et al. 2017, equation 5).

    Rows that are right already count less the larger gamma is; gamma 0 is cross-entropy. Two classes have one logit,
    p = sigmoid(y); more have a logit each, p = softmax(y); D labels have one each, and the loss is their mean. All are
    the same formula of a margin, as p_t = sigmoid(z) with z = y_t - log sum_{k != t} exp(y_k).

    Args:
        gamma: how fast rows that are right lose their say, at least 0.
        alpha: weight of the positive class (or of a label that is 1), and 1 - alpha that of the other; none by default.

    >>> loss = Focal(gamma=0.0)
    >>> loss.build(Task("classification", ("y",), ("no", "yes"), 1), np.float64)
    >>> loss.value_and_grad(np.array([[0.0]]), np.array([1]))
    (0.6931471805599453, array([[-0.5]]))
    """

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multilabel"})
    gives_probabilities = True

    def __init__(
        self, gamma: Annotated[float, Ge(0)] = 2.0, alpha: Annotated[float, Gt(0), Lt(1)] | None = None
    ) -> None:
        self.gamma = gamma
        self.alpha = alpha

    def check(self, task: Task) -> str | None:
        reason = super().check(task)
        if reason is None and self.alpha is not None and task.is_classification and not task.is_binary:
            return f"alpha weighs one of two classes, and the target has {len(task.classes)} classes (use class_weight)"
        return reason

    def values_and_slopes(self, margin: Array) -> tuple[Array, Array]:
        # With s = -log p and q = 1 - p = sigmoid(-z): f = q^gamma s and f' = -q^gamma (gamma p s + q).
        shape = margin.shape
        surprise = np.absolute(margin, out=self.scratch("surprise", shape))
        np.negative(surprise, out=surprise)
        np.exp(surprise, out=surprise)
        np.log1p(surprise, out=surprise)
        doubt = np.maximum(margin, 0, out=self.scratch("doubt", shape))
        np.add(doubt, surprise, out=doubt)
        np.subtract(surprise, np.minimum(margin, 0, out=margin), out=surprise)
        focus = np.exp(np.multiply(doubt, -self.gamma, out=margin), out=margin)
        np.exp(np.negative(doubt, out=doubt), out=doubt)
        slopes = np.subtract(1, doubt, out=self.scratch("slopes", shape))
        np.multiply(slopes, surprise, out=slopes)
        np.multiply(slopes, self.gamma, out=slopes)
        np.add(slopes, doubt, out=slopes)
        np.multiply(slopes, focus, out=slopes)
        return np.multiply(surprise, focus, out=surprise), np.negative(slopes, out=slopes)

    def weigh(self, values: Array, slopes: Array, sign: Array) -> None:
        if self.alpha is None:
            return
        positive = self.alpha if positive_code(self.task) else 1 - self.alpha
        weight = np.multiply(sign, positive - 0.5, out=self.scratch("weight", sign.shape))
        np.add(weight, 0.5, out=weight)
        np.multiply(values, weight, out=values)
        np.multiply(slopes, weight, out=slopes)

    def subtract_rivals(self, margin: Array, others: Array) -> Array:
        # Class by class, so that whole vectors of rows are worked on at a time.
        rivals = self.scratch("rivals", others.shape[::-1])
        rivals.T[...] = others
        strength = np.maximum.reduce(rivals, 0, out=self.scratch("strength", others.shape[:1]))
        np.subtract(rivals, strength, rivals)
        # The largest first, the small rest after it: their sum would round the rest away.
        np.subtract(margin, strength, margin)
        np.exp(rivals, rivals)
        total = np.add.reduce(rivals, 0, out=strength)
        share = self.scratch("dy", others.shape)
        np.divide(rivals, total, share.T)
        np.subtract(margin, np.log(total, total), margin)
        return share

    def link(self, prediction: Array) -> Array:
        if not self.task.is_classification:
            return sigmoid(prediction)
        return both_classes(prediction) if prediction.shape[1] == 1 else softmax(prediction)
