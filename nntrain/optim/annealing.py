"""Schedules that arrive at a final rate: with the run, or with each of their cycles.

In all of them e is the number of epochs since the end of the warm-up and E the number from there to the end of the
run; beyond the planned end the rate stays at the final one.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from nntrain.optim.schedules import SCHEDULES, LearningRate, Schedule, WarmupEpochs


@SCHEDULES.register("polynomial")
class Polynomial(Schedule):
    """Falls as a power of the time that is left: final + (initial - final) (1 - e / E)^power.

    PyTorch's ``PolynomialLR``, Keras' ``PolynomialDecay`` (without ``cycle``).

    Args:
        initial: rate at the start.
        power: 1 is a straight line, 2 falls early, 0.5 falls late.
        final: rate at the end of the run.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before.

    >>> schedule = Polynomial(4.0, power=2)
    >>> schedule.bind(steps_per_epoch=1, epochs=4)
    >>> [schedule(step) for step in range(5)]
    [4.0, 2.25, 1.0, 0.25, 0.0]
    """

    def __init__(
        self,
        initial: LearningRate,
        power: Annotated[float, Gt(0)] = 1.0,
        final: LearningRate = 0.0,
        warmup_epochs: WarmupEpochs = 0.0,
    ) -> None:
        super().__init__(initial, warmup_epochs)
        self.power = power
        self.final = final

    def rate(self, epoch: float, total: float) -> float:
        left = max(1.0 - epoch / total, 0.0)
        return _mix(self.initial, self.final, float(left**self.power))


@SCHEDULES.register("linear")
class Linear(Schedule):
    """Goes from ``initial`` to ``final`` in a straight line: initial + (final - initial) e / E.

    PyTorch's ``LinearLR`` over the whole run, with factors ``initial`` and ``final`` over the optimizer's rate.

    Args:
        initial: rate at the start.
        final: rate at the end of the run.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before.

    >>> schedule = Linear(4.0, final=2.0)
    >>> schedule.bind(steps_per_epoch=2, epochs=2)
    >>> [schedule(step) for step in range(5)]
    [4.0, 3.5, 3.0, 2.5, 2.0]
    """

    def __init__(self, initial: LearningRate, final: LearningRate = 0.0, warmup_epochs: WarmupEpochs = 0.0) -> None:
        super().__init__(initial, warmup_epochs)
        self.final = final

    def rate(self, epoch: float, total: float) -> float:
        return _straight(self.initial, self.final, min(epoch / total, 1.0))


@SCHEDULES.register("cosine")
class Cosine(Schedule):
    """Falls along half a cosine: final + (initial - final) (1 + cos(pi e / E)) / 2.

    Loshchilov and Hutter 2017, "SGDR", equation 5 without restarts; PyTorch's ``CosineAnnealingLR`` with ``T_max`` the
    whole run, Keras' ``CosineDecay``.

    Args:
        initial: rate at the start.
        final: rate at the end of the run.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before.

    >>> schedule = Cosine(4.0)
    >>> schedule.bind(steps_per_epoch=1, epochs=4)
    >>> [round(schedule(step), 4) for step in range(5)]
    [4.0, 3.4142, 2.0, 0.5858, 0.0]
    """

    def __init__(self, initial: LearningRate, final: LearningRate = 0.0, warmup_epochs: WarmupEpochs = 0.0) -> None:
        super().__init__(initial, warmup_epochs)
        self.final = final

    def rate(self, epoch: float, total: float) -> float:
        return _half_cosine(self.initial, self.final, min(epoch / total, 1.0))


@SCHEDULES.register("cosine_restarts")
class CosineRestarts(Schedule):
    """Falls along half a cosine again and again, each time ``multiplier`` times as long as before.

    Within a cycle of T epochs that began c epochs ago: minimum + (initial - minimum) (1 + cos(pi c / T)) / 2.
    Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", equation 5; PyTorch's
    ``CosineAnnealingWarmRestarts``, Keras' ``CosineDecayRestarts``.

    Args:
        initial: rate at the start of each cycle.
        period_epochs: length of the first cycle in epochs.
        multiplier: length of each cycle over that of the one before, at least 1.
        minimum: rate that each cycle falls to.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before the first cycle.

    >>> schedule = CosineRestarts(4.0, period_epochs=2, multiplier=2)
    >>> [round(schedule(step), 4) for step in range(7)]
    [4.0, 2.0, 4.0, 3.4142, 2.0, 0.5858, 4.0]
    """

    def __init__(
        self,
        initial: LearningRate,
        period_epochs: Annotated[float, Ge(1e-6)] = 10,
        multiplier: Annotated[float, Ge(1)] = 1.0,
        minimum: LearningRate = 0.0,
        warmup_epochs: WarmupEpochs = 0.0,
    ) -> None:
        super().__init__(initial, warmup_epochs)
        self.period_epochs = period_epochs
        self.multiplier = multiplier
        self.minimum = minimum

    def rate(self, epoch: float, total: float) -> float:
        since, period = self._cycle(epoch)
        return _half_cosine(self.initial, self.minimum, min(since / period, 1.0))

    def _cycle(self, epoch: float) -> tuple[float, float]:
        """Return how long ago the cycle began and how long it is."""
        first, growth = self.period_epochs, self.multiplier
        if growth == 1.0:
            return math.fmod(epoch, first), first
        # n cycles take first (growth^n - 1) / (growth - 1); the logarithm may miss n by one at a cycle's very start.
        number = int(math.log1p(epoch / first * (growth - 1.0)) / math.log(growth))
        for n in (number + 1, number):
            begin = first * (growth**n - 1.0) / (growth - 1.0)
            if begin <= epoch:
                return epoch - begin, first * growth**n
        return 0.0, first * growth**number


@SCHEDULES.register("one_cycle")
class OneCycle(Schedule):
    """Rises from ``initial`` to ``maximum`` over the first part of the run, then falls to ``final`` at the last step.

    Smith and Topin 2018, "Super-convergence", with two phases and half cosines as in fastai and PyTorch's
    ``OneCycleLR``, whose ``pct_start`` is ``rise`` here, ``div_factor`` is maximum / initial (25) and
    ``final_div_factor`` is initial / final (10,000). The momentum is left as it is.

    Args:
        maximum: the highest rate.
        initial: rate of the first step; null is maximum / 25.
        final: rate of the last step; null is initial / 10,000.
        rise: share of the run over which the rate rises.
        shape: of both phases, ``cosine`` or ``linear``.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before the cycle.

    >>> schedule = OneCycle(1.0, initial=0.5, final=0.0, rise=0.5, shape="linear")
    >>> schedule.bind(steps_per_epoch=6, epochs=1)
    >>> [round(schedule(step), 4) for step in range(6)]
    [0.5, 0.75, 1.0, 0.6667, 0.3333, 0.0]
    """

    def __init__(
        self,
        maximum: LearningRate,
        initial: LearningRate | None = None,
        final: LearningRate | None = None,
        rise: Annotated[float, Ge(0), Le(1)] = 0.3,
        shape: Literal["cosine", "linear"] = "cosine",
        warmup_epochs: WarmupEpochs = 0.0,
    ) -> None:
        super().__init__(maximum / 25.0 if initial is None else initial, warmup_epochs)
        self.maximum = maximum
        self.final = self.initial / 1e4 if final is None else final
        self.rise = rise
        self.shape = shape

    def rate(self, epoch: float, total: float) -> float:
        step, last = epoch * self.steps_per_epoch, total * self.steps_per_epoch - 1.0
        top = max(self.rise * (last + 1.0) - 1.0, 0.0)
        between = _half_cosine if self.shape == "cosine" else _straight
        if step < top:
            return between(self.initial, self.maximum, step / top)
        if last <= top:
            return self.maximum
        return between(self.maximum, self.final, min((step - top) / (last - top), 1.0))


def _straight(start: float, end: float, share: float) -> float:
    return _mix(start, end, 1.0 - share)


def _half_cosine(start: float, end: float, share: float) -> float:
    return _mix(start, end, 0.5 + 0.5 * math.cos(math.pi * share))


def _mix(start: float, end: float, left: float) -> float:
    """Return ``start`` where all of it is left and ``end`` where nothing is, both exactly."""
    return left * start + (1.0 - left) * end
