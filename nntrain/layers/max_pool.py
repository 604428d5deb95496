"""The largest value of each window."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer
from nntrain.core.steps import clear_padding, without_padding
from nntrain.core.windows import copy_runs
from nntrain.layers.left_to_pool import LeftToPool, TakesPieces
from nntrain.layers.masks import masked
from nntrain.layers.pool import Pool, Pool1d, Pool2d
from nntrain.layers.window_passes import AxisWindows, along, collect, outlets, resized, spread

FEW_PLACES = 4
"""Places of a window up to which it is faster to take all at once than one axis after the other."""


class MaxPool(Pool, TakesPieces):
    """Base: y = max of a window; the gradient goes to the place of the first largest value in row-major order.

    The bias and the activation of the layer before, if they never fall where x rises, give the same behind the pool,
    max f(x) = f(max x), and there on a quarter of the numbers where windows are 2 x 2: the pool then does them. So it
    is with the scaling of a batch norm, alone or before such an activation.

    Attributes:
        before: the layer that leaves its bias, scaling or activation to the pool.
        is_fed: whether the latest batch came in pieces.
        is_whole: whether the places of its windows were compared all at once.
        places: index of each place of all windows.
        found: (P, B, \\*counts, C) whether a window's first largest value is at a place; None outside training.
    """

    before: LeftToPool | None = None
    found: Array | None = None

    def bind(self, name: str, dtype: np.dtype[Any], seed: int) -> None:
        super().bind(name, dtype, seed)
        self.before = self.unread = None

    def follow(self, before: Layer) -> None:
        out_shape = (*(windows.count for windows in self.windows), self.in_shape[-1])
        if isinstance(before, LeftToPool) and before.hand_over(out_shape):
            self.before = before
            if self._takes_whole_windows:
                before.feed(self)

    @property
    def _takes_whole_windows(self) -> bool:
        """Whether the places of a window are compared all at once."""
        return math.prod(self.sizes) <= FEW_PLACES and all(windows.stand_apart for windows in self.windows)

    def forward(self, x: Array, ctx: Context) -> Array:
        y = self._pooled(x, ctx)
        if self.before is None:
            return y
        out = self.scratch("finished", y.shape)
        self.before.finish(y, out)
        return out

    def _pooled(self, x: Array, ctx: Context) -> Array:
        self.is_fed = self.unread is not None and x.base is self.unread.base  # so is a view of it
        self.enter(x, ctx)
        self.is_whole = self.masked_lengths is None and self._takes_whole_windows
        if self.is_whole:
            if not self.is_fed:
                self._make_room(x.shape, ctx.training)
                self.take(slice(0, len(x)), x)
            return self.y
        y = without_padding(self, x, self.masked_lengths, "x", -np.inf)
        # The last axis first, and backward the other way round: so the first row wins, and in a row the first column.
        self.passes = []
        for axis in range(self.axes, 0, -1):
            windows = self.windows[axis - 1]
            y, values = collect(self, y, axis, windows, np.maximum, f"y_{axis}")
            self.passes.append((axis, windows, values, y))
        return y if self.masked_lengths is None else clear_padding(self, y, self.new_lengths)

    def backward(self, dy: Array) -> Array | None:
        if self.before is not None:
            dy = self.before.before_finish(dy)
        if not self.needs_input_gradient:
            return None
        if self.is_whole:
            self.dy = dy
            if self.is_fed:
                return self.unread
            return self._to_first(slice(0, len(dy)))
        for axis, windows, values, y in reversed(self.passes):
            dy = self._route(dy, axis, windows, values, y)
        return dy

    def _each_place(self) -> list[tuple[slice, ...]]:
        """Return the index of each place of all windows at once, in row-major order."""
        taps = itertools.product(*([tap.steps for tap in windows.taps] for windows in self.windows))
        return [(slice(None), *steps) for steps in taps]

    def begin(self, shape: Shape, training: bool) -> Array:
        if shape[1:] != self.in_shape:
            self.place(shape[1:])
        self._make_room(shape, training)
        number = self.scratch("unread", (1,))
        number.fill(np.nan)
        self.unread = unread = np.ndarray(shape, number.dtype, number, 0, (0,) * len(shape))
        return unread

    def _make_room(self, shape: Shape, training: bool) -> None:
        self.y = self.scratch("y", (shape[0], *(windows.count for windows in self.windows), shape[-1]))
        self.places = self._each_place()
        self.found = self.scratch("found", (len(self.places), *self.y.shape), np.bool_) if training else None

    def room(self, rows: slice) -> Array:
        return self.scratch("piece", (rows.stop - rows.start, *self.in_shape))

    def take(self, rows: slice, x: Array) -> None:
        y, values = self.y[rows], []
        for i, place in enumerate(self.places):
            values.append(value := self.scratch(f"value_{i}", y.shape))
            copy_runs(value, x[place])
        np.maximum(values[0], values[min(1, len(values) - 1)], out=y)
        for value in values[2:]:
            np.maximum(y, value, out=y)
        if self.found is not None:
            _find_first(values, y, self.found[:, rows])

    def give(self, rows: slice) -> Array:
        # Who watches the layer is shown what is given here, and what backward returns: it does not come this way.
        return self._to_first(rows)

    def _to_first(self, rows: slice) -> Array:
        assert self.found is not None, "a gradient needs a forward pass in training"
        dy, found, dx = self.dy[rows], self.found[:, rows], self.room(rows)
        share = self.scratch("share", dy.shape)
        if not all(track.is_covered for windows in self.windows for track in windows.tracks):
            dx.fill(0)
        for place, there in zip(self.places, found, strict=True):
            copy_runs(dx[place], masked(dy, there, share))
        return dx

    def _route(self, dy: Array, axis: int, windows: AxisWindows, values: list[Array], y: Array) -> Array:
        """Return the gradient of what was pooled along one axis: each dy goes to the first tap that has the largest."""
        dx = self.scratch(f"dx_{axis}", resized(dy.shape, axis, windows.steps))
        shares, brought = outlets(self, dx, axis, windows, f"share_{axis}")
        rest, spare = dy, self.scratch(f"rest_{axis}", dy.shape)  # what no tap has got yet, the last one's in the end
        if not windows.is_full(windows.taps[0]):
            rest = spare
            copy_runs(rest, dy)
        *taps, last = windows.taps
        for i, tap in enumerate(taps):
            there = along(axis, tap.windows)
            found = np.equal(values[i], y[there], out=self.scratch(f"found_{axis}", shares[i].shape, np.bool_))
            masked(rest[there], found, shares[i])
            if i == len(taps) - 1 and windows.is_full(tap) and windows.is_full(last):
                rest = np.subtract(rest, shares[i], out=shares[-1])
            else:
                np.subtract(rest[there], shares[i], out=spare[there])
                rest = spare
        if rest is not shares[-1]:
            np.copyto(shares[-1], rest[along(axis, last.windows)])
        return spread(self, brought, dx, axis, windows, f"dx_{axis}")


def _find_first(values: list[Array], y: Array, found: Array) -> None:
    """Write which place (P, ...) of each window holds the first of its largest values y (...), given those of places.

    >>> found = np.empty((2, 3), bool)
    >>> _find_first([np.array([1, 2, 2]), np.array([2, 1, 2])], np.array([2, 2, 2]), found)
    >>> found.tolist()
    [[False, True, True], [True, False, False]]
    """
    *others, last = found
    last.fill(True)  # what no place has been found for yet
    for value, there in zip(values, others, strict=False):
        np.equal(value, y, out=there)
        np.logical_and(there, last, out=there)
        np.greater(last, there, out=last)


@LAYERS.register("max_pool1d")
class MaxPool1d(MaxPool, Pool1d):
    """The largest value of each window of steps: y_ic = max_k x_(i stride + k)c, with x (B, T, F) and y (B, T', F).

    Backward, dy goes to the step of the largest value, to the first one where several are equal. Padding, that of
    ``same`` and that of sequences shorter than T, is no candidate.

    Args:
        pool: steps of a window.
        stride: steps from a window to the next; left out: ``pool``.
        padding: ``valid``: a window lies within the sequence, T' = (T - pool) // stride + 1. ``same``: one stands
            around every stride-th step, T' = ceil(T / stride).

    Raises:
        ConfigError: the examples are no sequences, or with ``valid`` shorter than a window.

    >>> layer = MaxPool1d(2)
    >>> layer.build((5, 1))
    (2, 1)
    >>> layer.forward(np.array([[[1.0], [3.0], [2.0], [0.0], [9.0]]], np.float32), Context()).ravel().tolist()
    [3.0, 2.0]
    """


@LAYERS.register("max_pool2d")
class MaxPool2d(MaxPool, Pool2d):
    """The largest value of each window of an image and channel, with x (B, H, W, C) and y (B, H', W', C).

    Backward, dy goes to the place of the largest value, to the first one in row-major order where several are equal.
    The padding of ``same`` is no candidate.

    Args:
        pool: height and width of a window, one number for both or a list of two.
        stride: from a window to the next, likewise; left out: ``pool``.
        padding: ``valid``: a window lies within the image, H' = (H - pool) // stride + 1. ``same``: one stands around
            every stride-th place, H' = ceil(H / stride).

    Raises:
        ConfigError: the examples are no images, or with ``valid`` smaller than a window.

    >>> MaxPool2d(2).build((28, 28, 16))
    (14, 14, 16)
    """
