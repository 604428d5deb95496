"""What recurrent layers share: the way through the steps, forward and back.

Inside, a batch lies feature-major: the inputs of a step are a matrix (F + 1 + H, B) that holds the step's features, a
row of ones for the bias, and the state before the step. One product with the weights beside each other then gives all
gates, each of them one contiguous piece of memory, and a new state is written right where the next step reads it.

Backward, a cell first turns the values of some steps into factors (what the gradient of a gate is per gradient of the
state), in a few calls for many steps; along the steps themselves is then left little more than one product each. The
weights' gradients are products over all steps at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import INITIALIZERS, Initializer, InitializerLike
from nntrain.core.layer import Context, Layer
from nntrain.core.parameter import Parameter
from nntrain.layers.step_order import StepOrder

CACHED = 131072
"""Numbers that the values and factors of the steps treated at once may take: about half of a core's cache."""

MOST_UNROLLED = 8
"""Shapes of batches whose views are kept; a training run has two, and a service not many."""


class EachGate(Initializer):
    """First values gate by gate: each block (..., units) is drawn as a matrix of its own, then raised by a number.

    Args:
        initializer: draws a block.
        raised: what is added to each gate's block; as many as there are gates.
    """

    def __init__(self, initializer: Initializer, raised: Sequence[float]) -> None:
        self.initializer = initializer
        self.raised = raised

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        units = parameter.shape[-1] // len(self.raised)
        block = Parameter(parameter.name, (*parameter.shape[:-1], units), self.initializer, fans=parameter.fans)
        return np.concatenate([self.initializer.sample(block, generator) + more for more in self.raised], axis=-1)


@dataclass
class Unrolled:
    """The memory of batches of one shape, step by step, and the views of it that the steps need.

    Attributes:
        memory: holds all of it.
        inputs: (T + 1, F + 1 + H, B) features, a one and the state before each step; the last has a state only.
        values: (T + 1, blocks, H, B) what the cell keeps of each step.
        factors: (chunk, blocks, H, B) factors, and in their place then gradients, of some steps.
        spare: (3, H, B) gradient of the state, what of it goes past the product, and an array for the cell.
        forward: what the cell uses in each step.
        backward: what the cell uses in each step back.
    """

    memory: Array
    inputs: Array
    values: Array
    factors: Array
    spare: Array
    forward: list[tuple[Array, ...]] = field(default_factory=list)
    backward: list[tuple[Array, ...]] = field(default_factory=list)


class Recurrent(Layer):
    """Base of the layers with a state that goes from step to step.

    A subclass says how many blocks of (H, B) numbers it keeps of a step, and implements the methods from
    :meth:`weigh` to :meth:`weight_gradients`.

    Attributes:
        gates: names of the blocks of ``units`` columns in the kernels, in order.
        sigmoids: how many of them, the first ones, are squashed by a sigmoid.
        kept_blocks: values that are kept of a step.
        factor_blocks: factors of a step back, and gradients that come in their place.
        gradient_blocks: which of these are gradients of sums before an activation.
    """

    gates: ClassVar[tuple[str, ...]]
    sigmoids: ClassVar[int]
    kept_blocks: ClassVar[int]
    factor_blocks: ClassVar[int]
    gradient_blocks: ClassVar[slice]

    def __init__(
        self,
        units: int,
        return_sequences: bool,
        truncate: int | None,
        reverse: bool,
        kernel_initializer: InitializerLike,
        recurrent_initializer: InitializerLike,
        bias_initializer: InitializerLike,
    ) -> None:
        self.units = units
        self.return_sequences = return_sequences
        self.truncate = truncate
        self.reverse = reverse
        self.kernel_initializer = INITIALIZERS.build(kernel_initializer)
        self.recurrent_initializer = INITIALIZERS.build(recurrent_initializer)
        self.bias_initializer = INITIALIZERS.build(bias_initializer)
        self._unrolled: dict[Shape, Unrolled] = {}

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 2 or 0 in in_shape:
            raise self.shape_error("sequences of shape (steps, features)", in_shape)
        self.features = in_shape[1]
        units, count = self.units, len(self.gates)
        even = (0.0,) * count
        fans = (self.features, units)
        self.kernel = self.add_parameter(
            "kernel", (self.features, count * units), EachGate(self.kernel_initializer, even), fans=fans
        )
        self.recurrent_kernel = self.add_parameter(
            "recurrent_kernel", (units, count * units), EachGate(self.recurrent_initializer, even), fans=(units, units)
        )
        self.offset = self.add_parameter(
            "bias", (count * units,), EachGate(self.bias_initializer, self.raised()), penalized=False, fans=fans
        )
        self.half, self.one = np.array(0.5, self.dtype), np.array(1.0, self.dtype)
        self.scales = np.ones(count * units, self.dtype)
        self.scales[: self.sigmoids * units] = 0.5
        return (in_shape[0], units) if self.return_sequences else (units,)

    def raised(self) -> Sequence[float]:
        """Return what is added to the first bias of each gate."""
        return (0.0,) * len(self.gates)

    def release(self) -> None:
        super().release()
        self._unrolled.clear()

    # -- forward

    def forward(self, x: Array, ctx: Context) -> Array:
        rows, steps = x.shape[:2]
        order = self.order = StepOrder(self, self.reverse, ctx.lengths, (rows, steps))
        batch = self.batch = self._unroll(rows, steps)
        count, state = order.count, self.features + 1
        inputs = batch.inputs[:count]
        order.read(x, inputs[:, : self.features], "x_read")
        if order.padding is not None:
            np.copyto(inputs[:, : self.features], 0, where=order.padding[:, :count].T[:, None])
        inputs[:, self.features].fill(1)
        batch.inputs[0, state:].fill(0)
        batch.values[0].fill(0)
        self.weigh()
        self.run(batch, count)
        states = batch.inputs[1 : count + 1, state:]
        if self.return_sequences:
            return order.put_back(states, "y")
        ctx.lengths = None
        y = self.scratch("y", (rows, self.units))
        if order.lengths is not None:
            y.fill(0)  # for rows without steps
        for step, rows_that_end in order.ends.items():
            np.copyto(y.T, states[step], where=rows_that_end)
        return y

    def _unroll(self, rows: int, steps: int) -> Unrolled:
        """Return the memory for batches of this shape: the same for all shapes, with views made once for each."""
        block = (self.units, rows)
        chunk = max(1, min(steps, CACHED // max(1, (self.kept_blocks + self.factor_blocks) * math.prod(block))))
        shapes = (
            (steps + 1, self.features + 1 + self.units, rows),
            (steps + 1, self.kept_blocks, *block),
            (chunk, self.factor_blocks, *block),
            (3, *block),
        )
        memory = self.scratch("memory", (sum(map(math.prod, shapes)),))
        found = self._unrolled.get((rows, steps))
        if found is not None and found.memory is memory.base:
            return found
        if found is not None or len(self._unrolled) >= MOST_UNROLLED:
            self._unrolled.clear()  # where the memory has grown, views would keep what it was
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        inputs, values, factors, spare = (
            part.reshape(shape) for part, shape in zip(np.split(memory, ends[:-1]), shapes, strict=True)
        )
        batch = Unrolled(np.asarray(memory.base), inputs, values, factors, spare)
        self._unrolled[rows, steps] = batch
        batch.forward = [self.forward_views(batch, step) for step in range(steps)]
        batch.backward = [self.backward_views(batch, step, step % chunk) for step in range(steps)]
        return batch

    # -- backward

    def backward(self, dy: Array) -> Array | None:
        batch, count, rows = self.batch, self.order.count, len(dy)
        blocks = self.gradient_blocks
        width = (blocks.stop - blocks.start) * self.units
        dz = self.scratch("dz", (width, count, rows))
        chunk = len(batch.factors)
        receive = self._receiver(dy, batch.spare[0])
        batch.spare[:2].fill(0)
        for start in range((count - 1) // chunk * chunk, -1, -chunk):
            stop = min(start + chunk, count)
            self.derive(batch, start, stop)
            for step in range(stop - 1, start - 1, -1):
                receive(step)
                cut = step == 0 or (self.truncate is not None and step % self.truncate == 0)
                self.step_back(batch.backward[step], cut)
                if cut:
                    batch.spare[:2].fill(0)
            gradients = batch.factors[: stop - start, blocks].reshape(stop - start, width, rows)
            np.copyto(dz[:, start:stop], gradients.transpose(1, 0, 2))
        return self._collect(dz.reshape(width, count * rows), batch)

    def _receiver(self, dy: Array, total: Array) -> Callable[[int], None]:
        """Return what adds a step's part of ``dy`` to the gradient of the state (H, B)."""
        if self.return_sequences:
            steps = self.scratch("dy_steps", (self.order.count, *total.shape))
            self.order.read(dy, steps, "dy_read")

            def add(step: int) -> None:
                np.add(total, steps[step], out=total)

            return add
        ends = self.order.ends

        def begin(step: int) -> None:
            if step in ends:
                np.copyto(total, dy.T, where=ends[step])  # behind the end of its sequence a row's gradient is 0

        return begin

    def _collect(self, dz: Array, batch: Unrolled) -> Array | None:
        """Take the weights' gradients from those of all sums, dz (blocks H, T B); return the input's."""
        width, rows = self.features + 1 + self.units, batch.inputs.shape[2]
        inputs = self.scratch("steps", (width, self.order.count, rows))
        np.copyto(inputs, batch.inputs[: self.order.count].transpose(1, 0, 2))
        dz = self.weight_gradients(inputs.reshape(width, dz.shape[1]), dz, batch)
        if not self.needs_input_gradient:
            return None
        dx = self.scratch("dx_steps", (dz.shape[1], self.features))
        np.dot(dz.T, self.kernel.value.T, out=dx)
        return self.order.put_back(dx.reshape(self.order.count, rows, self.features).transpose(0, 2, 1), "dx")

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 2 * in_shape[0] * (in_shape[1] + 1 + self.units) * len(self.gates) * self.units

    # -- what cells are made of

    def weights_beside(self, gates: int) -> Array:
        """Return w, b and u of the first gates beside each other, (gates H, F + 1 + H), halved for the sigmoids.

        sigmoid(a) = tanh(a / 2) / 2 + 1 / 2, so that one call of tanh serves all gates.
        """
        end = gates * self.units
        weights = self.scratch("weights", (end, self.features + 1 + self.units))
        scales = self.scales[:end]
        np.multiply(self.kernel.value[:, :end].T, scales[:, None], out=weights[:, : self.features])
        np.multiply(self.offset.value[:end], scales, out=weights[:, self.features])
        np.multiply(self.recurrent_kernel.value[:, :end].T, scales[:, None], out=weights[:, self.features + 1 :])
        return weights

    def commit_inputs(self, inputs: Array, dz: Array) -> None:
        """Commit the gradients of w and b."""
        # With a width that is a multiple of 4 the product takes a third less; what it gives beyond is not used.
        width = min(len(inputs), -(-(self.features + 1) // 4) * 4)
        found = self.scratch("kernel_gradient", (len(dz), width))
        np.dot(dz, inputs[:width].T, out=found)
        np.copyto(self.kernel.gradient_slot(), found[:, : self.features].T)
        np.copyto(self.offset.gradient_slot(), found[:, self.features])
        self.kernel.commit()
        self.offset.commit()

    def commit_states(self, states: Array, dz: Array) -> None:
        """Commit the gradient of u."""
        # The product with the longer side in front takes half the time of its transpose.
        found = self.scratch("recurrent_gradient", (len(dz), self.units))
        np.dot(dz, states.T, out=found)
        np.copyto(self.recurrent_kernel.gradient_slot(), found.T)
        self.recurrent_kernel.commit()

    # -- what a cell is

    def weigh(self) -> None:
        """Lay the weights out for the pass through the steps."""
        raise TypeError(f"{type(self).__name__} does not implement weigh")

    def forward_views(self, batch: Unrolled, step: int) -> tuple[Array, ...]:
        """Return the pieces of memory that ``run`` uses in a step."""
        raise TypeError(f"{type(self).__name__} does not implement forward_views")

    def run(self, batch: Unrolled, count: int) -> None:
        """Go through ``count`` steps; write each state into the next step's inputs."""
        raise TypeError(f"{type(self).__name__} does not implement run")

    def derive(self, batch: Unrolled, start: int, stop: int) -> None:
        """Write the factors of the steps from ``start`` to ``stop``."""
        raise TypeError(f"{type(self).__name__} does not implement derive")

    def backward_views(self, batch: Unrolled, step: int, slot: int) -> tuple[Array, ...]:
        """Return the pieces of memory that ``step_back`` uses in a step, whose factors lie in ``slot``."""
        raise TypeError(f"{type(self).__name__} does not implement backward_views")

    def step_back(self, views: tuple[Array, ...], cut: bool) -> None:
        """Turn factors into gradients, and the gradient of a step's state into that of the state before it.

        Where the gradient is cut, what is left in place of the latter does not count.
        """
        raise TypeError(f"{type(self).__name__} does not implement step_back")

    def weight_gradients(self, inputs: Array, dz: Array, batch: Unrolled) -> Array:
        """Commit the gradients, with inputs (F + 1 + H, T B); return those of the sums that x w is a part of."""
        raise TypeError(f"{type(self).__name__} does not implement weight_gradients")
