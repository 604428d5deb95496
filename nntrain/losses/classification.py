"""Cross-entropy: the negative log likelihood of classes and of labels, from logits."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Lt

from nntrain.core.array import Array, Shape, largest_places
from nntrain.core.task import Task, TaskKind
from nntrain.losses.base import LOSSES, FusedLoss
from nntrain.losses.encoding import AveragedLoss, CodedLoss, only_two_classes, outputs_of_classes, positive_code
from nntrain.losses.links import both_classes, sigmoid, softmax

MANY_CLASSES = 64
"""From so many classes on the logits of a row are worked on as they lie. Fewer lie class by class meanwhile, so that
whole vectors of rows are worked on at a time: 128 rows of 10 classes take 8 us so and 13 us as they lie, 128 rows of
1000 classes 193 us and 107 us."""


class Space:
    """Memory for a batch of one shape, and the views of it that a pass needs; made anew for every other shape."""

    def __init__(self, owner: FusedLoss, shape: Shape) -> None:
        rows, classes = self.shape = shape
        self.by_class = classes < MANY_CLASSES
        self.dy = owner.scratch("dy", shape)
        self.flat_dy = self.dy.reshape(-1)
        self.y = owner.scratch("y", (classes, rows)) if self.by_class else self.dy
        #: the logits, and the gradient, with the axes in the order (B, K) and in that of y
        self.y_by_row, self.dy_like_y = (self.y.T, self.dy.T) if self.by_class else (self.y, self.dy)
        self.axis = 0 if self.by_class else 1
        self.largest, self.chosen = owner.scratch("largest", (rows,)), owner.scratch("chosen", (rows,))
        self.share = owner.scratch("share_of_row", (rows,))
        self.starts = np.arange(0, rows * classes, classes)
        self.positions = owner.scratch("positions", (rows,), np.int64)
        self.ones = np.ones(classes, owner.dtype)

    def __deepcopy__(self, memo: object) -> None:
        """Return nothing: views of one memory would be copied apart, and the copied loss makes its own."""

    def for_each_row(self, values: Array) -> Array:
        """Return values () or (B,) so that they go with :attr:`y`."""
        return values if self.by_class or not values.ndim else values[:, None]

    def add_up(self, out: Array, alike: bool) -> Array:
        """Return the sums over the classes (B,); alike: not dependent on where in the batch a row stands."""
        if alike:
            return np.add.reduce(self.y, self.axis, out=out)
        return self.ones.dot(self.y, out) if self.by_class else self.y.dot(self.ones, out)


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

    _space: Space | None = None

    def __init__(self, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def compute(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        return self._compute(prediction, target, self.number(1.0), alike=True)

    def scaled(self, prediction: Array, target: Array, factor: Array) -> tuple[Array, Array]:
        self.adopt(prediction.dtype)
        return self._compute(prediction, target, factor, alike=False)

    def _compute(self, prediction: Array, target: Array, factor: Array, alike: bool) -> tuple[Array, Array]:
        """Return losses (B,), and the gradient (B, K) times a factor () or (B,)."""
        space = self._space
        if space is None or space.shape != prediction.shape:
            space = self._space = Space(self, prediction.shape)
        y, largest, chosen, share = space.y, space.largest, space.chosen, space.share
        if space.by_class:
            space.y_by_row[...] = prediction
            np.maximum.reduce(y, 0, out=largest)
            np.subtract(y, largest, y)
        else:
            np.maximum.reduce(prediction, 1, out=largest)
            np.subtract(prediction, largest[:, None], y)
        positions = np.add(space.starts, target, space.positions)
        # With mode raise, take would write to a copy first.
        prediction.reshape(-1).take(positions, None, chosen, "clip")
        np.subtract(chosen, largest, chosen)
        if self.label_smoothing:
            self._smooth(space.add_up(share, alike), chosen, len(space.ones))
        np.exp(y, y)
        total = space.add_up(largest, alike)
        np.divide(factor, total, share)
        np.multiply(y, space.for_each_row(share), space.dy_like_y)
        self._subtract_target(space, factor)
        np.log(total, total)
        return np.subtract(total, chosen, total), space.dy

    def _smooth(self, even: Array, chosen: Array, classes: int) -> None:
        """Turn the true class's logit (B,) into sum_k q_bk y_bk, given the sums of a row's logits (B,)."""
        np.multiply(even, self.number(self.label_smoothing / classes), even)
        np.multiply(chosen, self.number(1 - self.label_smoothing), chosen)
        np.add(chosen, even, chosen)

    def _subtract_target(self, space: Space, factor: Array) -> None:
        """Turn p (B, K) times a factor () or (B,) into p - q times it."""
        share = space.flat_dy.take(space.positions, None, space.share, "clip")
        if self.label_smoothing:
            even = np.multiply(factor, self.label_smoothing / len(space.ones), out=self.scratch("even", factor.shape))
            factor = np.multiply(factor, 1 - self.label_smoothing, out=self.scratch("uneven", factor.shape))
            np.subtract(space.dy_like_y, space.for_each_row(even), space.dy_like_y)
            np.subtract(share, even, share)
        space.flat_dy[space.positions] = np.subtract(share, factor, share)

    def release(self) -> None:
        self._space = None
        super().release()

    def link(self, prediction: Array) -> Array:
        return softmax(prediction)

    def decide(self, prediction: Array) -> Array:
        return largest_places(prediction)


@LOSSES.register("binary_cross_entropy")
class BinaryCrossEntropy(AveragedLoss):
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

    def elements(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        if not self.label_smoothing and self.positive_weight == 1:
            return self._of_signs(prediction, target)
        yes, no = self._shares_of(target, prediction.shape)
        surprise_yes, surprise_no = self._surprises(prediction)
        dy = self._slopes(surprise_yes, surprise_no, yes, no)
        np.multiply(surprise_yes, yes, out=surprise_yes)
        np.multiply(surprise_no, no, out=surprise_no)
        return np.add(surprise_yes, surprise_no, out=surprise_yes), dy

    def _of_signs(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        """Return log(1 + exp(z)) and its slope, with z = -y where the truth is yes, else y.

        With e = exp(-|z|) these are max(z, 0) + log(1 + e) and s / (1 + e) times the sign of z / y, with s = 1 for
        z > 0, else e: one exponential, and nothing cancels.
        """
        shape, one = prediction.shape, self.number(1.0)
        sign = self.indicators(target, shape)
        np.multiply(sign, self.number(-2.0), sign)
        np.add(sign, one, sign)
        z, e = self.scratch("linear", shape), self.scratch("exponential", shape)
        values, dy = self.scratch("values", shape), self.scratch("dy", shape)
        np.multiply(prediction, sign, z)
        np.absolute(z, e)
        np.add(z, e, values)
        np.multiply(values, self.number(0.5), values)
        np.negative(e, e)
        np.exp(e, e)
        np.greater(z, self.number(0.0), out=dy)
        np.maximum(dy, e, out=dy)
        np.add(values, np.log1p(e, z), values)
        np.add(e, one, e)
        np.divide(dy, e, dy)
        return values, np.multiply(dy, sign, dy)

    def _shares_of(self, target: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
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

    def decide(self, prediction: Array) -> Array:
        return np.greater(prediction[:, 0], 0).astype(np.intp)
