"""Windows of a kernel over sequences (B, T, C) and images (B, H, W, C): gathered into a matrix, and added back.

The matrix of windows turns a convolution into one product (Chellapilla et al. 2006, section 3.1); adding windows back
is the adjoint of gathering them, and gives the gradient of the input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
from annotated_types import Ge, MaxLen, MinLen
from numpy.lib.stride_tricks import as_strided

from nntrain.core.array import Array, Shape
from nntrain.core.scratch import ScratchOwner
from nntrain.core.steps import clear_padding

PerAxis: TypeAlias = Annotated[int, Ge(1)] | Annotated[list[Annotated[int, Ge(1)]], MinLen(2), MaxLen(2)]
"""An argument for height and width: one integer for both, or two."""

CHANNELS_WORTH_A_ROW = 16
"""From this many neighbouring numbers on, a window is copied faster as a row than number by number over all windows."""


def per_axis(value: int | list[int]) -> Shape:
    """Return a :data:`PerAxis` argument as (height, width).

    >>> per_axis(3), per_axis([1, 5])
    ((3, 3), (1, 5))
    """
    return (value, value) if isinstance(value, int) else tuple(value)


@dataclass(frozen=True)
class Windows:
    """Where the windows of a kernel lie; each attribute holds one integer for each axis they move along.

    Attributes:
        kernel: places of a window.
        stride: distance from one window to the next.
        dilation: distance from one place of a window to the next.
        before: zeros in front of the input.
        after: zeros behind the input.
    """

    kernel: Shape
    stride: Shape
    dilation: Shape
    before: Shape
    after: Shape

    @classmethod
    def of(cls, kernel: Shape, stride: Shape, dilation: Shape, padding: str) -> Windows:
        """Return the windows for ``padding`` "valid" (no zeros) or "same" (a window centred on each stride-th place).

        >>> Windows.of((4,), (2,), (1,), "same").before, Windows.of((4,), (2,), (1,), "same").after
        ((1,), (2,))
        """
        zeros = [d * (k - 1) if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        before = tuple(count // 2 for count in zeros)
        return cls(kernel, stride, dilation, before, tuple(n - b for n, b in zip(zeros, before, strict=True)))

    @property
    def reach(self) -> Shape:
        """How far a window extends, its gaps included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def places(self) -> int:
        """How many places a window has."""
        return math.prod(self.kernel)

    @property
    def is_padded(self) -> bool:
        return any(self.before) or any(self.after)

    @property
    def is_pointwise(self) -> bool:
        """Whether there is a window for each place of the input, with nothing but this place."""
        return self.places == 1 and set(self.stride) == {1}

    def counts(self, sizes: Shape) -> Shape:
        """Return how many windows an input of these sizes has along each axis.

        >>> Windows.of((3, 3), (1, 2), (1, 1), "valid").counts((5, 6))
        (3, 2)
        """
        axes = zip(sizes, self.before, self.after, self.reach, self.stride, strict=True)
        return tuple(max(0, (size + b + a - reach) // stride + 1) for size, b, a, reach, stride in axes)

    def padded(self, sizes: Shape) -> Shape:
        """Return the sizes of an input with the zeros around it."""
        return tuple(size + b + a for size, b, a in zip(sizes, self.before, self.after, strict=True))

    def sizes(self, counts: Shape) -> Shape:
        """Return the sizes of the smallest input, its zeros included, that has so many windows."""
        axes = zip(counts, self.reach, self.stride, strict=True)
        return tuple(max(0, (count - 1) * stride + reach) for count, reach, stride in axes)

    def turned(self) -> Windows:
        """Return the windows of the output's gradient that make the input's gradient, for windows of stride 1.

        >>> Windows.of((3,), (1,), (1,), "valid").turned().before
        (2,)
        """
        ends = [reach - 1 for reach in self.reach]
        before = tuple(end - b for end, b in zip(ends, self.before, strict=True))
        after = tuple(end - a for end, a in zip(ends, self.after, strict=True))
        return Windows(self.kernel, self.stride, self.dilation, before, after)

    def place_views(self, image: Array, counts: Shape) -> Iterator[Array]:
        """Yield (B, \\*counts, C) views of a padded image: what each place of the kernel sees, row by row."""
        for place in itertools.product(*map(range, self.kernel)):
            axes = zip(place, self.dilation, self.stride, counts, strict=True)
            yield image[:, *(slice(p * d, p * d + (n - 1) * s + 1 if n else p * d, s) for p, d, s, n in axes)]


def padded_image(
    owner: ScratchOwner,
    x: Array,
    windows: Windows,
    lengths: Array | None = None,
    blocks: int = 1,
    planar: bool = False,
) -> Array:
    """Return x with the windows' zeros around them, and zeros in place of steps past their lengths.

    Several blocks of channels come one behind the other, each by itself in memory: windows of a block are then copied
    in longer runs.

    Args:
        owner: of scratch memory.
        x: (B, \\*sizes, C).
        windows: whose zeros to put around.
        lengths: (B,) of padded sequences.
        blocks: of channels.
        planar: whether in memory the channels of an example come one behind the other; see :func:`is_planar`.

    Returns:
        (blocks, B, \\*padded sizes, C / blocks), a copy in scratch ``image``, or a view of x where that will do.
    """
    if blocks == 1 and lengths is None and not windows.is_padded and not planar:
        return x[None]
    sizes, channels = x.shape[1:-1], x.shape[-1] // blocks
    padded = windows.padded(sizes)
    if planar:
        image = np.moveaxis(owner.scratch("image", (blocks, len(x), channels, *padded), x.dtype), 2, -1)
    else:
        image = owner.scratch("image", (blocks, len(x), *padded, channels), x.dtype)
    for block in range(blocks):
        if windows.is_padded:
            _clear_border(image[block], windows, sizes)
        inside = interior(image[block], windows, sizes)
        np.copyto(inside, x if blocks == 1 else x[..., block * channels : (block + 1) * channels])
        clear_padding(owner, inside, lengths)
    return image


def _clear_border(image: Array, windows: Windows, sizes: Shape) -> None:
    """Write the zeros around a padded image (B, \\*padded sizes, C)."""
    for axis, (before, size) in enumerate(zip(windows.before, sizes, strict=True), 1):
        others = (slice(None),) * axis
        image[*others, :before] = 0
        image[*others, before + size :] = 0


def interior(image: Array, windows: Windows, sizes: Shape) -> Array:
    """Return the view of a padded image without the zeros around it."""
    return image[:, *(slice(b, b + size) for b, size in zip(windows.before, sizes, strict=True))]


def copy_runs(target: Array, source: Array) -> None:
    """Copy an array into another of its shape, a run of the last axis at a time.

    NumPy copies elements of 64 bytes two times as fast as 16 elements of 4 bytes, and one of 16 bytes 15 times.
    """
    item = source.itemsize
    if source.shape[-1] > 1 and source.strides[-1] == target.strides[-1] == item and source.dtype == target.dtype:
        run = np.dtype((np.void, source.shape[-1] * item))
        target, source = target.view(run), source.view(run)
    np.copyto(target, source)


def is_planar(windows: Windows, channels: int) -> bool:
    """Return whether :func:`gather` wants the channels of an image one behind the other: where there are few.

    A line of windows is then a run for each channel and place; else a line of a window is a run.
    """
    return channels > 1 and _run(windows, channels) < CHANNELS_WORTH_A_ROW


def _run(windows: Windows, channels: int) -> int:
    """Return how many neighbouring numbers a window takes at a time."""
    return channels * (windows.kernel[-1] if windows.dilation[-1] == 1 else 1)


def gather(owner: ScratchOwner, image: Array, windows: Windows, counts: Shape) -> Array:
    """Return the windows of a padded image (B, \\*sizes, C) as (B, number of windows, \\*kernel C), a row a window.

    It is in scratch ``columns``. Each of the B matrices is contiguous, or where that is copied faster its transpose is.

    >>> image = np.arange(4.0).reshape(1, 4, 1)
    >>> gather(ScratchOwner(), image, Windows.of((3,), (1,), (1,), "valid"), (2,)).tolist()
    [[[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]]
    """
    rows, channels = len(image), image.shape[-1]
    count, width = math.prod(counts), windows.places * channels
    first, *steps, last = image.strides
    moves = [step * s for step, s in zip(steps, windows.stride, strict=True)]
    places = [step * d for step, d in zip(steps, windows.dilation, strict=True)]
    if _run(windows, channels) < CHANNELS_WORTH_A_ROW:
        columns = owner.scratch("columns", (rows, width, count), image.dtype)
        shape = (rows, *windows.kernel, channels, *counts)
        copy_runs(columns.reshape(shape), _strided(image, shape, (first, *places, last, *moves)))
        return columns.transpose(0, 2, 1)
    columns = owner.scratch("columns", (rows, count, width), image.dtype)
    shape, strides = (rows, *counts, *windows.kernel, channels), (first, *moves, *places, last)
    if places[-1] == channels * last:  # the places of a line are neighbours
        shape, strides = (*shape[:-2], shape[-2] * channels), (*strides[:-2], last)
    copy_runs(columns.reshape(shape), _strided(image, shape, strides))
    return columns


def gather_lines(image: Array, windows: Windows, lines: Array) -> Array:
    """Write what each line of the windows sees of a padded image (B, H, W, C) into lines (B, H, W', KW C); return it.

    >>> image = np.arange(6.0).reshape(1, 2, 3, 1)
    >>> windows = Windows.of((2, 2), (1, 1), (1, 1), "valid")
    >>> gather_lines(image, windows, np.empty((1, 2, 2, 2))).tolist()
    [[[[0.0, 1.0], [1.0, 2.0]], [[3.0, 4.0], [4.0, 5.0]]]]
    """
    first, line, step, last = image.strides
    shape: Shape = lines.shape
    strides: Shape = (first, line, step * windows.stride[1], last)
    place = step * windows.dilation[1]
    if place != image.shape[-1] * last:  # the places of a line are no neighbours
        shape = (*shape[:3], windows.kernel[1], image.shape[-1])
        strides = (*strides[:3], place, last)
    copy_runs(lines.reshape(shape), _strided(image, shape, strides))
    return lines


def _strided(image: Array, shape: Shape, strides: Shape) -> Array:
    """Return a view that is only read."""
    if image.flags.c_contiguous:
        return np.ndarray(shape, image.dtype, image, 0, strides)  # ten times faster to make than by as_strided
    return as_strided(image, shape, strides, writeable=False)


def add_windows(columns: Array, image: Array, windows: Windows, counts: Shape) -> None:
    """Add each row of columns (B \\*counts, \\*kernel C) to its window of a padded image (B, \\*sizes, C).

    >>> image = np.zeros((1, 4, 1))
    >>> add_windows(np.ones((2, 3)), image, Windows.of((3,), (1,), (1,), "valid"), (2,))
    >>> image.ravel().tolist()
    [1.0, 2.0, 2.0, 1.0]
    """
    parts = columns.reshape(len(image), *counts, windows.places, image.shape[-1])
    for place, view in enumerate(windows.place_views(image, counts)):
        np.add(view, parts[..., place, :], out=view)
