"""The contract of a loss, check by check, for each kind of task it says it fits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nntrain.core.array import Array
from nntrain.losses.base import Loss
from nntrain.testing.gradients import THRESHOLD, gradient_error
from nntrain.testing.loss_case import TASKS, BoundLoss, LossCase, LossFactory
from nntrain.testing.suite import (
    Check,
    Suite,
    require,
    require_close,
    require_equal,
    require_no_allocation,
    require_no_global_randomness,
)

LOSS_SUITE: Suite[LossCase] = Suite()


def check_loss(loss_factory: LossFactory, *, seed: int = 0) -> list[Check]:
    """Check a loss against the contract of :mod:`nntrain.losses.base`, its gradient included.

    Args:
        loss_factory: makes a fresh loss at each call.
        seed: of predictions, targets and directions.

    >>> from nntrain.losses.regression import MeanSquaredError
    >>> all(check.passed for check in check_loss(MeanSquaredError))
    True
    """
    return LOSS_SUITE.run(LossCase(loss_factory, seed))


@LOSS_SUITE.check("it fits the task it implies, and says why it does not fit another")
def _tasks(case: LossCase) -> None:
    loss = case.factory()
    require(loss.implied_task in loss.tasks, f"implied_task '{loss.implied_task}' is not among tasks")
    for task in TASKS:
        reason = loss.check(task)
        fits = task.kind in loss.tasks
        require(reason is None or reason.strip(), "check() returned an empty text")
        require(fits or reason is not None, f"check() accepts {task.kind}, which is not among tasks")


@LOSS_SUITE.check("outputs is a whole number of at least 1")
def _outputs(case: LossCase) -> None:
    for each in case.each():
        outputs = each.loss.outputs(each.task)
        require(isinstance(outputs, int) and outputs >= 1, f"{each.place}: outputs returned {outputs!r}")


@LOSS_SUITE.check("rows gives one finite loss for each of 1 and 7 rows")
def _rows_shape(case: LossCase) -> None:
    for each in case.each():
        for rows in (1, 7):
            losses = each.loss.rows(each.prediction(rows), each.target(rows))
            require(losses.shape == (rows,), f"{each.place}: rows has shape {losses.shape}, expected {(rows,)}")
            require(np.isfinite(losses).all(), f"{each.place}: a loss is not finite")


@LOSS_SUITE.check("gradient has the prediction's shape")
def _gradient_shape(case: LossCase) -> None:
    for each in case.each():
        prediction = each.prediction(7)
        shape = each.loss.gradient(prediction, each.target(7)).shape
        require(shape == prediction.shape, f"{each.place}: gradient has shape {shape}, expected {prediction.shape}")


@LOSS_SUITE.check("a batch of 0 rows gives 0")
def _empty_batch(case: LossCase) -> None:
    for each in case.each():
        prediction = each.prediction(0)
        value, dy = each.loss.value_and_grad(prediction, each.target(0))
        require(value == 0.0, f"{each.place}: the loss of no rows is {value}")
        require(dy.shape == prediction.shape, f"{each.place}: the gradient has shape {dy.shape}")


@LOSS_SUITE.check("the value is the sum over the rows, as a Python float")
def _value_is_sum(case: LossCase) -> None:
    for each in case.each():
        prediction, target = each.prediction(7), each.target(7)
        expected = each.loss.rows(prediction, target).sum()
        value, _ = each.loss.value_and_grad(prediction, target)
        require(type(value) is float, f"{each.place}: the value is of type {type(value).__name__}")
        require_close(f"{each.place}: the value", np.asarray(value), np.asarray(expected), 1e-12)


@LOSS_SUITE.check("the gradient is that of finite differences")
def _gradient(case: LossCase) -> None:
    for each in case.each():
        prediction, target = each.prediction(6), each.target(6)
        dy = each.loss.value_and_grad(prediction, target, rows=1)[1].copy()

        def value(each: BoundLoss = each, prediction: Array = prediction, target: Array = target) -> float:
            return float(each.loss.rows(prediction, target).sum())

        error = gradient_error(value, prediction, dy, seed=case.seed)
        require(error < THRESHOLD, f"{each.place}: relative error {error:.2g}, allowed {THRESHOLD:g}")


@LOSS_SUITE.check("gradient and value_and_grad agree, which divides by the rows")
def _divided(case: LossCase) -> None:
    for each in case.each():
        prediction, target = each.prediction(6), each.target(6)
        plain = each.loss.gradient(prediction, target).copy()
        divided = each.loss.value_and_grad(prediction, target)[1].copy()
        require_close(f"{each.place}: the gradient of 6 rows", divided * 6, plain, 1e-12)
        divided = each.loss.value_and_grad(prediction, target, rows=24)[1]
        require_close(f"{each.place}: the gradient of 6 of 24 rows", divided * 24, plain, 1e-12)


@LOSS_SUITE.check("weights multiply losses and gradients")
def _weights(case: LossCase) -> None:
    for each in case.each():
        prediction, target, weight = each.prediction(6), each.target(6), each.weight(6)
        losses = each.loss.rows(prediction, target).copy()
        plain = each.loss.gradient(prediction, target).copy()
        value, dy = each.loss.value_and_grad(prediction, target, weight)
        require_close(f"{each.place}: the value", np.asarray(value), np.asarray((losses * weight).sum()), 1e-12)
        require_close(f"{each.place}: the gradient", dy * 6, plain * weight[:, None], 1e-12)


@LOSS_SUITE.check("a row's loss does not depend on the other rows")
def _rows_apart(case: LossCase) -> None:
    for each in case.each():
        prediction, target = each.prediction(6), each.target(6)
        whole = each.loss.rows(prediction, target).copy()
        order = np.array([3, 0, 5])
        part = each.loss.rows(prediction[order], target[order])
        require_close(f"{each.place}: the loss", part, whole[order], 1e-12)


@LOSS_SUITE.check("arguments are not written, and may be read-only")
def _arguments(case: LossCase) -> None:
    for each in case.each():
        arguments = each.prediction(6), each.target(6), each.weight(6)
        before = [argument.copy() for argument in arguments]
        for argument in arguments:
            argument.flags.writeable = False
        each.loss.value_and_grad(*arguments)
        each.loss.link(arguments[0])
        for name, a, b in zip(("prediction", "target", "weight"), arguments, before, strict=True):
            require_equal(f"{each.place}: {name}", a, b)


@LOSS_SUITE.check("strided predictions give what contiguous ones give")
def _strided(case: LossCase) -> None:
    for each in case.each():
        prediction, target = each.prediction(6), each.target(6)
        value, dy = each.loss.value_and_grad(prediction, target)
        dy = dy.copy()
        wide = np.zeros((12, 2 * prediction.shape[1]), prediction.dtype)
        wide[::2, ::2] = prediction
        strided_value, strided_dy = each.loss.value_and_grad(wide[::2, ::2], target)
        require_close(f"{each.place}: the value", np.asarray(strided_value), np.asarray(value), 1e-12)
        require_close(f"{each.place}: the gradient", strided_dy, dy, 1e-12)


@LOSS_SUITE.check("float32 and float64 stay what they are")
def _dtypes(case: LossCase) -> None:
    for dtype in (np.float32, np.float64):
        for each in case.each(dtype):
            dy = each.loss.value_and_grad(each.prediction(5), each.target(5), each.weight(5))[1]
            require(dy.dtype == dtype, f"{each.place}: the gradient has dtype {dy.dtype}, expected {np.dtype(dtype)}")
            link = each.loss.link(each.prediction(5))
            require(link.dtype == dtype, f"{each.place}: link has dtype {link.dtype}, expected {np.dtype(dtype)}")


@LOSS_SUITE.check("float32 gives what float64 gives, to 1e-4")
def _precision(case: LossCase) -> None:
    for single, double in zip(case.each(np.float32), case.each(), strict=True):
        prediction, target = single.prediction(6), single.target(6)
        found = single.loss.value_and_grad(prediction, target)
        exact_target = target.astype(np.float64) if target.dtype == np.float32 else target
        expected = double.loss.value_and_grad(prediction.astype(np.float64), exact_target)
        require_close(f"{single.place}: the value", np.asarray(found[0]), np.asarray(expected[0]), 1e-4)
        require_close(f"{single.place}: the gradient", found[1].astype(np.float64), expected[1], 1e-4)


@LOSS_SUITE.check("the same arguments give the same bits")
def _repeats(case: LossCase) -> None:
    for each in case.each():
        prediction, target = each.prediction(6), each.target(6)
        value, dy = each.loss.value_and_grad(prediction, target)
        dy = dy.copy()
        each.loss.value_and_grad(each.prediction(9, number=1), each.target(9, number=1))
        again, dy_again = each.loss.value_and_grad(prediction, target)
        require(again == value, f"{each.place}: the value was {value!r}, then {again!r}")
        require_equal(f"{each.place}: the gradient", dy_again, dy)


@LOSS_SUITE.check("logits of 10,000 give finite losses and gradients, where classes are told apart")
def _extreme_logits(case: LossCase) -> None:
    for each in case.each(np.float32):
        if each.task.kind == "regression":
            continue
        prediction = np.sign(each.prediction(8)) * np.float32(1e4)
        value, dy = each.loss.value_and_grad(prediction, each.target(8))
        require(np.isfinite(value), f"{each.place}: the loss is {value}")
        require(np.isfinite(dy).all(), f"{each.place}: the gradient is not finite")
        require(np.isfinite(each.loss.link(prediction)).all(), f"{each.place}: link is not finite")


@LOSS_SUITE.check("nan in a prediction is nan in the loss, never hidden")
def _nan_shows(case: LossCase) -> None:
    for each in case.each():
        prediction = each.prediction(4)
        prediction[2] = np.nan
        with np.errstate(all="ignore"):
            value, _ = each.loss.value_and_grad(prediction, each.target(4))
        require(np.isnan(value), f"{each.place}: the loss is {value}")


@LOSS_SUITE.check("link returns a new array with a row for each prediction")
def _link(case: LossCase) -> None:
    for each in case.each():
        prediction = each.prediction(6)
        link = each.loss.link(prediction)
        width = each.task.width
        require(link.shape == (6, width), f"{each.place}: link has shape {link.shape}, expected {(6, width)}")
        require(not np.shares_memory(link, prediction), f"{each.place}: link returns its argument's memory")


@LOSS_SUITE.check("decide gives the class of the largest linked output")
def _decide(case: LossCase) -> None:
    for each in case.each():
        if not each.task.is_classification:
            continue
        prediction = each.prediction(50)
        codes = each.loss.decide(prediction)
        require(codes.shape == (50,), f"{each.place}: decide has shape {codes.shape}, expected (50,)")
        require(codes.dtype.kind == "i", f"{each.place}: decide has dtype {codes.dtype}, expected whole numbers")
        largest = each.loss.link(prediction).argmax(axis=1)
        require(bool((codes == largest).all()), f"{each.place}: decide gives another class than the largest output's")


@LOSS_SUITE.check("probabilities lie in [0, 1], and those of classes add up to 1")
def _probabilities(case: LossCase) -> None:
    for each in case.each():
        if not (each.loss.gives_probabilities and each.task.kind != "regression"):
            continue
        link = each.loss.link(5.0 * each.prediction(20))
        require(((link >= 0) & (link <= 1)).all(), f"{each.place}: link gives {link.min()} to {link.max()}")
        if each.task.is_classification:
            require_close(f"{each.place}: the sum of a row", link.sum(axis=1), np.ones(20), 1e-12)


@LOSS_SUITE.check("training and link agree: a step against the gradient lowers the loss")
def _descends(case: LossCase) -> None:
    for each in case.each():
        prediction, target = each.prediction(8), each.target(8)
        value, dy = each.loss.value_and_grad(prediction, target)
        if np.any(dy):
            stepped = each.loss.rows(prediction - 1e-4 * dy, target).sum()
            require(stepped < value, f"{each.place}: the loss went from {value!r} to {float(stepped)!r}")


@LOSS_SUITE.check("nothing is allocated after the second step")
def _no_allocation(case: LossCase) -> str | None:
    remark = None
    for each in case.each(np.float32):
        prediction, target, weight = each.prediction(8192), each.target(8192), each.weight(8192)
        action = _value_and_grad(each.loss, prediction, target, weight)
        remark = require_no_allocation(action, each.loss)
    return remark


def _value_and_grad(loss: Loss, prediction: Array, target: Array, weight: Array) -> Callable[[], object]:
    return lambda: loss.value_and_grad(prediction, target, weight)


@LOSS_SUITE.check("no global random generator is used")
def _randomness(case: LossCase) -> None:
    def whole_life() -> None:
        for each in case.each():
            each.loss.value_and_grad(each.prediction(5), each.target(5))

    require_no_global_randomness(whole_life)


LOSS_SUITE.check_construction()
