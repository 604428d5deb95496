"""The mean of each window."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.steps import clear_padding, without_padding
from nntrain.layers.pool import Pool, Pool1d, Pool2d
from nntrain.layers.window_passes import collect, repeated


class AveragePool(Pool):
    """Base: y = mean of the steps of a window that are there."""

    def place(self, in_shape: Shape) -> None:
        super().place(in_shape)
        # One number an output and no broadcasting, so that the product runs at full speed.
        share = np.ones((1,) * self.axes)
        for axis, windows in enumerate(self.windows):
            cells = (windows.ends - windows.starts).reshape(-1, *(1,) * (self.axes - 1 - axis))
            share = share / cells
        self.share = np.repeat(share[..., None], in_shape[-1], axis=-1).astype(self.dtype)

    def forward(self, x: Array, ctx: Context) -> Array:
        self.enter(x, ctx)
        y = without_padding(self, x, self.masked_lengths, "x")
        for axis, windows in enumerate(self.windows, start=1):
            y, _ = collect(self, y, axis, windows, np.add, f"y_{axis}")
        return self._shared(y, y)

    def backward(self, dy: Array) -> Array | None:
        if not self.needs_input_gradient:
            return None
        dx = self._shared(dy, self.scratch("share", dy.shape))
        for axis in range(self.axes, 0, -1):
            dx = repeated(self, dx, axis, self.windows[axis - 1], f"dx_{axis}")
        return clear_padding(self, dx, self.masked_lengths)

    def _shared(self, values: Array, out: Array) -> Array:
        """Write values, one a window, divided by the number of steps of the window, into ``out``."""
        np.multiply(values, self.share, out=out)
        if self.masked_lengths is not None:
            part = self._true_part(self.masked_lengths)
            np.divide(out, part.reshape(*part.shape, *(1,) * self.axes), out=out)
        return out

    def _true_part(self, lengths: Array) -> Array:
        """Return (B, T') what part of each window's steps lies within the sequence's length."""
        windows = self.windows[0]
        cells = self.scratch("cells", (len(lengths), windows.count), np.int64)
        np.minimum(windows.ends, lengths[:, None], out=cells)
        np.subtract(cells, windows.starts, out=cells)
        np.maximum(cells, 1, out=cells)
        part = self.scratch("part", cells.shape)
        np.divide(cells, windows.ends - windows.starts, out=part)
        return part


@LAYERS.register("average_pool1d")
class AveragePool1d(AveragePool, Pool1d):
    """The mean of each window of steps: y_ic = mean_k x_(i stride + k)c, with x (B, T, F) and y (B, T', F).

    Padding, that of ``same`` and that of sequences shorter than T, does not count: a window at an end is the mean of
    the steps it has.

    Args:
        pool: steps of a window.
        stride: steps from a window to the next; left out: ``pool``.
        padding: ``valid``: a window lies within the sequence, T' = (T - pool) // stride + 1. ``same``: one stands
            around every stride-th step, T' = ceil(T / stride).

    Raises:
        ConfigError: the examples are no sequences, or with ``valid`` shorter than a window.

    >>> layer = AveragePool1d(2, padding="same")
    >>> layer.build((3, 1))
    (2, 1)
    >>> layer.forward(np.array([[[1.0], [3.0], [5.0]]], np.float32), Context()).ravel().tolist()
    [2.0, 5.0]
    """


@LAYERS.register("average_pool2d")
class AveragePool2d(AveragePool, Pool2d):
    """The mean of each window of an image and channel, with x (B, H, W, C) and y (B, H', W', C).

    The padding of ``same`` does not count: a window at an edge is the mean of the places it has.

    Args:
        pool: height and width of a window, one number for both or a list of two.
        stride: from a window to the next, likewise; left out: ``pool``.
        padding: ``valid``: a window lies within the image, H' = (H - pool) // stride + 1. ``same``: one stands around
            every stride-th place, H' = ceil(H / stride).

    Raises:
        ConfigError: the examples are no images, or with ``valid`` smaller than a window.

    >>> AveragePool2d([2, 1]).build((28, 28, 16))
    (14, 28, 16)
    """
