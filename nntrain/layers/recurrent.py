"""What recurrent layers share: the way through the steps, forward and back.

Inside, a batch lies feature-major: the inputs of a step are a matrix (F + 1 + H, B) that holds the step's features, a
row of ones for the bias, and the state before the step. One product with the weights beside each other then gives all
gates, each of them one contiguous piece of memory, so that a call over one or several of them is a single pass.

In training a cell turns the values of a step into factors (what the gradient of a gate is per gradient of the state)
while they are in the cache, and keeps only these. Along the steps back is then left little more than one product each.
The weights' gradients are products over all steps at once.

Measured in bare loops of the long short-term memory, in runs one after the other: factors made on the way forward, or
from kept values on the way back, cost the same at 64 units and 32 rows; at 128 units and 64 rows the second took 7 to
9 % more of the whole, for the memory that goes through the cache. Tiny batches show the calls: at 12 steps of 32 units
the pass forward takes a third longer than it did with factors made on the way back, and the pass back a third less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import Context, Layer
from nntrain.layers.each_gate import EachGate
from nntrain.layers.step_order import StepOrder
from nntrain.layers.step_products import copy_in_blocks, in_parts, panels, parts_of_product, product_with

CACHED = 131072
"""Numbers that the gradients of the steps gone back together may take, or as many as there are weights."""

LINE = 64
"""Bytes at whose multiples the memory begins: a vector then never lies across two lines of the cache."""

MOST_UNROLLED = 8
"""Shapes of batches whose views are kept; a training run has two, and a service not many."""


@dataclass
class Unrolled:
    """The memory of batches of one shape, step by step, and the views of it that the steps need.

    Attributes:
        memory: holds all of it.
        inputs: (T + 1, F + 1 + H, B) features, a one and the state before each step; the last has a state only.
        kept: (T, blocks, H, B) what the cell keeps of each step for the way back.
        gradients: (chunk, blocks, H, B) gradients of the sums before the activations, of some steps.
        work: (blocks, H, B) gradient of the state, what of it goes past the product, and what the cell computes with.
        fixed: the pieces of memory that ``run`` uses in each step.
        forward: those that it uses in one step, step by step.
        backward: those that ``step_back`` uses.
    """

    memory: Array
    inputs: Array
    kept: Array
    gradients: Array
    work: Array
    fixed: tuple[Array, ...] = ()
    forward: list[tuple[Array, ...]] = field(default_factory=list)
    backward: list[tuple[Array, ...]] = field(default_factory=list)


class Recurrent(Layer):
    """Base of the layers with a state that goes from step to step.

    A subclass says how many blocks of (H, B) numbers it keeps of a step, and implements the methods from
    :meth:`weigh` to :meth:`weight_gradients`.

    Attributes:
        gates: names of the blocks of ``units`` columns in the kernels, in order.
        sigmoids: how many of them, the first ones, are squashed by a sigmoid.
        kept_blocks: factors and values that are kept of a step.
        gradient_blocks: gradients of sums before an activation.
        work_blocks: what a step needs besides, the gradients of the state counted.
    """

    keeps_output = True
    sized_by = "units"

    gates: ClassVar[tuple[str, ...]]
    sigmoids: ClassVar[int]
    kept_blocks: ClassVar[int]
    work_blocks: ClassVar[int]
    gradient_blocks: int

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
        # A sigmoid's sums are halved: sigmoid(a) = tanh(a / 2) / 2 + 1 / 2, so that one call of tanh serves all gates.
        halves = [0.5] * self.sigmoids + [1.0] * (count - self.sigmoids)
        self.scales = np.array(halves, self.dtype)[:, None, None]
        return (in_shape[0], units) if self.return_sequences else (units,)

    def kept_numbers(self, training: bool) -> int:
        if self.shapes is None:
            return 0
        steps, features = self.shapes[0]
        of_steps = steps * (features + 1 + self.units + self.kept_blocks * self.units)
        return of_steps + math.prod(self.shapes[1])

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
        self.weigh(rows)
        self.run(batch, count, ctx.training)
        states = batch.inputs[1 : count + 1, state:]
        if self.return_sequences:
            return order.put_back(states, "y")
        ctx.lengths = None
        y = self.scratch("y", (rows, self.units))
        if order.lengths is None:
            np.copyto(y.T, states[-1])
            return y
        y.fill(0)  # for rows without steps
        for step, rows_that_end in order.ends.items():
            np.copyto(y.T, states[step], where=rows_that_end)
        return y

    def _unroll(self, rows: int, steps: int) -> Unrolled:
        """Return the memory for batches of this shape: the same for all shapes, with views made once for each."""
        block, width = (self.units, rows), self.features + 1 + self.units
        # The weights' gradients are added once a chunk, which is seldom enough where they take less than it does.
        together = max(CACHED, len(self.gates) * self.units * width)
        chunk = max(1, min(steps, together // max(1, self.gradient_blocks * math.prod(block))))
        shapes = (
            (steps + 1, width, rows),
            (steps, self.kept_blocks, *block),
            (chunk, self.gradient_blocks, *block),
            (self.work_blocks, *block),
        )
        line = LINE // self.dtype.itemsize
        memory = self.scratch("memory", (sum(map(math.prod, shapes)) + len(shapes) * line,))
        found = self._unrolled.get((rows, steps))
        if found is not None and found.memory is memory.base:
            return found
        if found is not None or len(self._unrolled) >= MOST_UNROLLED:
            self._unrolled.clear()  # where the memory has grown, views would keep what it was
        start, parts = -memory.ctypes.data % LINE // self.dtype.itemsize, []
        for shape in shapes:
            size = math.prod(shape)
            parts.append(memory[start : start + size].reshape(shape))
            start += -(-size // line) * line
        inputs, kept, gradients, work = parts
        batch = self._unrolled[rows, steps] = Unrolled(np.asarray(memory.base), inputs, kept, gradients, work)
        batch.fixed = self.fixed_views(batch)
        batch.forward = [self.forward_views(batch, step) for step in range(steps)]
        batch.backward = [self.backward_views(batch, step, step % chunk) for step in range(steps)]
        return batch

    # -- backward

    def backward(self, dy: Array) -> Array | None:
        batch, count, rows = self.batch, self.order.count, len(dy)
        chunk, carried = len(batch.gradients), batch.work[:2]
        receive, receiving = self._receiver(dy, batch.work[0])
        cuts = range(0, count, self.truncate or max(1, count))
        dx = self.scratch("dx_steps", (count, rows, self.features)) if self.needs_input_gradient else None
        carried.fill(0)
        self.totals: dict[str, Array] = {}
        for start in range(max(0, count - 1) // chunk * chunk, -1, -chunk):
            stop = min(start + chunk, count)
            for step in range(stop - 1, start - 1, -1):
                if step in receiving:
                    receive(step)
                self.step_back(batch.backward[step], step in cuts)
                if step in cuts:
                    carried.fill(0)
            dz = self.weight_gradients(batch, start, stop)
            if dx is not None:
                np.dot(dz.T, self.kernel.value.T, dx[start:stop].reshape((stop - start) * rows, self.features))
        self.commit_all()
        return None if dx is None else self.order.put_back(dx.transpose(0, 2, 1), "dx")

    def _receiver(self, dy: Array, total: Array) -> tuple[Callable[[int], None], Container[int]]:
        """Return what adds a step's part of ``dy`` to the gradient of the state (H, B), and the steps that have one."""
        if self.return_sequences:
            steps = self.scratch("dy_steps", (self.order.count, *total.shape))
            self.order.read(dy, steps, "dy_read")

            def add(step: int) -> None:
                np.add(total, steps[step], total)

            return add, range(self.order.count)
        ends = self.order.ends

        def begin(step: int) -> None:
            np.copyto(total, dy.T, where=ends[step])  # behind the end of its sequence a row's gradient is 0

        return begin, ends

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 2 * in_shape[0] * (in_shape[1] + 1 + self.units) * len(self.gates) * self.units

    # -- what cells are made of

    def weights_of_steps(self, blocks: int, rows: int) -> Array:
        """Return memory (F + 1 + H, blocks, n, H / n) for what the inputs of a step are multiplied by, in blocks of H.

        It is multiplied by ``way_on``.
        """
        shape = (self.features + 1 + self.units, blocks * self.units)
        matrix, written = panels(self.scratch("weights", shape), self.parts_of_sums(blocks, rows), blocks)
        self.way_on = product_with(matrix)
        return written

    def parts_of_sums(self, blocks: int, rows: int) -> int:
        """Return in how many parts the sums (blocks H, B) of a step are computed."""
        return parts_of_product((blocks * self.units, self.features + 1 + self.units), rows, blocks)

    def lay_beside(self, weights: Array, gates: slice) -> None:
        """Write w, b and u of some gates into memory (F + 1 + H, gates, n, H / n), those of sigmoids halved."""
        features, scales, parts = self.features, self.scales[gates], (len(self.gates), *weights.shape[2:])
        np.multiply(self.kernel.value.reshape(-1, *parts)[:, gates], scales, weights[:features])
        np.multiply(self.offset.value.reshape(parts)[gates], scales, weights[features])
        np.multiply(self.recurrent_kernel.value.reshape(-1, *parts)[:, gates], scales, weights[features + 1 :])

    def take_kernel(self, kernel: Array, rows: int) -> None:
        """Take the kernel (H, sums) that gradients are multiplied by on the way back, by ``way_back``."""
        self.way_back = product_with(in_parts(kernel, parts_of_product(kernel.shape, rows)))

    def turned(self, key: str, steps: Array, width: int = 0) -> Array:
        """Return (steps, I, B) as (I, steps B) with rows of zeros up to ``width``."""
        count, own, rows = steps.shape
        out = self.scratch(key, (max(own, width), count, rows))
        np.copyto(out[:own], steps.transpose(1, 0, 2))
        out[own:].fill(0)
        return out.reshape(len(out), count * rows)

    def turned_inputs(self, batch: Unrolled, start: int, stop: int) -> Array:
        """Return the inputs of some steps as (F + 1 + H or more, steps B)."""
        width = batch.inputs.shape[1]
        # Products are faster where the width is a multiple of the vectors' 16; what more comes out is not used.
        wide = -(-width // 16) * 16
        return self.turned("steps", batch.inputs[start:stop], wide if 8 * wide <= 9 * width else 0)

    def turned_gradients(self, batch: Unrolled, count: int) -> Array:
        """Return the gradients of ``count`` sums that lie together as (blocks H, count B)."""
        gradients = batch.gradients[:count]
        return self.turned("dz", gradients.reshape(count, self.gradient_blocks * self.units, gradients.shape[3]))

    def add_products(self, key: str, dz: Array, inputs: Array) -> None:
        """Add dz (blocks H, steps B) times inputs (I, steps B) to the total (blocks H, I) of this name."""
        # The product with the longer side in front takes four fifths of the time of its transpose.
        total = self.totals.get(key)
        if total is None:
            self.totals[key] = np.dot(dz, inputs.T, self.scratch(key, (len(dz), len(inputs))))
            return
        part = np.dot(dz, inputs.T, self.scratch("part", total.shape))
        np.add(total, part, total)

    def commit_all(self) -> None:
        """Commit the gradients of w, b and u from the totals."""
        features, found = self.features, self.totals["gradients"].T
        copy_in_blocks(found[:features], self.kernel.gradient_slot())
        np.copyto(self.offset.gradient_slot(), found[features])
        copy_in_blocks(found[features + 1 : features + 1 + self.units], self.recurrent_kernel.gradient_slot())
        for parameter in (self.kernel, self.offset, self.recurrent_kernel):
            parameter.commit()

    # -- what a cell is

    def weigh(self, rows: int) -> None:
        """Lay the weights out for the passes through the steps of a batch of so many rows."""
        raise TypeError(f"{type(self).__name__} does not implement weigh")

    def fixed_views(self, batch: Unrolled) -> tuple[Array, ...]:
        """Return the pieces of memory that ``run`` uses in each step."""
        return ()

    def forward_views(self, batch: Unrolled, step: int) -> tuple[Array, ...]:
        """Return the pieces of memory that ``run`` uses in one step."""
        raise TypeError(f"{type(self).__name__} does not implement forward_views")

    def run(self, batch: Unrolled, count: int, training: bool) -> None:
        """Go through ``count`` steps; write each state into the next step's inputs, in training what is kept too."""
        raise TypeError(f"{type(self).__name__} does not implement run")

    def backward_views(self, batch: Unrolled, step: int, slot: int) -> tuple[Array, ...]:
        """Return the pieces of memory that ``step_back`` uses in a step, whose gradients go to ``slot``."""
        raise TypeError(f"{type(self).__name__} does not implement backward_views")

    def step_back(self, views: tuple[Array, ...], cut: bool) -> None:
        """Write the gradients of a step's sums, and turn the gradient of its state into that of the state before it.

        Where the gradient is cut, what is left in place of the latter does not count.
        """
        raise TypeError(f"{type(self).__name__} does not implement step_back")

    def weight_gradients(self, batch: Unrolled, start: int, stop: int) -> Array:
        """Add what some steps give to the totals; return the gradients of the sums of x w, (gates H, steps B)."""
        dz = self.turned_gradients(batch, stop - start)
        self.add_products("gradients", dz, self.turned_inputs(batch, start, stop))
        return dz
