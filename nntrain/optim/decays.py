"""Schedules that go on falling, however long the run is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt

from nntrain.optim.schedules import SCHEDULES, Factor, LearningRate, Schedule, WarmupEpochs


@SCHEDULES.register("step")
class Step(Schedule):
    """Multiplies the rate by ``factor`` every so many epochs: initial factor^floor(e / every_epochs).

    PyTorch's ``StepLR``.

    Args:
        initial: rate at the start.
        every_epochs: epochs between two falls.
        factor: what the rate is multiplied by, above 0 and at most 1.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before.

    >>> [Step(8.0, every_epochs=2, factor=0.5)(epoch) for epoch in range(5)]
    [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    def __init__(
        self,
        initial: LearningRate,
        every_epochs: Annotated[float, Gt(0)] = 30,
        factor: Factor = 0.1,
        warmup_epochs: WarmupEpochs = 0.0,
    ) -> None:
        super().__init__(initial, warmup_epochs)
        self.every_epochs = every_epochs
        self.factor = factor

    def rate(self, epoch: float, total: float) -> float:
        return float(self.initial * self.factor ** (epoch // self.every_epochs))


@SCHEDULES.register("multi_step")
class MultiStep(Schedule):
    """Multiplies the rate by ``factor`` at each milestone: initial factor^(number of milestones <= e).

    PyTorch's ``MultiStepLR``; Keras' ``PiecewiseConstantDecay`` with values that form a geometric sequence.

    Args:
        initial: rate at the start.
        milestones: epochs after which the rate falls, counted from the end of the warm-up.
        factor: what the rate is multiplied by, above 0 and at most 1.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before.

    >>> [MultiStep(8.0, milestones=[1, 3], factor=0.5)(epoch) for epoch in range(5)]
    [8.0, 4.0, 4.0, 2.0, 2.0]
    """

    def __init__(
        self,
        initial: LearningRate,
        milestones: Sequence[Annotated[float, Gt(0)]],
        factor: Factor = 0.1,
        warmup_epochs: WarmupEpochs = 0.0,
    ) -> None:
        super().__init__(initial, warmup_epochs)
        self.milestones = milestones
        self.factor = factor

    def rate(self, epoch: float, total: float) -> float:
        return float(self.initial * self.factor ** sum(milestone <= epoch for milestone in self.milestones))


@SCHEDULES.register("exponential")
class Exponential(Schedule):
    """Multiplies the rate by ``factor`` over each epoch: initial factor^e.

    PyTorch's ``ExponentialLR`` is the staircase; Keras' ``ExponentialDecay`` is either.

    Args:
        initial: rate at the start.
        factor: what the rate is multiplied by in an epoch, above 0 and at most 1.
        staircase: whether the rate falls between epochs only, instead of at every step.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before.

    >>> [Exponential(8.0, factor=0.5)(epoch) for epoch in range(4)]
    [8.0, 4.0, 2.0, 1.0]
    """

    def __init__(
        self,
        initial: LearningRate,
        factor: Factor = 0.95,
        staircase: bool = False,
        warmup_epochs: WarmupEpochs = 0.0,
    ) -> None:
        super().__init__(initial, warmup_epochs)
        self.factor = factor
        self.staircase = staircase

    def rate(self, epoch: float, total: float) -> float:
        return float(self.initial * self.factor ** (math.floor(epoch) if self.staircase else epoch))


@SCHEDULES.register("inverse_time")
class InverseTime(Schedule):
    """Divides the rate by what grows linearly: initial / (1 + decay e).

    The classic of stochastic approximation (Robbins and Monro 1951); Keras' ``InverseTimeDecay``.

    Args:
        initial: rate at the start.
        decay: growth of the divisor in an epoch; 1 halves the rate in the first.
        staircase: whether the rate falls between epochs only, instead of at every step.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before.

    >>> [InverseTime(6.0, decay=1.0)(epoch) for epoch in range(3)]
    [6.0, 3.0, 2.0]
    """

    def __init__(
        self,
        initial: LearningRate,
        decay: Annotated[float, Ge(0)] = 1.0,
        staircase: bool = False,
        warmup_epochs: WarmupEpochs = 0.0,
    ) -> None:
        super().__init__(initial, warmup_epochs)
        self.decay = decay
        self.staircase = staircase

    def rate(self, epoch: float, total: float) -> float:
        return self.initial / (1.0 + self.decay * (math.floor(epoch) if self.staircase else epoch))
