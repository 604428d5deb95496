"""The suites of nntrain.testing find broken layers, losses and optimizers, and pass the registered ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Constant
from nntrain.core.layer import Context, Layer
from nntrain.core.task import TaskKind
from nntrain.layers.activation import Activation
from nntrain.losses.base import LOSSES, Loss
from nntrain.losses.regression import MeanSquaredError
from nntrain.optim.base import OPTIMIZERS, Optimizer
from nntrain.optim.sgd import SGD
from nntrain.testing import Check, assert_passes, check_layer, check_loss, check_optimizer, gradient_error


@pytest.mark.parametrize("name", LOSSES.names())
def test_registered_losses_keep_the_contract(name: str) -> None:
    assert_passes(check_loss(lambda: LOSSES.build(name)))


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_registered_optimizers_keep_the_contract(name: str) -> None:
    assert_passes(check_optimizer(lambda: OPTIMIZERS.build(name)))


class Scale(Layer):
    """y = a x, right in every respect; the broken layers below each differ from it in one."""

    def build(self, in_shape: Shape) -> Shape:
        self.factor = self.add_parameter("factor", (), Constant(1.5))
        return in_shape

    def forward(self, x: Array, ctx: Context) -> Array:
        self.x = x
        return np.multiply(x, self.factor.value, out=self.scratch("y", x.shape))

    def backward(self, dy: Array) -> Array:
        product = np.multiply(self.x, dy, out=self.scratch("product", dy.shape))
        np.add.reduce(product, axis=None, out=self.factor.gradient_slot())
        self.factor.commit()
        return np.multiply(dy, self.factor.value, out=self.scratch("dx", dy.shape))


class WrongInputGradient(Scale):
    """..."""

    def backward(self, dy: Array) -> Array:
        return 1.01 * super().backward(dy)


class WrongParameterGradient(Scale):
    """..."""

    def backward(self, dy: Array) -> Array:
        dx = super().backward(dy)
        self.factor.grad += 0.01
        return dx


class Allocates(Scale):
    """..."""

    def forward(self, x: Array, ctx: Context) -> Array:
        super().forward(x, ctx)
        return x * self.factor.value


class WritesItsInput(Scale):
    """..."""

    def forward(self, x: Array, ctx: Context) -> Array:
        y = super().forward(x, ctx)
        if len(x):
            x.flat[0] += 0.0 if x.flat[0] == 0 else 1e-3
        return y


class Widens(Scale):
    """..."""

    def forward(self, x: Array, ctx: Context) -> Array:
        return super().forward(x, ctx).astype(np.float64)


class DrawsGlobally(Scale):
    """..."""

    def forward(self, x: Array, ctx: Context) -> Array:
        np.random.random()
        return super().forward(x, ctx)


class LearnsInInference(Scale):
    """..."""

    def forward(self, x: Array, ctx: Context) -> Array:
        y = super().forward(x, ctx)
        self.factor.value += 0.5
        return y


class ForgetsItsArgument(Scale):
    """A layer.

    Args:
        power: is not kept.
    """

    def __init__(self, power: float = 1.0) -> None:
        self.exponent = power


class WrongShape(Scale):
    """..."""

    def build(self, in_shape: Shape) -> Shape:
        return (*super().build(in_shape), 1)


class Overwrites(Scale):
    """..."""

    def backward(self, dy: Array) -> Array:
        self.factor.grad[...] = np.sum(self.x * dy)
        self.factor.commit()
        return np.multiply(dy, self.factor.value, out=self.scratch("dx", dy.shape))


class Couples(Activation):
    """..."""

    def forward(self, x: Array, ctx: Context) -> Array:
        return np.subtract(x, x.mean(axis=0) if len(x) else 0, out=self.scratch("y", x.shape))

    def backward(self, dy: Array) -> Array:
        return np.subtract(dy, dy.mean(axis=0) if len(dy) else 0, out=self.scratch("dx", dy.shape))


class Raises(Scale):
    """..."""

    def forward(self, x: Array, ctx: Context) -> Array:
        raise ZeroDivisionError("on purpose")


LAYER_FAULTS: list[tuple[type[Layer], str]] = [
    (WrongInputGradient, "the input's gradient is that of finite differences"),
    (WrongParameterGradient, "the parameters' gradients are those of finite differences"),
    (Allocates, "nothing is allocated after the second step"),
    (WritesItsInput, "arguments are not written"),
    (Widens, "float32 stays float32"),
    (DrawsGlobally, "no global random generator is used"),
    (LearnsInInference, "inference changes no value and no gradient"),
    (ForgetsItsArgument, "constructor arguments are attributes"),
    (WrongShape, "output has the shape that build returned, for 1 and 7 rows"),
    (Overwrites, "gradients of a step add up"),
    (Couples, "a row's output does not depend on the other rows, unless couples_rows says so"),
    (Raises, "a batch of 0 rows is taken"),
]


def failed(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.detail for check in checks if not check.passed}


def test_a_layer_that_is_right_passes() -> None:
    assert_passes(check_layer(Scale, (4,)))


@pytest.mark.parametrize(("layer", "check"), LAYER_FAULTS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_broken_layer_is_found(layer: Callable[[], Layer], check: str) -> None:
    found = failed(check_layer(layer, (4,)))
    assert check in found
    assert found[check]


def test_a_finding_names_the_place_an_exception_came_from() -> None:
    detail = failed(check_layer(Raises, (4,)))["read-only arguments are taken"]
    assert detail.startswith("ZeroDivisionError: on purpose (")
    assert "test_testing.py:" in detail


class WrongGradientError(MeanSquaredError):
    """..."""

    def value_and_grad(
        self, prediction: Array, target: Array, weight: Array | None = None, rows: int | None = None
    ) -> tuple[float, Array]:
        value, dy = super().value_and_grad(prediction, target, weight, rows)
        return value, 2.0 * dy


class HidesNanError(MeanSquaredError):
    """..."""

    def value_and_grad(
        self, prediction: Array, target: Array, weight: Array | None = None, rows: int | None = None
    ) -> tuple[float, Array]:
        return super().value_and_grad(np.nan_to_num(prediction), target, weight, rows)


class FitsNothing(Loss):
    """..."""

    tasks: ClassVar[frozenset[TaskKind]] = frozenset()


LOSS_FAULTS: list[tuple[type[Loss], str]] = [
    (WrongGradientError, "the gradient is that of finite differences"),
    (HidesNanError, "nan in a prediction is nan in the loss, never hidden"),
    (FitsNothing, "it fits the task it implies, and says why it does not fit another"),
]


@pytest.mark.parametrize(("loss", "check"), LOSS_FAULTS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_broken_loss_is_found(loss: Callable[[], Loss], check: str) -> None:
    assert check in failed(check_loss(loss))


class Uphill(SGD):
    """..."""

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float | None:
        np.negative(grad, out=out)
        return None


class HiddenState(SGD):
    """..."""

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float | None:
        self.total = getattr(self, "total", 0.0) + grad
        np.copyto(out, self.total)
        return None


class MixesParameters(SGD):
    """..."""

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float | None:
        np.copyto(out, grad / max(1e-8, float(np.linalg.norm(grad))))
        return None


class DividesByZero(SGD):
    """..."""

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float | None:
        with np.errstate(all="ignore"):
            np.copyto(out, grad / np.abs(grad))
        return None


OPTIMIZER_FAULTS: list[tuple[type[Optimizer], str]] = [
    (Uphill, "the first update goes against the gradient"),
    (Uphill, "a parabola is descended"),
    (HiddenState, "the state moved to another optimizer goes on with the same bits"),
    (HiddenState, "nothing is allocated after the second update"),
    (MixesParameters, "a parameter's update does not depend on the others"),
    (DividesByZero, "a gradient of 0 from the start moves nothing but by weight decay"),
]


@pytest.mark.parametrize(("rule", "check"), OPTIMIZER_FAULTS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_broken_optimizer_is_found(rule: Callable[[], Optimizer], check: str) -> None:
    assert check in failed(check_optimizer(rule))


def test_assert_passes_lists_what_failed() -> None:
    checks = [Check("a", True), Check("b", False, "it is so"), Check("c", False, "and so")]
    with pytest.raises(AssertionError) as caught:
        assert_passes(checks)
    assert str(caught.value) == "2 of 3 checks failed:\n  b: it is so\n  c: and so"
    assert_passes(checks[:1])


@pytest.mark.parametrize("check", [check_layer(Scale, (3,)), check_loss(MeanSquaredError), check_optimizer(SGD)])
def test_names_of_checks_are_distinct_and_there_are_many(check: list[Check]) -> None:
    assert len({line.name for line in check}) == len(check) >= 24


def test_gradient_error_puts_the_variable_back_and_respects_the_mask() -> None:
    variable = np.array([1.0, 2.0, 3.0])
    gradient = np.array([2.0, 4.0, 100.0])

    def value() -> float:
        return float(variable @ variable)

    assert gradient_error(value, variable, gradient, mask=np.array([1.0, 1.0, 0.0])) < 1e-6
    assert gradient_error(value, variable, gradient) > 0.1
    assert variable.tolist() == [1.0, 2.0, 3.0]


def test_gradient_error_is_infinite_where_something_is_nan() -> None:
    variable: Any = np.array([1.0])
    assert gradient_error(lambda: float("nan"), variable, np.array([1.0])) == float("inf")
    assert gradient_error(lambda: 0.0, variable, np.array([np.nan])) == float("inf")


def test_a_step_over_a_kink_is_forgiven() -> None:
    variable = np.array([5e-6])
    assert gradient_error(lambda: float(np.maximum(variable, 0).sum()), variable, np.array([1.0])) < 1e-6
