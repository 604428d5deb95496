"""What all pooling layers share: windows of a sequence or an image."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, TypeAlias

from annotated_types import Ge

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context, Layer
from nntrain.core.steps import window_lengths
from nntrain.core.windows import PerAxis, per_axis
from nntrain.errors import ConfigError
from nntrain.layers.window_passes import AxisWindows, windows_along

Padding: TypeAlias = Literal["valid", "same"]


class Pool(Layer):
    """Base: a number for each window and channel; the windows stand along the axes of an example but the last.

    Attributes:
        axes: of an example that windows stand along.
        sizes: of a window along these axes.
        strides: from a window to the next along these axes.
    """

    keeps_output = True
    axes: ClassVar[int]
    padding: Padding
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) != self.axes + 1 or min(in_shape) < 1:
            kinds = {1: "sequences of shape (steps, features)", 2: "images of shape (height, width, channels)"}
            raise self.shape_error(kinds[self.axes], in_shape)
        self.place(in_shape)
        out_shape = (*(windows.count for windows in self.windows), in_shape[-1])
        if 0 in out_shape:
            least = " x ".join(str(size) for size in self.sizes)
            error = self.shape_error(f"at least {least} positions with padding 'valid'", in_shape)
            help = "write padding: same, a smaller pool, or fewer layers that make the input smaller"
            raise ConfigError(error.problems[0].message, help=help)
        return out_shape

    def place(self, in_shape: Shape) -> None:
        """Find the windows on examples of a shape."""
        self.in_shape = in_shape
        self.windows: list[AxisWindows] = [
            windows_along(steps, size, stride, self.padding)
            for steps, size, stride in zip(in_shape[:-1], self.sizes, self.strides, strict=True)
        ]

    def enter(self, x: Array, ctx: Context) -> None:
        """Begin a forward pass: note the lengths, and leave the new ones in ``ctx``."""
        if x.shape[1:] != self.in_shape:
            self.place(x.shape[1:])
        self.lengths = self.new_lengths = ctx.lengths
        if ctx.lengths is not None:
            steps = self.windows[0]
            self.new_lengths = window_lengths(self, ctx.lengths, steps.pool, steps.stride, 1, self.padding)
            ctx.lengths = self.new_lengths

    @property
    def masked_lengths(self) -> Array | None:
        """The lengths, where a window of a sequence's own may reach into its padding."""
        return self.lengths if self.padding == "same" else None

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return math.prod(self.sizes) * math.prod(out_shape)


class Pool1d(Pool):
    """Base of pooling over the steps of a sequence."""

    axes = 1

    def __init__(
        self,
        pool: Annotated[int, Ge(1)] = 2,
        stride: Annotated[int, Ge(1)] | None = None,
        padding: Padding = "valid",
    ) -> None:
        self.pool, self.stride, self.padding = pool, stride, padding
        self.sizes, self.strides = (pool,), (pool if stride is None else stride,)


class Pool2d(Pool):
    """Base of pooling over the positions of an image."""

    axes = 2

    def __init__(self, pool: PerAxis = 2, stride: PerAxis | None = None, padding: Padding = "valid") -> None:
        self.pool, self.stride, self.padding = pool, stride, padding
        self.sizes, self.strides = per_axis(pool), per_axis(pool if stride is None else stride)
