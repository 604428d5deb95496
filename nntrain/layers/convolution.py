"""What the convolutions of sequences and of images share: all but the number of axes."""

from __future__ import annotations

import math

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context
from nntrain.core.steps import clear_padding, window_lengths
from nntrain.core.windows import Windows
from nntrain.layers.depthwise import depthwise_input_gradient, depthwise_kernel_gradient, depthwise_product
from nntrain.layers.window_products import WindowProducts


class Convolution(WindowProducts):
    """Base of the convolutions: y = activation(windows of x times w + b), for x (B, \\*sizes, C)."""

    filters: int
    padding: str
    lengths: Array | None

    def _build(self, in_shape: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Shape:
        *sizes, channels = in_shape
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
        out_shape = (*counts, self.filters)
        return out_shape if self.activation is None else self.activation.build(out_shape)

    def _fitting(self) -> str:
        """Return what a kernel that reaches beyond the input needs."""
        kernel, reach = (" x ".join(map(str, sizes)) for sizes in (self.windows.kernel, self.windows.reach))
        dilation = " x ".join(map(str, self.windows.dilation))
        gaps = f" with dilation {dilation}" if kernel != reach else ""
        return f"inputs of at least {reach} for a kernel of {kernel}{gaps} and padding: valid"

    def forward(self, x: Array, ctx: Context) -> Array:
        self.x, self.lengths, windows = x, ctx.lengths, self.windows
        y = self.scratch("y", (len(x), *windows.counts(x.shape[1:-1]), self.filters))
        if self.is_depthwise:
            depthwise_product(self, x, windows, self._by_place(self.weights.value), y, self.lengths)
            self._add_offset(y)
        else:
            self.kept = self._multiply(x, windows, self._matrices(), y, lengths=self.lengths, add_offset=self.bias)
        if ctx.lengths is not None:
            axis = (windows.kernel[0], windows.stride[0], windows.dilation[0])
            ctx.lengths = window_lengths(self, ctx.lengths, *axis, self.padding)
        return y if self.activation is None else self.activation.forward(y, ctx)

    def backward(self, dy: Array) -> Array | None:
        if self.activation is not None:
            dy = np.asarray(self.activation.backward(dy))
        if self.bias:
            self._add_bias_gradient(dy)
        if self.is_depthwise:
            slot = self._by_place(self.weights.gradient_slot())
            depthwise_kernel_gradient(self, self.x, self.windows, dy, slot, self.lengths)
            self.weights.commit()
        else:
            self._add_kernel_gradient(self.x, self.windows, dy, self.lengths)
        if not self.needs_input_gradient:
            return None
        dx = self.scratch("dx", self.x.shape)
        if self.is_depthwise:
            depthwise_input_gradient(self, dy, self.windows, self._by_place(self.weights.value), dx)
        else:
            self._multiply_transposed(dy, self.windows, dx)
        return clear_padding(self, dx, self.lengths)

    def _by_place(self, kernel: Array) -> Array:
        return kernel.reshape(-1, self.filters)

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 2 * self.windows.places * (in_shape[-1] // self.groups) * math.prod(out_shape)
