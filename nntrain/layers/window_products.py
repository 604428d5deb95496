"""Products of windows with a kernel, and their adjoints: what convolutions and transposed convolutions share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Initializer
from nntrain.core.layer import Context, Layer
from nntrain.core.windows import (
    CHANNELS_WORTH_A_ROW,
    Windows,
    add_windows,
    gather,
    gather_lines,
    interior,
    is_planar,
    padded_image,
)
from nntrain.layers.activation import InPlaceActivation
from nntrain.layers.left_to_pool import LeftToPool
from nntrain.layers.line_products import sum_of_line_products, times_lines
from nntrain.layers.rows import as_rows, parts_of, reshaped
from nntrain.layers.small_products import sum_of_products, times_small

BYTES_OF_A_PIECE = 2 << 20
"""A batch passes through the layer a few rows at a time, so that their windows stay in the processor's cache."""

FILTERS_FOR_A_CHANNEL = 8
"""Up to this ratio of filters to channels, gathering windows of dy is faster than adding windows up to dx."""

LARGEST_LINE = 16384
"""Weights of a line of the kernel up to which products are made line by line."""

CHANNELS_OF_A_BLOCK = 16
"""Groups narrower than this are multiplied together: more products of numbers, in fewer and faster ones of matrices."""


class WindowProducts(LeftToPool):
    """Base of layers with a kernel (\\*kernel, C / groups, F) that stands at all windows of a batch (B, \\*sizes, C).

    Its methods speak of the convolution from C channels to F, and of a piece of the batch at a time; a transposed
    convolution takes its adjoint, from F channels to C, for the forward pass.

    Attributes:
        windows: where the kernel stands.
        groups: parts of the channels and of the filters that know nothing of each other.
        blocks: products that are made for them, each for as many groups as make it worth its while.
    """

    keeps_output = True

    filters: int
    groups: int = 1
    blocks: int = 1
    windows: Windows
    activation: Layer | None
    bias: bool
    kernel_initializer: Initializer
    bias_initializer: Initializer

    @property
    def children(self) -> Sequence[Layer]:
        return () if self.activation is None else (self.activation,)

    def kept_numbers(self, training: bool) -> int:
        # A max pool that does the bias and the activation is given the product.
        return 0 if self.shapes is None else math.prod(self.shapes[1])

    def _add_parameters(self, shape: Shape, units: int, fans: tuple[int, int]) -> None:
        self.blocks = self._count_blocks(min(shape[-2], shape[-1] // self.groups))
        self.sized_by = "filters" if self.filters >= math.prod(shape[:-2]) else "kernel"
        self.weights = self.add_parameter("kernel", shape, self.kernel_initializer, fans=fans)
        if self.bias:
            self.offset = self.add_parameter("bias", (units,), self.bias_initializer, penalized=False, fans=fans)
        self.ones = np.ones(1, self.dtype)

    def _count_blocks(self, width: int) -> int:
        """Return the most blocks that divide the groups and are not narrower than a product is worth."""
        small = [n for n in range(1, math.isqrt(self.groups) + 1) if self.groups % n == 0]
        dividing = [*small, *(self.groups // n for n in small)]
        return max(n for n in dividing if n == 1 or width * (self.groups // n) >= CHANNELS_OF_A_BLOCK)

    def _pieces(self, rows: int, counts: Shape, width: int) -> Iterator[slice]:
        """Return parts of a batch, at least one, such that windows of a width for each of the counts fit the cache."""
        numbers = math.prod(counts) * width
        return parts_of(rows, max(1, BYTES_OF_A_PIECE // max(1, numbers * self.dtype.itemsize)))

    def _matrices(self, turned: bool = False) -> Array:
        """Return the kernel as (blocks, places C / blocks, F / blocks), a block being some groups.

        Within a block groups see each other's channels with weights of 0. With ``turned`` the kernel is turned by 180
        degrees, channels and filters exchanged: (blocks, places F / blocks, C / blocks).
        """
        source = self._by_group(self.weights.value)
        places, channels, blocks, groups, filters = source.shape
        if self.groups == 1 and not turned:
            return source.reshape(1, -1, filters)
        if turned:
            source, channels, filters = source[::-1].transpose(0, 4, 2, 3, 1), filters, channels
        matrices = self.scratch("turned" if turned else "matrices", (blocks, places, groups, channels, groups, filters))
        if groups > 1:
            matrices.fill(0)
        for group in range(groups):
            np.copyto(matrices[:, :, group, :, group], source[:, :, :, group].transpose(2, 0, 1, 3))
        return matrices.reshape(blocks, -1, groups * filters)

    def _by_group(self, kernel: Array) -> Array:
        """Return a view of the kernel as (places, C / groups, blocks, groups of a block, filters / groups)."""
        channels, filters = kernel.shape[-2], kernel.shape[-1] // self.groups
        return kernel.reshape(-1, channels, self.blocks, self.groups // self.blocks, filters)

    def _windows_of(self, x: Array, windows: Windows, counts: Shape, lengths: Array | None = None) -> Iterator[Array]:
        """Yield each block's windows of x (B, \\*sizes, C) as (B, windows, numbers of a window); valid until the next.

        Steps past the lengths are zeros.
        """
        planar = not windows.is_pointwise and is_planar(windows, x.shape[-1] // self.blocks)
        for image in padded_image(self, x, windows, lengths, self.blocks, planar):
            if windows.is_pointwise:
                yield reshaped(self, image, (len(image), math.prod(counts), image.shape[-1]), "columns")
            else:
                yield gather(self, image, windows, counts)

    def _multiply(
        self,
        x: Array,
        windows: Windows,
        matrices: Array,
        y: Array,
        lengths: Array | None = None,
        lines: Array | None = None,
    ) -> Array | None:
        """Write the windows of x (B, \\*sizes, C) times the matrices into y (B, \\*counts, F).

        Args:
            x: a piece of the batch.
            windows: where the matrices stand.
            matrices: from :meth:`_matrices`.
            y: is written.
            lengths: of padded sequences.
            lines: where to gather, in case of :meth:`_goes_by_lines`; left out: in scratch memory.

        Returns:
            the windows, or their lines, where there is one block.
        """
        filters = y.shape[-1] // self.blocks
        if self._goes_by_lines(windows, x.shape[-1], filters):
            lines = self._lines_of(x, windows, y.shape[2], lengths, lines)
            times_lines(self, lines, matrices.reshape(windows.kernel[0], -1, filters), windows, y)
            return lines
        columns: Array | None = None
        for block, columns in enumerate(self._windows_of(x, windows, y.shape[1:-1], lengths)):
            out = y if self.blocks == 1 else y[..., block * filters : (block + 1) * filters]
            times_small(columns, matrices[block], out.reshape(*columns.shape[:2], filters))
        return columns if self.blocks == 1 else None

    def _goes_by_lines(self, windows: Windows, channels: int, filters: int) -> bool:
        """Return whether products are made line by line of the kernel: measured to be faster for those lines."""
        if self.blocks > 1 or len(windows.kernel) != 2 or windows.kernel[0] == 1 or windows.stride[0] > 1:
            return False
        line = windows.kernel[1] * channels
        return line >= CHANNELS_WORTH_A_ROW and line * filters <= LARGEST_LINE and not is_planar(windows, channels)

    def _lines_of(
        self, x: Array, windows: Windows, count: int, lengths: Array | None = None, out: Array | None = None
    ) -> Array:
        """Return the lines of the windows, so many in a row, in ``out`` or in scratch ``columns``."""
        [image] = padded_image(self, x, windows, lengths)
        if out is None:
            shape = (*image.shape[:2], count, windows.kernel[1] * image.shape[-1])
            out = self.scratch("columns", shape)
        return gather_lines(image, windows, out)

    def _adds_up(self, channels: int, filters: int) -> bool:
        """Return whether the adjoint adds products up at the windows; else it is a product with windows of dy."""
        if self.windows.is_pointwise:
            return False
        return set(self.windows.stride) != {1} or filters > FILTERS_FOR_A_CHANNEL * channels

    def _multiply_transposed(self, dy: Array, matrices: Array, dx: Array) -> None:
        """Write dx (B, \\*sizes, C), the adjoint of :meth:`_multiply` on dy (B, \\*counts, F).

        The matrices are to be the turned ones, except where :meth:`_adds_up`.
        """
        channels, filters = dx.shape[-1] // self.blocks, dy.shape[-1] // self.blocks
        windows, counts, sizes = self.windows, dy.shape[1:-1], dx.shape[1:-1]
        if not self._adds_up(channels, filters):
            self._multiply(dy, windows.turned(), matrices, dx)
            return
        image = dx
        if windows.is_padded or self.blocks > 1:
            image = self.scratch("image", (len(dx), *windows.padded(sizes), channels))
        for block in range(self.blocks):
            gradient = as_rows(self, dy[..., block * filters : (block + 1) * filters], "block")
            columns = self.scratch("columns", (len(gradient), matrices.shape[1]))
            np.dot(gradient, matrices[block].T, out=columns)
            image.fill(0)
            add_windows(columns, image, windows, counts)
            if image is not dx:
                np.copyto(dx[..., block * channels : (block + 1) * channels], interior(image, windows, sizes))

    def _add_to_kernel_gradient(
        self, x: Array, dy: Array, total: Array, *, first: bool, lengths: Array | None = None, kept: Array | None = None
    ) -> None:
        """Add the sum over all windows of x transposed times dy (B, \\*counts, F) to ``total``, or write it there.

        Args:
            x: (B, \\*sizes, C).
            dy: gradient of what stands at the windows.
            total: (blocks, places C / blocks, F / blocks), as :meth:`_total` returns it.
            first: whether this is the first piece of a batch.
            lengths: of padded sequences.
            kept: what :meth:`_multiply` has returned for the same piece, if nothing was written since.
        """
        counts, filters = dy.shape[1:-1], dy.shape[-1] // self.blocks
        if self._goes_by_lines(self.windows, x.shape[-1], filters):
            lines = self._lines_of(x, self.windows, counts[1], lengths) if kept is None else kept
            slots = total.reshape(self.windows.kernel[0], -1, filters)
            dy = reshaped(self, dy, dy.shape, "block")
            sum_of_line_products(self, lines, dy, self.windows, slots, first=first)
            return
        found = self._windows_of(x, self.windows, counts, lengths) if kept is None else iter((kept,))
        for block, columns in enumerate(found):
            part = dy if self.blocks == 1 else dy[..., block * filters : (block + 1) * filters]
            gradient = reshaped(self, part, (*columns.shape[:2], filters), "block")
            if first:
                sum_of_products(self, columns, gradient, total[block])
            else:
                more = self.scratch("part", total.shape[1:])
                sum_of_products(self, columns, gradient, more)
                np.add(total[block], more, out=total[block])

    def _total(self, slot: Array) -> Array:
        """Return where to add up the kernel's gradient, (blocks, places C / blocks, F / blocks)."""
        places, channels, blocks, groups, filters = self._by_group(slot).shape
        shape = (blocks, places * groups * channels, groups * filters)
        return slot.reshape(shape) if self.groups == 1 else self.scratch("total", shape)

    def _commit_kernel_gradient(self, slot: Array, total: Array) -> None:
        if self.groups > 1:
            parts = self._by_group(slot)
            places, channels, blocks, groups, filters = parts.shape
            by_group = total.reshape(blocks, places, groups, channels, groups, filters)
            for group in range(groups):
                np.copyto(parts[:, :, :, group], by_group[:, :, group, :, group].transpose(1, 2, 0, 3))
        self.weights.commit()

    def _add_to_bias_gradient(self, dy: Array, slot: Array, *, first: bool) -> None:
        """Add the sum of dy (B, \\*counts, F) over all but the last axis to ``slot``, or write it there."""
        rows = as_rows(self, dy, "block")
        if len(self.ones) < len(rows):
            self.ones = np.ones(len(rows), self.dtype)
        out = slot if first else self.scratch("bias_part", slot.shape)
        np.dot(self.ones[: len(rows)], rows, out=out)
        if not first:
            np.add(slot, out, out=slot)

    def _line_of_bias(self, y: Array) -> Array | None:
        """Return the bias once for each position of a line of y, for longer loops; None without a bias."""
        if not self.bias:
            return None
        line = self.scratch("line", (y.shape[-2], self.offset.size))
        np.copyto(line, self.offset.value)
        return line.reshape(-1)

    def _add_bias(self, x: Array, line: Array | None, out: Array) -> bool:
        """Write x plus a line of the bias into ``out``, which may be x; return whether there was anything to add."""
        if line is None or x.size == 0:
            return False
        np.add(x.reshape(-1, line.size), line, out=out.reshape(-1, line.size))
        return True

    def _finish(self, y: Array, line: Array | None) -> None:
        """Add the bias to a piece of the output, and apply the activation if that goes piece by piece."""
        if self.hands_over:
            return
        self._add_bias(y, line, y)
        if isinstance(self.activation, InPlaceActivation):
            self.activation.apply(y, y)

    def _activated(self, y: Array, ctx: Context) -> Array:
        """Return the output, given that of :meth:`_finish` for all pieces."""
        if self.hands_over:
            return y
        if isinstance(self.activation, InPlaceActivation):
            self.activation.y = y
            return y
        return y if self.activation is None else self.activation.forward(y, ctx)

    def _before_activation(self, dy: Array) -> Array:
        """Return the gradient before the activation, except where :meth:`_part_before_activation` makes it."""
        if self.activation is None or isinstance(self.activation, InPlaceActivation):
            return dy
        return np.asarray(self.activation.backward(dy))

    def _part_before_activation(self, part: Array, rows: slice) -> Array:
        """Return the gradient before the activation of some rows, given that of the output."""
        if self.hands_over or not isinstance(self.activation, InPlaceActivation):
            return part
        return self.activation.pull_back(part, self.activation.y[rows], self.scratch("dy", part.shape))

    def _bias_slot(self) -> Array | None:
        """Return where to write the bias's gradient, where that is for the layer itself to do."""
        return self.offset.gradient_slot() if self.bias and not self.hands_over else None

    def hand_over(self, shape: Shape) -> bool:
        if self.activation is not None:
            if not isinstance(self.activation, InPlaceActivation):
                return False
            self.activation.build(shape)
        self.hands_over = self.bias or self.activation is not None
        return self.hands_over

    def finish(self, x: Array, out: Array) -> None:
        if self._add_bias(x, self._line_of_bias(x), out):
            x = out
        if isinstance(self.activation, InPlaceActivation):
            self.activation.finish(x, out)

    def before_finish(self, dy: Array) -> Array:
        if isinstance(self.activation, InPlaceActivation):
            dy = self.activation.before_finish(dy)
        if self.bias:
            self._add_to_bias_gradient(dy, self.offset.gradient_slot(), first=True)
            self.offset.commit()
        return dy

    def skip_input_gradient(self) -> bool:
        # The kernel learns in any case, and the activation stands behind it.
        self.needs_input_gradient = False
        return False
