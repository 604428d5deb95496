"""The optimizer: a rule that writes a direction, in a frame that does everything rules have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from annotated_types import Ge, Lt

from nntrain.core.array import Array
from nntrain.optim.blocks import spans
from nntrain.optim.schedules import SCHEDULES, Constant, Schedule, ScheduleLike
from nntrain.registry import Registered, Registry

Rate: TypeAlias = Annotated[float, Ge(0)] | ScheduleLike
"""A learning rate: a number, or a schedule."""

Decay: TypeAlias = Annotated[float, Ge(0)]
"""A coefficient of weight decay."""

Share: TypeAlias = Annotated[float, Ge(0), Lt(1)]
"""How much of an average or a velocity is kept from step to step."""

Epsilon: TypeAlias = Annotated[float, Ge(1e-30)]
"""Keeps a division from being 0 / 0; anything smaller would be 0 in float32."""


@dataclass(frozen=True, slots=True)
class Block:
    """Part of the parameters: where it lies, the rule's state there, and memory for the direction."""

    span: slice
    state: Mapping[str, Array]
    out: Array


class Optimizer:
    """Base of all optimizers: w <- w - learning_rate * direction(gradient).

    A rule sees the flat vector of all parameters, block by block, and implements :meth:`direction` alone. Weight
    decay, the schedule and gradient clipping are applied here and in the training step, the same for every rule.

    Coupled decay (L2 in the gradient) adds ``weight_decay * w`` to the gradient before the rule sees it; decoupled
    decay (Loshchilov and Hutter 2019, algorithm 2) shrinks the weights by ``learning_rate * weight_decay * w`` beside
    it. As in PyTorch, both touch all parameters.

    Every number of a step depends on its own parameter alone, so neither the blocks nor the lanes change a bit.

    Attributes:
        slots: names of the vectors of the parameters' size that the rule keeps from step to step. A rule whose
            arguments decide what it keeps sets them in its constructor.
        scratches: how many vectors of a block's size the rule needs within a step.
        decoupled: whether weight decay is decoupled.
        state: the slots' vectors by name, all that a checkpoint stores; it is loaded by copying into them.
    """

    slots: tuple[str, ...] = ()
    scratches: ClassVar[int] = 0

    def __init__(self, learning_rate: Rate, weight_decay: float = 0.0, decoupled: bool = False) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.decoupled = decoupled
        self.schedule: Schedule
        if isinstance(learning_rate, (int, float)):
            self.schedule = Constant(learning_rate)
        else:
            self.schedule = SCHEDULES.build(learning_rate)
        self.state: dict[str, Array] = {}

    def bind(self, size: int, dtype: Any = np.float32, lanes: int = 1) -> None:
        """Make the state for ``size`` parameters.

        Args:
            size: number of parameters, P.
            dtype: of values and gradients.
            lanes: parts of the parameters that may be updated at the same time, see :meth:`update_lane`.
        """
        self.state = {slot: np.full(size, self.initial(slot), dtype) for slot in self.slots}
        cuts = spans(size)
        bounds = [lane * len(cuts) // lanes for lane in range(lanes + 1)]
        self._lanes = [self._blocks(cuts[start:end], dtype) for start, end in pairwise(bounds)]

    def _blocks(self, cuts: list[slice], dtype: Any) -> list[Block]:
        """Return a lane: blocks that are updated one after the other and share the memory they work in."""
        longest = max((cut.stop - cut.start for cut in cuts), default=0)
        out = np.empty(longest, dtype)
        scratch = {f"scratch_{i}": np.empty(longest, dtype) for i in range(self.scratches)}
        return [
            Block(
                cut,
                {slot: vector[cut] for slot, vector in self.state.items()}
                | {name: vector[: cut.stop - cut.start] for name, vector in scratch.items()},
                out[: cut.stop - cut.start],
            )
            for cut in cuts
        ]

    @property
    def lanes(self) -> int:
        """How many lanes the parameters are cut into."""
        return len(self._lanes)

    def initial(self, slot: str) -> float:
        """Return what a slot starts at."""
        return 0.0

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> float | None:
        """Write the direction of update number ``t`` (from 1) into ``out``.

        Must not depend on anything but its arguments and the rule's own settings: it is called once for each block,
        and blocks of different lanes may be computed at the same time.

        Args:
            grad: (P,) gradient, which may be overwritten.
            state: the rule's slots, each (P,), updated in place, and ``scratch_0``, ... uninitialized.
            t: number of the update, from 1.
            out: (P,) receives the direction, which is multiplied by the learning rate and subtracted.

        Returns:
            A number ``out`` is still to be multiplied by (the frame does it together with the learning rate, which
            saves a pass over the vector), or None for 1.
        """
        raise TypeError(f"{type(self).__name__} does not implement direction")

    def update(self, value: Array, grad: Array, t: int, learning_rate: float) -> None:
        """Make update number ``t`` on ``value`` (P,) in place; ``grad`` (P,) is used up."""
        for lane in range(len(self._lanes)):
            self.update_lane(lane, value, grad, t, learning_rate)

    def update_lane(self, lane: int, value: Array, grad: Array, t: int, learning_rate: float) -> None:
        """Make one lane's part of update number ``t``; different lanes may run on different threads."""
        rate = float(learning_rate)
        for block in self._lanes[lane]:
            self._update_block(block, value[block.span], grad[block.span], t, rate)

    def _update_block(self, block: Block, value: Array, grad: Array, t: int, rate: float) -> None:
        out = block.out
        if self.weight_decay and not self.decoupled:
            np.multiply(value, self.weight_decay, out=out)
            np.add(grad, out, out=grad)
        factor = self.direction(grad, block.state, t, out)
        if rate == 0.0:
            return  # Subtracting a zero would turn -0.0 into 0.0.
        if self.weight_decay and self.decoupled:
            np.multiply(value, 1.0 - rate * self.weight_decay, out=value)
        np.multiply(out, rate if factor is None else rate * factor, out=out)
        np.subtract(value, out, out=value)


def decay_add(total: Array, share: float, addend: Array) -> None:
    """Set total <- share * total + addend, in place."""
    np.multiply(total, share, out=total)
    np.add(total, addend, out=total)


def sum_of_shares(share: float, t: int) -> float:
    """Return 1 + share + share**2 + ... of ``t`` terms.

    An exponential moving average that is corrected for its start at 0 is a weighted mean: the sum that
    :func:`decay_add` makes, divided by the sum of its weights. With a_t for this sum and m_t for the usual average,
    m_t / (1 - share**t) = sum / a_t. Keeping the sum saves a pass over the vector at every step.

    >>> sum_of_shares(0.5, 3)
    1.75
    """
    return float((1.0 - share**t) / (1.0 - share))


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", Optimizer, "nntrain.optim")

OptimizerLike: TypeAlias = Annotated[str | dict[str, Any] | Optimizer, Registered("optimizer")]
