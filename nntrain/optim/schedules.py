"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from annotated_types import Ge

from nntrain.registry import Registered, Registry


class Schedule:
    """Base of all schedules: learning rate as a function of the number of updates made.

    Args:
        initial: learning rate at the start, after the warm-up.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial`` before the schedule begins.

    Attributes:
        steps_per_epoch: updates in an epoch, set by :meth:`bind`.
        epochs: planned epochs of the run, set by :meth:`bind`.
    """

    steps_per_epoch: int = 1
    epochs: int = 1

    def __init__(self, initial: Annotated[float, Ge(0)], warmup_epochs: Annotated[float, Ge(0)] = 0.0) -> None:
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
        warmup_steps = self.warmup_epochs * self.steps_per_epoch
        if step < warmup_steps:
            return self.initial * (step + 1) / (warmup_steps + 1)
        epoch = (step - warmup_steps) / self.steps_per_epoch
        return self.rate(epoch, max(self.epochs - self.warmup_epochs, 1.0 / self.steps_per_epoch))


SCHEDULES: Registry[Schedule] = Registry("schedule", Schedule, "nntrain.optim")

ScheduleLike: TypeAlias = Annotated["str | dict[str, Any] | Schedule", Registered("schedule")]


@SCHEDULES.register("constant")
class Constant(Schedule):
    """The same rate throughout (after the warm-up, where there is one).

    Args:
        initial: the rate.
        warmup_epochs: over how many epochs the rate rises linearly to ``initial``.

    >>> Constant(0.1)(1000)
    0.1
    """

    def rate(self, epoch: float, total: float) -> float:
        return self.initial
