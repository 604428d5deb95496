"""Products of windows with a kernel, and their adjoints: what convolutions and transposed convolutions share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import Initializer
from nntrain.core.layer import Layer
from nntrain.core.windows import Windows, add_windows, gather, interior, padded_image
from nntrain.layers.rows import as_rows, parts_of

BYTES_OF_WINDOWS = 4 << 20
"""Windows of a batch are gathered and multiplied a few rows at a time, so that they stay in the processor's cache."""

FILTERS_FOR_A_CHANNEL = 8
"""Up to this ratio of filters to channels, gathering windows of dy is faster than adding windows up to dx."""

CHANNELS_OF_A_BLOCK = 16
"""Groups narrower than this are multiplied together: more products of numbers, in fewer and faster ones of matrices."""


class WindowProducts(Layer):
    """Base of layers with a kernel (\\*kernel, C / groups, F) that stands at all windows of a batch (B, \\*sizes, C).

    Its methods speak of the convolution from C channels to F; a transposed convolution takes its adjoint, from F
    channels to C, for the forward pass.

    Attributes:
        windows: where the kernel stands.
        groups: parts of the channels and of the filters that know nothing of each other.
        blocks: products that are made for them, each for as many groups as make it worth its while.
        kept: the matrix of windows of the latest :meth:`_multiply`, where the kernel's gradient can use it again.
    """

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

    def _add_parameters(self, shape: Shape, units: int, fans: tuple[int, int]) -> None:
        self.blocks = self._count_blocks(min(shape[-2], shape[-1] // self.groups))
        self.weights = self.add_parameter("kernel", shape, self.kernel_initializer, fans=fans)
        if self.bias:
            self.offset = self.add_parameter("bias", (units,), self.bias_initializer, penalized=False, fans=fans)
        self.ones = np.ones(1, self.dtype)
        self.kept: Array | None = None

    def _count_blocks(self, width: int) -> int:
        """Return the most blocks that divide the groups and are not narrower than a product is worth."""
        dividing = [n for n in range(1, self.groups + 1) if self.groups % n == 0]
        return max(n for n in dividing if n == 1 or width * (self.groups // n) >= CHANNELS_OF_A_BLOCK)

    def _pieces(self, rows: int, numbers: int) -> Iterator[slice]:
        """Return parts of a batch whose windows of ``numbers`` a row fit the cache; at least one."""
        return parts_of(rows, max(1, BYTES_OF_WINDOWS // max(1, numbers * self.dtype.itemsize)))

    def _columns(self, image: Array, windows: Windows, counts: Shape) -> Array:
        return as_rows(self, image, "columns") if windows.is_pointwise else gather(self, image, windows, counts)

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

    def _multiply(
        self,
        x: Array,
        windows: Windows,
        matrices: Array,
        y: Array,
        *,
        lengths: Array | None = None,
        add_offset: bool = False,
    ) -> Array | None:
        """Write the windows of x (B, \\*sizes, C) times the matrices into y (B, \\*counts, F), and add the offset.

        Returns:
            the matrix of all windows, where it was made in one piece.
        """
        counts, blocks = y.shape[1:-1], self.blocks
        filters = y.shape[-1] // blocks
        columns: Array | None = None
        pieces = 0
        for rows in self._pieces(len(x), math.prod(counts) * matrices.shape[1]):
            image, part = padded_image(self, x, rows, windows, lengths, blocks), y[rows]
            for block in range(blocks):
                columns = self._columns(image[block], windows, counts)
                self._write_product(columns, matrices[block], part[..., block * filters : (block + 1) * filters])
            if add_offset:
                self._add_offset(part)
            pieces += 1
        return columns if pieces == blocks == 1 else None

    def _write_product(self, a: Array, b: Array, out: Array) -> None:
        if out.flags.c_contiguous:
            np.dot(a, b, out=out.reshape(-1, out.shape[-1]))
            return
        product = self.scratch("product", (len(a), b.shape[1]))
        np.dot(a, b, out=product)
        np.copyto(out, product.reshape(out.shape))

    def _multiply_transposed(self, dy: Array, windows: Windows, dx: Array) -> None:
        """Write dx (B, \\*sizes, C), the adjoint of :meth:`_multiply` on dy (B, \\*counts, F)."""
        channels, filters = dx.shape[-1] // self.blocks, dy.shape[-1] // self.blocks
        if windows.is_pointwise or (set(windows.stride) == {1} and filters <= FILTERS_FOR_A_CHANNEL * channels):
            self._multiply(dy, windows.turned(), self._matrices(turned=True), dx)
            return
        matrices, counts, sizes = self._matrices(), dy.shape[1:-1], dx.shape[1:-1]
        for rows in self._pieces(len(dy), math.prod(counts) * matrices.shape[1]):
            part = dx[rows]
            image = part
            if windows.is_padded or self.blocks > 1:
                image = self.scratch("image", (len(part), *windows.padded(sizes), channels))
            for block in range(self.blocks):
                gradient = as_rows(self, dy[rows][..., block * filters : (block + 1) * filters], "dy")
                columns = self.scratch("columns", (len(gradient), matrices.shape[1]))
                np.dot(gradient, matrices[block].T, out=columns)
                image.fill(0)
                add_windows(columns, image, windows, counts)
                if image is not part:
                    target = part[..., block * channels : (block + 1) * channels]
                    np.copyto(target, interior(image, windows, sizes))

    def _add_kernel_gradient(self, x: Array, windows: Windows, dy: Array, lengths: Array | None = None) -> None:
        """Add the sum over all windows of x transposed times dy to the kernel's gradient."""
        slot = self.weights.gradient_slot()
        parts = self._by_group(slot)
        places, _, blocks, groups, _ = parts.shape
        channels, filters, counts = x.shape[-1] // blocks, dy.shape[-1] // blocks, dy.shape[1:-1]
        shape = (blocks, places * channels, filters)
        total = slot.reshape(shape) if self.groups == 1 else self.scratch("total", shape)
        for number, rows in enumerate(self._pieces(len(x), math.prod(counts) * shape[1])):
            image = padded_image(self, x, rows, windows, lengths, blocks) if self.kept is None else x
            for block in range(blocks):
                columns = self.kept
                if columns is None:
                    columns = self._columns(image[block], windows, counts)
                gradient = as_rows(self, dy[rows][..., block * filters : (block + 1) * filters], "dy")
                out = self.scratch("part", shape[1:]) if number else total[block]
                np.dot(columns.T, gradient, out=out)
                if number:
                    np.add(total[block], out, out=total[block])
        self.kept = None  # the next product writes over it
        if self.groups > 1:
            by_group = total.reshape(blocks, places, groups, channels // groups, groups, filters // groups)
            for group in range(groups):
                np.copyto(parts[:, :, :, group], by_group[:, :, group, :, group].transpose(1, 2, 0, 3))
        self.weights.commit()

    def _add_bias_gradient(self, dy: Array) -> None:
        rows = as_rows(self, dy, "dy")
        if len(self.ones) < len(rows):
            self.ones = np.ones(len(rows), self.dtype)
        np.dot(self.ones[: len(rows)], rows, out=self.offset.gradient_slot())
        self.offset.commit()

    def _add_offset(self, y: Array) -> None:
        """Add the bias to y (B, \\*counts, F), where there is one, to a line of positions at a time: longer loops."""
        if not self.bias or not y.size:
            return
        line = self.scratch("line", (1, y.shape[-2], self.offset.size))
        np.copyto(line, self.offset.value)
        lines = y.reshape(-1, line.size)
        np.add(lines, line.reshape(-1), out=lines)

    def skip_input_gradient(self) -> bool:
        # The kernel learns in any case, and the activation stands behind it.
        self.needs_input_gradient = False
        return False
