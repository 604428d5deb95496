"""The transposed convolution of images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import LAYERS, Context, LayerLike
from nntrain.core.steps import clear_padding, without_padding
from nntrain.core.windows import PerAxis, Windows, per_axis
from nntrain.layers.window_products import WindowProducts


@LAYERS.register("conv2d_transpose")
class Conv2dTranspose(WindowProducts):
    """A transposed convolution, which enlarges images: x[i, j] w[p, q] is added to y[i stride + p, j stride + q].

    x is (B, H, W, C), w (KH, KW, filters, C), b (filters,) and y (B, H', W', filters); b and the activation come after
    the sum. With ``padding: valid`` H' = (H - 1) stride + KH, and x[i] is spread over y[i stride] to
    y[i stride + KH - 1]. With ``same`` H' = H stride, and x[i] is spread over y[i stride - (KH - 1) // 2] to
    y[i stride - (KH - 1) // 2 + KH - 1], without what lies outside: its centre is y[i stride], and the layer is the
    adjoint of a ``conv2d`` of the same kernel, stride and padding. W' likewise. Where the kernel is smaller than the
    stride, y is b in the gaps (Zeiler et al. 2010, section 3; Dumoulin and Visin 2016, chapter 4).

    Args:
        filters: number of output channels.
        kernel: height and width of what one place spreads over, one integer for both or two.
        stride: by how much the image is enlarged, one integer or two.
        padding: "valid" keeps all of y; "same" gives ``stride`` times the size of the input.
        activation: applied to the result; none where left out.
        bias: whether b is added.
        kernel_initializer: first values of w.
        bias_initializer: first values of b.

    Raises:
        ConfigError: the examples are no images.

    >>> Conv2dTranspose(8, kernel=3, stride=2, padding="same").build((7, 7, 16))
    (14, 14, 8)
    >>> Conv2dTranspose(8, kernel=[3, 2], stride=2).build((7, 7, 16))
    (15, 14, 8)
    """

    def __init__(
        self,
        filters: Annotated[int, Ge(1)],
        kernel: PerAxis,
        stride: PerAxis = 1,
        padding: Literal["valid", "same"] = "valid",
        activation: LayerLike | None = None,
        bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
    ) -> None:
        self.filters = filters
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.activation = None if activation is None else LAYERS.build(activation)
        self.bias = bias
        self.kernel_initializer = INITIALIZERS.build(kernel_initializer)
        self.bias_initializer = INITIALIZERS.build(bias_initializer)

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 3 or min(in_shape) < 1:
            raise self.shape_error("images of shape (height, width, channels)", in_shape)
        kernel, channels = per_axis(self.kernel), in_shape[-1]
        stride = per_axis(self.stride)
        if self.padding == "valid":  # a single place is spread no further than the kernel reaches, whatever the stride
            axes = zip(stride, kernel, in_shape[:-1], strict=True)
            stride = tuple(min(step, reach + 1) if count == 1 else step for step, reach, count in axes)
        self.windows = Windows.of(kernel, stride, (1, 1), self.padding)
        fans = (math.prod(kernel) * channels, math.prod(kernel) * self.filters)
        self._add_parameters((*kernel, self.filters, channels), self.filters, fans)
        numbers = {"filters": self.filters, "stride": math.prod(stride)}
        numbers |= {"kernel": math.prod(kernel)} if self.padding == "valid" else {}
        self.sized_by = max(numbers, key=lambda argument: numbers[argument])
        out_shape = (*self._sizes(in_shape[:-1]), self.filters)
        return out_shape if self.activation is None else self.activation.set_up(out_shape)

    def _sizes(self, counts: Shape) -> Shape:
        if self.padding == "same":
            return tuple(count * stride for count, stride in zip(counts, self.windows.stride, strict=True))
        return self.windows.sizes(counts)

    def forward(self, x: Array, ctx: Context) -> Array:
        self.lengths = ctx.lengths
        self.x = without_padding(self, x, ctx.lengths, "x")
        y = self.scratch("y", (len(x), *self._sizes(x.shape[1:-1]), self.filters))
        matrices = self._matrices(turned=not self._adds_up(self.filters, x.shape[-1]))
        line = self._line_of_bias(y)
        for rows in self._pieces_of(y):
            self._multiply_transposed(self.x[rows], matrices, y[rows])
            self._finish(y[rows], line)
        if ctx.lengths is not None:
            ctx.lengths = self._new_lengths(ctx.lengths)
        return self._activated(y, ctx)

    def _pieces_of(self, y: Array) -> Iterator[slice]:
        """Return parts of a batch that pass through the layer one after the other."""
        return self._pieces(len(y), self.x.shape[1:-1], self.windows.places * self.filters + self.x.shape[-1])

    def _new_lengths(self, lengths: Array) -> Array:
        """Return the lengths behind the layer, 0 for sequences of no step."""
        found = self.scratch("lengths", lengths.shape, np.int64)
        np.multiply(lengths, self.windows.stride[0], out=found)
        if self.padding == "valid":
            np.add(found, self.windows.kernel[0] - self.windows.stride[0], out=found)
            np.multiply(found, np.greater(lengths, 0, out=self.scratch("any_step", lengths.shape, np.bool_)), out=found)
        return found

    def backward(self, dy: Array) -> Array | None:
        dy = self._before_activation(dy)
        dx = self.scratch("dx", self.x.shape) if self.needs_input_gradient else None
        slot, matrices = self.weights.gradient_slot(), self._matrices()
        total = self._total(slot)
        offset = self._bias_slot()
        for rows in self._pieces_of(dy):
            part, first = self._part_before_activation(dy[rows], rows), rows.start == 0
            if offset is not None:
                self._add_to_bias_gradient(part, offset, first=first)
            columns = None if dx is None else self._multiply(part, self.windows, matrices, dx[rows])
            self._add_to_kernel_gradient(part, self.x[rows], total, first=first, kept=columns)
        if offset is not None:
            self.offset.commit()
        self._commit_kernel_gradient(slot, total)
        return None if dx is None else clear_padding(self, dx, self.lengths)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 2 * math.prod(in_shape) * self.windows.places * self.filters
