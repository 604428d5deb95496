"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Annotated, Any, TypeAlias

from annotated_types import Ge, Gt, Le

from nntrain.errors import ConfigError, quote
from nntrain.registry import Registered, Registry

LearningRate: TypeAlias = Annotated[float, Ge(0)]
"""A learning rate of a schedule."""

WarmupEpochs: TypeAlias = Annotated[float, Ge(0), Le(1e9)]
"""Length of the warm-up."""

Factor: TypeAlias = Annotated[float, Gt(0), Le(1)]
"""What a rate is multiplied by to make it smaller."""


class Schedule:
    """Base of all schedules: learning rate as a function of the number of updates made.

    Nothing is remembered from step to step, so a run goes on at any step with the rate it would have had. Schedules
    that end with the run depend on its planned ``epochs``: where a finished or interrupted run is resumed with more
    epochs, the rest of it follows the schedule of the longer run.

    Args:
        initial: learning rate at the start, after the warm-up.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before the schedule begins.

    Attributes:
        steps_per_epoch: updates in an epoch, set by :meth:`bind`.
        epochs: planned epochs of the run, set by :meth:`bind`.
    """

    steps_per_epoch: int = 1
    epochs: int = 1

    def __init__(self, initial: LearningRate, warmup_epochs: WarmupEpochs = 0.0) -> None:
        self.initial = initial
        self.warmup_epochs = warmup_epochs

    def bind(self, steps_per_epoch: int, epochs: int) -> None:
        """Take the length of the run."""
        self.steps_per_epoch, self.epochs = steps_per_epoch, epochs

    def rate(self, epoch: float, total: float) -> float:
        """Return the rate after ``epoch`` (fractional) of ``total`` epochs, both counted from the warm-up's end."""
        raise TypeError(f"{type(self).__name__} does not implement rate")

    def __call__(self, step: int) -> float:
        """Return the learning rate of the update after ``step`` updates (0 for the first)."""
        # Whole steps, so that an epoch after the warm-up begins exactly at a whole number.
        warmup_steps = round(self.warmup_epochs * self.steps_per_epoch)
        if step < warmup_steps:
            return self.initial * ((step + 1) / (warmup_steps + 1))
        total_steps = max(self.epochs * self.steps_per_epoch - warmup_steps, 1)
        return self.rate((step - warmup_steps) / self.steps_per_epoch, total_steps / self.steps_per_epoch)

    def rate_at(self, step: int) -> float:
        """Return the learning rate of the update after ``step`` updates, which a number can be multiplied by.

        Raises:
            ConfigError: a user's schedule gives no rate.
        """
        rate: Any = self(step)
        if isinstance(rate, float) and 0 <= rate < math.inf:
            return float(rate)
        with suppress(TypeError, ValueError, OverflowError):
            if not isinstance(rate, str) and 0 <= float(rate) < math.inf:
                return float(rate)
        from nntrain.plugins import place_of_method

        message = f"schedule {quote(SCHEDULES.name_of(self))}: the rate after {step} updates is {quote(rate)}"
        raise ConfigError(f"{message}, expected a finite number of at least 0", **place_of_method(type(self), "rate"))


SCHEDULES: Registry[Schedule] = Registry("schedule", Schedule, "nntrain.optim")

ScheduleLike: TypeAlias = Annotated[str | dict[str, Any] | Schedule, Registered("schedule")]


@SCHEDULES.register("constant")
class Constant(Schedule):
    """The same rate throughout (after the warm-up, where there is one).

    Args:
        initial: the rate.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial``.

    >>> Constant(0.1)(1000)
    0.1
    >>> [Constant(0.4, warmup_epochs=3)(step) for step in range(5)]
    [0.1, 0.2, 0.30000000000000004, 0.4, 0.4]
    """

    def rate(self, epoch: float, total: float) -> float:
        return self.initial
