"""The optimizer: a rule that writes a direction, in a frame that does everything rules have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from annotated_types import Ge, Lt

from nntrain.core.array import Array, Shape
from nntrain.optim.blocks import spans
from nntrain.optim.schedules import SCHEDULES, Constant, Schedule, ScheduleLike
from nntrain.registry import Registered, Registry

Rate: TypeAlias = Annotated[float, Ge(0)] | ScheduleLike
"""A learning rate: a number, or a schedule."""

Decay: TypeAlias = Annotated[float, Ge(0)]
"""A coefficient of weight decay."""

Share: TypeAlias = Annotated[float, Ge(0), Lt(1)]
"""How much of an average or a velocity is kept from step to step."""

FRAME_NUMBERS = ("scale", "weight_decay", "kept", "rate")
"""Names of the numbers that the frame itself works with."""


@dataclass(frozen=True, slots=True)
class Block:
    """Part of the parameters: where it lies, what the rule works with there, and memory for the direction.

    Attributes:
        cleared: parts of the flat gradient, within the block, that an update leaves zeros at.
    """

    span: slice
    state: Mapping[str, Array]
    out: Array
    cleared: list[slice]


@dataclass(frozen=True, slots=True)
class Lane:
    """Blocks that are updated one after the other and share the memory they work in, and their numbers by name."""

    blocks: list[Block]
    numbers: dict[str, Array]


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
        allocates: whether an update takes new memory, which is slower; a rule that cannot do without says so.
        decoupled: whether weight decay is decoupled.
        state: the slots' vectors by name, all that a checkpoint stores; it is loaded by copying into them.
    """

    slots: tuple[str, ...] = ()
    scratches: ClassVar[int] = 0
    allocates: ClassVar[bool] = False

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

    def bind(
        self,
        size: int,
        dtype: Any = np.float32,
        lanes: int = 1,
        allocate: Callable[[Shape, Any], Array] = np.zeros,
        cleared: Sequence[slice] = (),
    ) -> None:
        """Make the state for ``size`` parameters.

        Args:
            size: number of parameters, P.
            dtype: of values and gradients.
            lanes: parts of the parameters that may be updated at the same time, see :meth:`update_lane`.
            allocate: gives the slots' memory, zeros of a shape and dtype.
            cleared: parts of the gradient that an update leaves zeros at, while they are in the cache.
        """
        self.state = {slot: allocate((size,), dtype) for slot in self.slots}
        for slot, vector in self.state.items():
            if self.initial(slot):
                vector.fill(self.initial(slot))
        cuts = spans(size)
        bounds = [lane * len(cuts) // lanes for lane in range(lanes + 1)]
        self._lanes = [self._lane(cuts[start:end], dtype, cleared) for start, end in pairwise(bounds)]

    def _lane(self, cuts: list[slice], dtype: Any, cleared: Sequence[slice]) -> Lane:
        longest = max((cut.stop - cut.start for cut in cuts), default=0)
        out = np.empty(longest, dtype)
        scratch = {f"scratch_{i}": np.empty(longest, dtype) for i in range(self.scratches)}
        numbers = {name: np.zeros((), dtype) for name in (*FRAME_NUMBERS, *self.numbers(1))}
        blocks = [
            Block(
                cut,
                {slot: vector[cut] for slot, vector in self.state.items()}
                | {name: vector[: cut.stop - cut.start] for name, vector in scratch.items()}
                | numbers,
                out[: cut.stop - cut.start],
                [part for part in (_common(cut, place) for place in cleared) if part.start < part.stop],
            )
            for cut in cuts
        ]
        return Lane(blocks, numbers)

    @property
    def lanes(self) -> int:
        """How many lanes the parameters are cut into."""
        return len(self._lanes)

    def lane_spans(self, lane: int) -> list[slice]:
        """Return where the blocks of a lane lie."""
        return [block.span for block in self._lanes[lane].blocks]

    def lane_cleared(self, lane: int) -> list[list[slice]]:
        """Return, for each block of a lane, which parts of the gradient an update leaves zeros at."""
        return [block.cleared for block in self._lanes[lane].blocks]

    def initial(self, slot: str) -> float:
        """Return what a slot starts at."""
        return 0.0

    def numbers(self, t: int) -> dict[str, float]:
        """Return the numbers by name that the rule multiplies or adds in update ``t``.

        :meth:`direction` finds each in its ``state``, as an array () of the gradient's type: a NumPy call takes less
        than half the time with it that it takes with a bare number, which counts where parameters are few.
        """
        return {}

    def direction(self, grad: Array, state: Mapping[str, Array], t: int, out: Array) -> Array | float | None:
        """Write the direction of update number ``t`` (from 1) into ``out``.

        Must not depend on anything but its arguments and the rule's own settings: it is called once for each block,
        and blocks of different lanes may be computed at the same time.

        Args:
            grad: (P,) gradient, which may be overwritten.
            state: the rule's slots, each (P,), updated in place, ``scratch_0``, ... uninitialized, and its numbers ().
            t: number of the update, from 1.
            out: (P,) receives the direction, which is multiplied by the learning rate and subtracted.

        Returns:
            A number ``out`` is still to be multiplied by (the frame does it together with the learning rate, which
            saves a pass over the vector), or None for 1; or, where the direction stands in ``grad`` or in a slot
            already, that array, which saves copying it.
        """
        raise TypeError(f"{type(self).__name__} does not implement direction")

    def update(self, value: Array, grad: Array, t: int, learning_rate: float) -> None:
        """Make update number ``t`` on ``value`` (P,) in place; ``grad`` (P,) is used up."""
        for lane in range(len(self._lanes)):
            self.update_lane(lane, value, grad, t, learning_rate)

    def update_lane(
        self, lane: int, value: Array, grad: Array, t: int, learning_rate: float, scale: float = 1.0
    ) -> None:
        """Make one lane's part of update number ``t`` with ``scale`` times the gradient.

        Different lanes may be computed at the same time.
        """
        rate = float(learning_rate)
        blocks, numbers = self._lanes[lane].blocks, self._lanes[lane].numbers
        for name, number in self.numbers(t).items():
            numbers[name][()] = number
        if scale != 1.0:
            numbers["scale"][()] = scale
        if self.weight_decay:
            numbers["weight_decay"][()] = self.weight_decay
            numbers["kept"][()] = 1.0 - rate * self.weight_decay
        for block in blocks:
            part = grad[block.span]
            if scale != 1.0:
                np.multiply(part, numbers["scale"], part)
            self._update_block(block, value[block.span], part, t, rate)
            for cleared in block.cleared:
                grad[cleared].fill(0)

    def _update_block(self, block: Block, value: Array, grad: Array, t: int, rate: float) -> None:
        # The last argument of a call is where its result goes: ``out=`` costs a quarter of a short call more.
        out, state = block.out, block.state
        if self.weight_decay and not self.decoupled:
            np.multiply(value, state["weight_decay"], out)
            np.add(grad, out, grad)
        answer = self.direction(grad, state, t, out)
        if rate == 0.0:
            return  # Subtracting a zero would turn -0.0 into 0.0.
        if self.weight_decay and self.decoupled:
            np.multiply(value, state["kept"], value)
        step = state["rate"]
        if isinstance(answer, np.ndarray):
            step[()] = rate
            np.multiply(answer, step, out)
        else:
            step[()] = rate if answer is None else rate * answer
            np.multiply(out, step, out)
        np.subtract(value, out, value)


def _common(a: slice, b: slice) -> slice:
    return slice(max(a.start, b.start), min(a.stop, b.stop))


def decay_add(total: Array, share: Array, addend: Array) -> None:
    """Set total <- share * total + addend, in place; ``share`` is a number ()."""
    np.multiply(total, share, total)
    np.add(total, addend, total)


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
