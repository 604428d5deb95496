"""More steps or positions by repetition."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.windows import PerAxis
from nntrain.layers.window_passes import collect, repeated, windows_along


@LAYERS.register("upsample")
class Upsample(Layer):
    """Repeats each step, or each row and column of an image: y_i = x_(i // factor), the nearest neighbour.

    x (B, T, F) gives y (B, factor T, F), and x (B, H, W, C) gives y (B, factor H, factor W, C).

    Args:
        factor: how often, one number for both axes of an image or a list of two.

    Raises:
        ConfigError: the examples are neither sequences nor images, or sequences with two factors.

    >>> layer = Upsample(2)
    >>> layer.build((2, 1))
    (4, 1)
    >>> layer.forward(np.array([[[1.0], [3.0]]], np.float32), Context()).ravel().tolist()
    [1.0, 1.0, 3.0, 3.0]
    """

    keeps_output = True
    sized_by = "factor"

    def __init__(self, factor: PerAxis = 2) -> None:
        self.factor = factor

    def build(self, in_shape: Shape) -> Shape:
        axes = len(in_shape) - 1
        if axes not in (1, 2) or min(in_shape) < 1:
            raise self.shape_error("sequences (steps, features) or images (height, width, channels)", in_shape)
        if axes == 1 and not isinstance(self.factor, int):
            raise self.shape_error(f"images (height, width, channels) with a list of factors ({self.factor})", in_shape)
        self.factors = [self.factor] * axes if isinstance(self.factor, int) else self.factor
        return (*(n * factor for n, factor in zip(in_shape[:-1], self.factors, strict=True)), in_shape[-1])

    def forward(self, x: Array, ctx: Context) -> Array:
        if ctx.lengths is not None:
            lengths = self.scratch("lengths", ctx.lengths.shape, np.int64)
            ctx.lengths = np.multiply(ctx.lengths, self.factors[0], out=lengths)
        # Each input is the window of the outputs it is repeated to.
        self.windows = [windows_along(n * f, f, f, "valid") for n, f in zip(x.shape[1:-1], self.factors, strict=True)]
        for axis in range(len(self.windows), 0, -1):
            x = repeated(self, x, axis, self.windows[axis - 1], f"y_{axis}")
        return x

    def backward(self, dy: Array) -> Array | None:
        if not self.needs_input_gradient:
            return None
        for axis, windows in enumerate(self.windows, start=1):
            dy, _ = collect(self, dy, axis, windows, np.add, f"dx_{axis}")
        return dy

    def flops(self, in_shape: Shape, out_shape: Shape) -> int:
        return 0
