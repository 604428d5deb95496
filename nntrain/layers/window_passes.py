"""Windows along an axis of a batch, and the passes over whole arrays that pooling and upsampling are made of.

A window of ``pool`` places is never gathered: one pass per place takes that place of all windows at once, and an image
is pooled along one axis after the other, which needs 2 pool passes in place of pool^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.scratch import ScratchOwner
from nntrain.core.steps import window_count
from nntrain.core.windows import copy_runs

LONG_RUN = 512
"""Bytes from which on NumPy's loops take runs of numbers at full speed, however they are strided."""


@dataclass(frozen=True, slots=True)
class Tap:
    """One place of the windows: the windows in which it falls on a step, and these steps."""

    windows: slice
    steps: slice


@dataclass(frozen=True, slots=True)
class Track:
    """Every ``stride``-th step, and the taps that fall on them: all others fall on other tracks.

    Attributes:
        steps: of the track.
        taps: (number of a tap, where its steps stand among those of the track).
        is_covered: whether one single tap falls on each of the steps.
    """

    steps: slice
    taps: tuple[tuple[int, slice], ...]
    is_covered: bool


@dataclass(frozen=True)
class AxisWindows:
    """The windows that stand along an axis of ``steps`` steps.

    Attributes:
        before: places of the first window that stand before the first step.
        count: how many windows there are.
        taps: the places of a window that fall on a step in any, in order.
    """

    steps: int
    pool: int
    stride: int
    before: int
    count: int
    taps: tuple[Tap, ...]

    def is_full(self, tap: Tap) -> bool:
        """Return whether the tap falls on a step in every window."""
        return tap.windows == slice(0, self.count)

    @cached_property
    def full(self) -> int:
        """The number of the first tap that falls on a step in every window."""
        return next(i for i, tap in enumerate(self.taps) if self.is_full(tap))

    @cached_property
    def stand_apart(self) -> bool:
        """Whether the windows are complete and do not overlap."""
        return self.stride >= self.pool and all(self.is_full(tap) for tap in self.taps)

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """The steps, by their remainder on division by ``stride``."""
        by_remainder: list[list[tuple[int, slice]]] = [[] for _ in range(min(self.stride, self.steps))]
        for i, tap in enumerate(self.taps):
            start, first = divmod(tap.steps.start, self.stride)
            by_remainder[first].append((i, slice(start, start + tap.windows.stop - tap.windows.start)))
        tracks = []
        for first, taps in enumerate(by_remainder):
            size = len(range(first, self.steps, self.stride))
            is_covered = [place for _, place in taps] == [slice(0, size)]
            tracks.append(Track(slice(first, self.steps, self.stride), tuple(taps), is_covered))
        return tuple(tracks)

    @cached_property
    def starts(self) -> Array:
        """(count,) first step of each window."""
        return np.maximum(np.arange(self.count) * self.stride - self.before, 0)

    @cached_property
    def ends(self) -> Array:
        """(count,) the step behind the last one of each window."""
        return np.minimum(np.arange(self.count) * self.stride - self.before + self.pool, self.steps)


@lru_cache(maxsize=256)
def windows_along(steps: int, pool: int, stride: int, padding: str) -> AxisWindows:
    """Return the windows along an axis; see :func:`nntrain.core.steps.window_count` for ``padding``.

    >>> [(tap.windows, tap.steps) for tap in windows_along(5, 2, 2, "same").taps]
    [(slice(0, 3, None), slice(0, 5, 2)), (slice(0, 2, None), slice(1, 4, 2))]
    """
    count = window_count(steps, pool, stride, 1, padding)
    # Places beyond all steps are none, so that windows of any size and distance are like those of some more than steps.
    ahead = (pool - 1) // 2 if padding == "same" else 0
    before = min(ahead, steps)
    pool = before + min(pool - ahead, steps + 1)
    stride = min(stride, max(1, steps, pool))
    taps = []
    for place in range(-before, pool - before):
        first, behind = max(0, -(place // stride)), min(count, (steps - 1 - place) // stride + 1)
        if behind > first:
            start = first * stride + place
            taps.append(Tap(slice(first, behind), slice(start, start + (behind - first - 1) * stride + 1, stride)))
    return AxisWindows(steps, pool, stride, before, count, tuple(taps))


def along(axis: int, part: slice) -> tuple[slice, ...]:
    """Return the index of a part of an axis."""
    return (*(slice(None),) * axis, part)


def resized(shape: Shape, axis: int, size: int) -> Shape:
    """Return a shape with another size of one axis."""
    return (*shape[:axis], size, *shape[axis + 1 :])


def has_long_runs(x: Array, axis: int) -> bool:
    """Return whether NumPy's loops are fast on parts of an axis, because what follows it is long."""
    return axis < x.ndim - 2 or x.shape[-1] * x.itemsize >= LONG_RUN


def collect(
    owner: ScratchOwner, x: Array, axis: int, windows: AxisWindows, combine: np.ufunc, key: str
) -> tuple[Array, list[Array]]:
    """Return ``combine`` over each window, in scratch ``key``, and the values of x at each tap."""
    values = [x[along(axis, tap.steps)] for tap in windows.taps]
    if not has_long_runs(x, axis):
        for i, value in enumerate(values):
            values[i] = owner.scratch(f"{key}_{i}", value.shape, x.dtype)
            copy_runs(values[i], value)
    y = owner.scratch(key, resized(x.shape, axis, windows.count), x.dtype)
    others = [i for i in range(len(values)) if i != windows.full]
    if others and windows.is_full(windows.taps[others[0]]):
        combine(values[windows.full], values[others.pop(0)], out=y)
    else:
        np.copyto(y, values[windows.full])
    for i in others:
        part = y[along(axis, windows.taps[i].windows)]
        combine(part, values[i], out=part)
    return y, values


def outlets(
    owner: ScratchOwner, dx: Array, axis: int, windows: AxisWindows, key: str
) -> tuple[list[Array], list[Array | None]]:
    """Return for each tap where to write its values, and what to give :func:`spread`: None if that was dx itself."""
    targets: list[Array] = []
    values: list[Array | None] = []
    own = {track.taps[0][0]: track.steps for track in windows.tracks if track.is_covered}
    for i, tap in enumerate(windows.taps):
        if i in own and has_long_runs(dx, axis):
            targets.append(dx[along(axis, own[i])])
            values.append(None)
        else:
            count = tap.windows.stop - tap.windows.start
            targets.append(owner.scratch(f"{key}_{i}", resized(dx.shape, axis, count), dx.dtype))
            values.append(targets[-1])
    return targets, values


def spread(
    owner: ScratchOwner, values: Sequence[Array | None], dx: Array, axis: int, windows: AxisWindows, key: str
) -> Array:
    """Write to each step of dx the sum of what the taps that fall on it bring; return dx.

    Args:
        owner: of scratch memory.
        values: for each tap, a value for each of its windows, or None where they are in their places already.
        dx: every step of it is written.
        axis: that the windows stand along.
        windows: along the axis.
        key: of scratch memory.
    """
    for number, track in enumerate(windows.tracks):
        place = dx[along(axis, track.steps)]
        if track.is_covered:
            value = values[track.taps[0][0]]
            if value is not None:
                copy_runs(place, value)
            continue
        total = place
        if len(windows.tracks) > 1 and not has_long_runs(dx, axis):
            total = owner.scratch(f"{key}_track_{number}", place.shape, dx.dtype)
        total.fill(0)
        for i, part in track.taps:
            target, value = total[along(axis, part)], values[i]
            if value is not None:
                np.add(target, value, out=target)
        if total is not place:
            copy_runs(place, total)
    return dx


def repeated(owner: ScratchOwner, dy: Array, axis: int, windows: AxisWindows, key: str) -> Array:
    """Return what each step gets where every window gives its value to all its steps, in scratch ``key``."""
    dx = owner.scratch(key, resized(dy.shape, axis, windows.steps), dy.dtype)
    return spread(owner, [dy[along(axis, tap.windows)] for tap in windows.taps], dx, axis, windows, key)
