"""The optimizer: a rule that writes a direction, in a frame that does everything rules have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array
from nntrain.optim.schedules import SCHEDULES, Constant, Schedule, ScheduleLike
from nntrain.registry import Registered, Registry

Rate: TypeAlias = Annotated[float, Ge(0)] | ScheduleLike
"""A learning rate: a number, or a schedule."""


class Optimizer:
    """Base of all optimizers: w <- w - learning_rate * direction(gradient).

    A rule sees one flat vector of all parameters, or a block of it, and implements :meth:`direction` alone. Weight
    decay, the schedule and gradient clipping are applied here and in the training step, the same for every rule.

    Coupled decay (L2 in the gradient) adds ``weight_decay * w`` to the gradient before the rule sees it; decoupled
    decay (Loshchilov and Hutter 2019, algorithm 2) shrinks the weights by ``learning_rate * weight_decay * w`` beside
    it. As in PyTorch, both touch all parameters.

    Attributes:
        slots: names of the vectors of the parameters' size that the rule keeps from step to step; they start at 0.
        decoupled: whether weight decay is decoupled.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    scratches: ClassVar[int] = 1

    def __init__(self, learning_rate: Rate, weight_decay: float = 0.0, decoupled: bool = False) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.decoupled = decoupled
        is_number = isinstance(learning_rate, (int, float))
        self.schedule: Schedule = Constant(learning_rate) if is_number else SCHEDULES.build(learning_rate)  # type: ignore[arg-type]
        self.state: dict[str, Array] = {}

    def bind(self, size: int, dtype: Any = np.float32) -> None:
        """Make the state for ``size`` parameters."""
        self.state = {slot: np.full(size, self.initial(slot), dtype) for slot in self.slots}
        self._direction: Array = np.empty(size, dtype)
        self._scratch = {f"scratch_{i}": np.empty(size, dtype) for i in range(self.scratches)}

    def initial(self, slot: str) -> float:
        """Return what a slot starts at."""
        return 0.0

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> None:
        """Write the direction of update number ``t`` (from 1) into ``out``.

        Args:
            grad: (P,) gradient, which may be overwritten.
            state: the rule's slots, each (P,), updated in place, and ``scratch_0``, ... uninitialized.
            t: number of the update, from 1.
            out: (P,) receives the direction, which is multiplied by the learning rate and subtracted.
        """
        raise TypeError(f"{type(self).__name__} does not implement direction")

    def update(self, value: Array, grad: Array, t: int, learning_rate: float) -> None:
        """Make update number ``t`` on ``value`` (P,) in place; ``grad`` (P,) is used up."""
        out = self._direction
        if self.weight_decay and not self.decoupled:
            np.multiply(value, self.weight_decay, out=out)
            np.add(grad, out, out=grad)
        self.direction(grad, {**self.state, **self._scratch}, t, out)
        if self.weight_decay and self.decoupled:
            np.multiply(value, 1.0 - learning_rate * self.weight_decay, out=value)
        np.multiply(out, learning_rate, out=out)
        np.subtract(value, out, out=value)


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", Optimizer, "nntrain.optim")

OptimizerLike: TypeAlias = Annotated["str | dict[str, Any] | Optimizer", Registered("optimizer")]
