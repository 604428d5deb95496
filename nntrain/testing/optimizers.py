"""The contract of an optimizer, check by check."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.rng import stream
from nntrain.optim.base import Optimizer
from nntrain.testing.suite import (
    Check,
    Suite,
    require,
    require_close,
    require_equal,
    require_no_allocation,
    require_no_global_randomness,
)

OptimizerFactory = Callable[[], Optimizer]

OPTIMIZER_SUITE: Suite[OptimizerCase] = Suite()

SIZE = 12


@dataclass(frozen=True)
class OptimizerCase:
    """What an optimizer is checked with."""

    factory: OptimizerFactory
    seed: int = 0

    def bound(self, size: int = SIZE, dtype: Any = np.float64) -> Optimizer:
        """Return a fresh optimizer for ``size`` parameters."""
        optimizer = self.factory()
        optimizer.bind(size, dtype)
        return optimizer

    def values(self, size: int = SIZE, dtype: Any = np.float64) -> Array:
        """Return parameters."""
        return stream(self.seed, "check-values").standard_normal(size).astype(dtype)

    def gradient(self, t: int, size: int = SIZE, dtype: Any = np.float64) -> Array:
        """Return the gradient of update ``t``."""
        return stream(self.seed, "check-gradients", t).standard_normal(size).astype(dtype)

    def run(self, optimizer: Optimizer, value: Array, updates: range, rate: float | None = None) -> Array:
        """Make updates on ``value`` and return it."""
        for t in updates:
            gradient = self.gradient(t, value.size, value.dtype)
            optimizer.update(value, gradient, t, optimizer.schedule(t - 1) if rate is None else rate)
        return value


def check_optimizer(optimizer_factory: OptimizerFactory, *, seed: int = 0) -> list[Check]:
    """Check an optimizer against the contract of :mod:`nntrain.optim.base`.

    Args:
        optimizer_factory: makes a fresh optimizer at each call, with its default learning rate.
        seed: of values and gradients.

    >>> from nntrain.optim.sgd import SGD
    >>> all(check.passed for check in check_optimizer(SGD))
    True
    """
    return OPTIMIZER_SUITE.run(OptimizerCase(optimizer_factory, seed))


@OPTIMIZER_SUITE.check("the first update goes against the gradient")
def _first_update(case: OptimizerCase) -> None:
    optimizer, value, gradient = case.bound(), case.values(), case.gradient(1)
    value[...] = 0.0
    optimizer.update(value, gradient.copy(), 1, 0.01)
    require(float(value @ gradient) < 0, f"update times gradient is {float(value @ gradient):.3g}, expected below 0")


@OPTIMIZER_SUITE.check("a parabola is descended")
def _parabola(case: OptimizerCase) -> None:
    optimizer, value = case.bound(), case.values()
    curvature = np.linspace(0.5, 2.0, SIZE)
    before = float(curvature @ value**2)
    for t in range(1, 301):
        optimizer.update(value, 2.0 * curvature * value, t, 0.01)
    after = float(curvature @ value**2)
    require(after < before, f"after 300 updates the parabola is at {after:.3g}, it began at {before:.3g}")


@OPTIMIZER_SUITE.check("the default learning rate descends Rosenbrock's valley")
def _rosenbrock(case: OptimizerCase) -> None:
    optimizer = case.bound(2)
    value = np.array([-0.5, 0.5])
    before = _rosenbrock_value(value)
    for t in range(1, 201):
        # Clipped, as in training, so that a plain step of a large gradient does not leave the valley.
        gradient = _rosenbrock_gradient(value)
        gradient /= max(1.0, float(np.linalg.norm(gradient)))
        optimizer.update(value, gradient, t, min(optimizer.schedule(t - 1), 0.01))
    after = _rosenbrock_value(value)
    require(after < before, f"after 200 updates the function is at {after:.3g}, it began at {before:.3g}")


def _rosenbrock_value(value: Array) -> float:
    x, y = value
    return float((1 - x) ** 2 + 10 * (y - x**2) ** 2)


def _rosenbrock_gradient(value: Array) -> Array:
    x, y = value
    return np.array([-2 * (1 - x) - 40 * x * (y - x**2), 20 * (y - x**2)])


@OPTIMIZER_SUITE.check("learning rate 0 leaves every bit of the values")
def _no_learning(case: OptimizerCase) -> None:
    value = case.values()
    value[0] = -0.0
    before = value.copy()
    case.run(case.bound(), value, range(1, 4), rate=0.0)
    require_equal("the value", value, before)
    require(bool(np.signbit(value[0])), "-0.0 became 0.0")


@OPTIMIZER_SUITE.check("a gradient of 0 from the start moves nothing but by weight decay")
def _zero_gradient(case: OptimizerCase) -> None:
    optimizer, value = case.bound(), case.values()
    before = value.copy()
    for t in range(1, 4):
        optimizer.update(value, np.zeros(SIZE), t, 0.01)
    require(np.isfinite(value).all(), "the values are not finite")
    if not optimizer.weight_decay:
        require_equal("the value", value, before)


@OPTIMIZER_SUITE.check("tiny and huge gradients give finite values")
def _extremes(case: OptimizerCase) -> None:
    for size in (1e-30, 1e-10, 1e10):
        optimizer, value = case.bound(dtype=np.float32), case.values(dtype=np.float32)
        for t in range(1, 4):
            gradient = case.gradient(t, dtype=np.float32) * np.float32(size)
            optimizer.update(value, gradient, t, 0.01)
        require(np.isfinite(value).all(), f"with gradients of {size:g} the values are not finite")


@OPTIMIZER_SUITE.check("values are changed in place, and the learning rate counts")
def _in_place(case: OptimizerCase) -> None:
    slow = case.run(case.bound(), case.values(), range(1, 3), rate=0.001) - case.values()
    fast = case.run(case.bound(), case.values(), range(1, 3), rate=0.01) - case.values()
    require(np.any(slow), "the values are as they were")
    require(float(np.abs(fast).sum()) > float(np.abs(slow).sum()), "a larger learning rate makes no larger updates")


@OPTIMIZER_SUITE.check("the first update grows with the learning rate in proportion")
def _proportion(case: OptimizerCase) -> None:
    moves = []
    for rate in (0.001, 0.002):
        value = case.run(case.bound(), case.values(), range(1, 2), rate=rate)
        moves.append(value - case.values())
    require_close("twice the update", moves[1], 2.0 * moves[0], 1e-9)


def _check_dtype(case: OptimizerCase, dtype: Any) -> None:
    optimizer = case.bound(dtype=dtype)
    value = case.run(optimizer, case.values(dtype=dtype), range(1, 3))
    require(value.dtype == dtype, f"the values have dtype {value.dtype}")
    for name, slot in optimizer.state.items():
        require(slot.dtype == dtype, f"slot {name} has dtype {slot.dtype}, expected {np.dtype(dtype)}")


@OPTIMIZER_SUITE.check("float32 stays float32")
def _float32(case: OptimizerCase) -> None:
    _check_dtype(case, np.float32)


@OPTIMIZER_SUITE.check("float64 stays float64")
def _float64(case: OptimizerCase) -> None:
    _check_dtype(case, np.float64)


@OPTIMIZER_SUITE.check("float32 gives what float64 gives, to 1e-4")
def _precision(case: OptimizerCase) -> None:
    single = case.run(case.bound(dtype=np.float32), case.values(dtype=np.float32), range(1, 6), rate=0.01)
    value = case.values(dtype=np.float32).astype(np.float64)
    optimizer = case.bound()
    for t in range(1, 6):
        optimizer.update(value, case.gradient(t, dtype=np.float32).astype(np.float64), t, 0.01)
    require_close("the value after 5 updates", single.astype(np.float64), value, 1e-4)


@OPTIMIZER_SUITE.check("every slot is a vector of the parameters' size")
def _slots(case: OptimizerCase) -> None:
    optimizer = case.bound()
    require(set(optimizer.state) == set(optimizer.slots), f"slots are {optimizer.slots}, state {list(optimizer.state)}")
    for name, slot in optimizer.state.items():
        require(slot.shape == (SIZE,), f"slot {name} has shape {slot.shape}, expected {(SIZE,)}")


@OPTIMIZER_SUITE.check("the state moved to another optimizer goes on with the same bits")
def _state_round_trip(case: OptimizerCase) -> None:
    first, value = case.bound(), case.values()
    case.run(first, value, range(1, 4))
    second, other = case.bound(), value.copy()
    for name, slot in first.state.items():
        second.state[name][...] = slot
    require_equal("the value", case.run(second, other, range(4, 8)), case.run(first, value, range(4, 8)))


@OPTIMIZER_SUITE.check("the same gradients give the same bits")
def _repeats(case: OptimizerCase) -> None:
    first = case.run(case.bound(), case.values(), range(1, 6))
    require_equal("the value", case.run(case.bound(), case.values(), range(1, 6)), first)


@OPTIMIZER_SUITE.check("binding again starts afresh")
def _rebind(case: OptimizerCase) -> None:
    expected = case.run(case.bound(), case.values(), range(1, 6))
    used = case.bound(5)
    case.run(used, case.values(5), range(1, 3))
    used.bind(SIZE, np.float64)
    require_equal("the value", case.run(used, case.values(), range(1, 6)), expected)


@OPTIMIZER_SUITE.check("a copy is independent")
def _copy(case: OptimizerCase) -> None:
    optimizer = case.bound()
    case.run(optimizer, case.values(), range(1, 3))
    state = {name: slot.copy() for name, slot in optimizer.state.items()}
    twin = copy.deepcopy(optimizer)
    case.run(twin, case.values(), range(3, 5))
    for name, slot in optimizer.state.items():
        require_equal(f"slot {name}", slot, state[name])


@OPTIMIZER_SUITE.check("a parameter's update does not depend on the others")
def _apart(case: OptimizerCase) -> None:
    whole = case.run(case.bound(), case.values(), range(1, 5))
    optimizer, part = case.bound(5), case.values()[:5].copy()
    for t in range(1, 5):
        optimizer.update(part, case.gradient(t)[:5].copy(), t, optimizer.schedule(t - 1))
    require_equal("the first 5 values", part, whole[:5])


@OPTIMIZER_SUITE.check("one parameter, and none at all, are taken")
def _small(case: OptimizerCase) -> None:
    for size in (1, 0):
        value = case.run(case.bound(size), case.values(size), range(1, 4))
        require(value.shape == (size,) and np.isfinite(value).all(), f"{size} parameters became {value}")


@OPTIMIZER_SUITE.check("nothing is allocated after the second update")
def _no_allocation(case: OptimizerCase) -> str | None:
    size = 8192
    optimizer, value = case.bound(size, np.float32), case.values(size, np.float32)
    source, gradient = case.gradient(1, size, np.float32), np.empty(size, np.float32)
    count = iter(range(1, 100))

    def update() -> None:
        gradient[...] = source
        optimizer.update(value, gradient, next(count), 1e-3)

    return require_no_allocation(update, optimizer)


@OPTIMIZER_SUITE.check("no global random generator is used")
def _randomness(case: OptimizerCase) -> None:
    require_no_global_randomness(lambda: case.run(case.bound(), case.values(), range(1, 4)))


@OPTIMIZER_SUITE.check("the default learning rate is a number or a schedule")
def _schedule(case: OptimizerCase) -> None:
    rate = case.factory().schedule(0)
    require(np.isfinite(rate) and rate > 0, f"the first learning rate is {rate!r}")


OPTIMIZER_SUITE.check_construction()
