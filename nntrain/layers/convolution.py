"""What the convolutions of sequences and of images share: all but the number of axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context
from nntrain.core.memory import shape_text
from nntrain.core.steps import clear_padding, window_lengths
from nntrain.core.windows import Windows
from nntrain.layers.activation import InPlaceActivation
from nntrain.layers.depthwise import (
    depthwise_input_gradient,
    depthwise_kernel_gradient,
    depthwise_product,
    depthwise_tiles,
    depthwise_tiles_back,
)
from nntrain.layers.left_to_pool import TakesPieces
from nntrain.layers.window_products import WindowProducts

KEPT_BYTES = 8 << 20
"""Memory up to which the lines of all windows are kept for the backward pass, in place of gathering them anew."""


class Convolution(WindowProducts):
    """Base of the convolutions: y = activation(windows of x times w + b), for x (B, \\*sizes, C).

    A batch passes through a few rows at a time, forward and backward, with bias and activation: all that a row needs is
    then in the processor's cache.

    Attributes:
        kept: the windows of the latest forward, or their lines, where they are of all rows; the kernel's gradient needs
            them.
        taker: what takes the output piece by piece, right behind the layer, or None.
        fed: the same, in the latest forward; None where examples had lengths, or another shape than at first.
    """

    padding: str
    lengths: Array | None
    kept: Array | None
    taker: TakesPieces | None = None
    fed: TakesPieces | None = None

    def bind(self, name: str, dtype: np.dtype[Any], seed: int) -> None:
        super().bind(name, dtype, seed)
        self.taker = self.fed = None

    def kept_numbers(self, training: bool) -> int:
        return super().kept_numbers(training) if self.taker is None else 0

    def feed(self, taker: TakesPieces) -> bool:
        is_ready = self.activation is None or isinstance(self.activation, InPlaceActivation)
        self.taker = taker if is_ready else None
        return is_ready

    def _build(self, in_shape: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Shape:
        *sizes, channels = in_shape
        # Beyond the input a stride leads nowhere, and a window of one place has no gaps, however large the numbers are.
        stride = tuple(min(step, size + 1) for step, size in zip(stride, sizes, strict=True))
        dilation = tuple(1 if places == 1 else gap for places, gap in zip(kernel, dilation, strict=True))
        self.windows = Windows.of(kernel, stride, dilation, self.padding)
        counts = self.windows.counts(tuple(sizes))
        if 0 in counts:
            raise self.shape_error(self._fitting(), in_shape)
        for kind, number in (("channels", channels), ("filters", self.filters)):
            if number % self.groups:
                raise self.shape_error(f"groups that divide {number} {kind}, has groups: {self.groups}", in_shape)
        self.is_depthwise = 1 < channels == self.groups == self.filters
        places = self.windows.places
        fans = (places * channels // self.groups, places * self.filters // self.groups)
        self._add_parameters((*kernel, channels // self.groups, self.filters), self.filters, fans)
        self._refuse_large_windows(in_shape, counts)
        self.sized_by = "filters"  # of the output, whatever of the kernel
        out_shape = (*counts, self.filters)
        return out_shape if self.activation is None else self.activation.set_up(out_shape)

    def _refuse_large_windows(self, in_shape: Shape, counts: Shape) -> None:
        """Refuse what a single row takes on its way through the layer, where no memory can hold it."""
        *sizes, channels = in_shape
        padded, places = self.windows.padded(tuple(sizes)), self.windows.places
        argument = "kernel" if set(self.windows.dilation) == {1} else "dilation"
        if self.windows.is_padded:
            shape = shape_text((*padded, channels))
            self.refuse_too_large(f"an input of {shape} with its padding", math.prod(padded) * channels, argument)
        if self.is_depthwise or self.windows.is_pointwise:
            return
        count, width = math.prod(counts), places * (channels // self.blocks)
        if self._goes_by_lines(self.windows, channels, self.filters):
            count, width = padded[0] * counts[1], self.windows.kernel[1] * channels
        matrix = f"a matrix of {count:,} windows of {width:,} numbers for each row"
        self.refuse_too_large(matrix, count * width, argument)

    def _fitting(self) -> str:
        """Return what a kernel that reaches beyond the input needs."""
        kernel, reach = (" x ".join(map(str, sizes)) for sizes in (self.windows.kernel, self.windows.reach))
        dilation = " x ".join(map(str, self.windows.dilation))
        gaps = f" with dilation {dilation}" if kernel != reach else ""
        return f"inputs of at least {reach} for a kernel of {kernel}{gaps} and padding: valid"

    def forward(self, x: Array, ctx: Context) -> Array:
        self.x, self.lengths, windows = x, ctx.lengths, self.windows
        shape = (len(x), *windows.counts(x.shape[1:-1]), self.filters)
        is_usual = ctx.lengths is None and self.shapes == (x.shape[1:], shape[1:])
        fed = self.fed = self.taker if is_usual else None
        y = self.scratch("y", shape) if fed is None else fed.begin(shape, ctx.training)
        line, pieces = self._line_of_bias(y), self._pieces_of(x, y)
        matrices = depthwise_tiles(self, self._by_place(), y.shape[-2]) if self.is_depthwise else self._matrices()
        columns: Array | None = None
        lines = self._memory_for_lines(x, y) if ctx.training else None
        for rows in pieces:
            part = y[rows] if fed is None else fed.room(rows)
            lengths = None if self.lengths is None else self.lengths[rows]
            if self.is_depthwise:
                depthwise_product(self, x[rows], windows, matrices, part, lengths)
            else:
                place = None if lines is None else lines[rows]
                columns = self._multiply(x[rows], windows, matrices, part, lengths, place)
            self._finish(part, line)
            if fed is not None:
                fed.take(rows, part)
        self.kept = columns if len(pieces) == 1 else lines
        if ctx.lengths is not None:
            axis = (windows.kernel[0], windows.stride[0], windows.dilation[0])
            ctx.lengths = window_lengths(self, ctx.lengths, *axis, self.padding)
        return self._activated(y, ctx)

    def _memory_for_lines(self, x: Array, y: Array) -> Array | None:
        """Return memory for the lines of all windows, where it is little enough to be kept for the backward pass."""
        if self.is_depthwise or not self._goes_by_lines(self.windows, x.shape[-1], self.filters):
            return None
        height, _ = self.windows.padded(x.shape[1:-1])
        shape = (len(x), height, y.shape[2], self.windows.kernel[1] * x.shape[-1])
        return self.scratch("lines", shape) if math.prod(shape) * self.dtype.itemsize <= KEPT_BYTES else None

    def _pieces_of(self, x: Array, y: Array) -> list[slice]:
        """Return parts of a batch that pass through the layer one after the other."""
        channels, places = x.shape[-1], self.windows.places
        if self._goes_by_lines(self.windows, channels, self.filters):
            places = self.windows.kernel[1]
        width = 2 * channels if self.is_depthwise else places * (channels // self.blocks) + self.filters
        if self.fed is not None:
            width += self.filters  # a pool sorts them by their place in a window
        return list(self._pieces(len(x), y.shape[1:-1], width))

    def backward(self, dy: Array) -> Array | None:
        dy = self._before_activation(dy)
        back = self._kernel_for_input_gradient(dy) if self.needs_input_gradient else None
        dx = None if back is None else self.scratch("dx", self.x.shape)
        slot = self.weights.gradient_slot()
        total = self._by_place(slot) if self.is_depthwise else self._total(slot)
        offset = self._bias_slot()
        for rows in self._pieces_of(self.x, dy):
            part, first = dy[rows] if self.fed is None else self.fed.give(rows), rows.start == 0
            part = self._part_before_activation(part, rows)
            if offset is not None:
                self._add_to_bias_gradient(part, offset, first=first)
            self._add_to_gradient(rows, part, total, first=first)
            if dx is not None and back is not None:
                self._write_input_gradient(part, back, dx[rows])
        self.kept = None  # the next product writes over it
        if offset is not None:
            self.offset.commit()
        if self.is_depthwise:
            self.weights.commit()
        else:
            self._commit_kernel_gradient(slot, total)
        return None if dx is None else clear_padding(self, dx, self.lengths)

    def _add_to_gradient(self, rows: slice, dy: Array, total: Array, *, first: bool) -> None:
        x, lengths = self.x[rows], None if self.lengths is None else self.lengths[rows]
        if self.is_depthwise:
            depthwise_kernel_gradient(self, x, self.windows, dy, total, lengths, first=first)
        else:
            kept = None if self.kept is None else self.kept[rows]
            self._add_to_kernel_gradient(x, dy, total, first=first, lengths=lengths, kept=kept)

    def _kernel_for_input_gradient(self, dy: Array) -> Array:
        """Return the kernel as :meth:`_write_input_gradient` takes it."""
        if self.is_depthwise:
            return depthwise_tiles_back(self, self.windows, self._by_place(), self.x, dy)
        return self._matrices(turned=not self._adds_up(self.x.shape[-1], self.filters))

    def _write_input_gradient(self, dy: Array, kernel: Array, dx: Array) -> None:
        if self.is_depthwise:
            depthwise_input_gradient(self, dy, self.windows, kernel, dx)
        else:
            self._multiply_transposed(dy, kernel, dx)

    def _by_place(self, kernel: Array | None = None) -> Array:
        return (self.weights.value if kernel is None else kernel).reshape(-1, self.filters)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 2 * self.windows.places * (in_shape[-1] // self.groups) * math.prod(out_shape)
