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
    owner: ScratchOwner, x: Array, rows: slice, windows: Windows, lengths: Array | None = None, blocks: int = 1
) -> Array:
    """Return rows of x with the windows' zeros around them, and zeros in place of steps past their lengths.

    Several blocks of channels come one behind the other, each by itself in memory: windows of a block are then copied
    in longer runs.

    Returns:
        (blocks, rows, \\*padded sizes, C / blocks), a copy in scratch ``image``, or a view of x where that will do.
    """
    part = x[rows]
    if blocks == 1 and lengths is None and not windows.is_padded:
        return part[None]
    sizes, channels = x.shape[1:-1], x.shape[-1] // blocks
    image = owner.scratch("image", (blocks, len(part), *windows.padded(sizes), channels), x.dtype)
    if windows.is_padded:
        image.fill(0)
    for block in range(blocks):
        inside = interior(image[block], windows, sizes)
        np.copyto(inside, part[..., block * channels : (block + 1) * channels])
        clear_padding(owner, inside, None if lengths is None else lengths[rows])
    return image


def interior(image: Array, windows: Windows, sizes: Shape) -> Array:
    """Return the view of a padded image without the zeros around it."""
    return image[:, *(slice(b, b + size) for b, size in zip(windows.before, sizes, strict=True))]


def gather(owner: ScratchOwner, image: Array, windows: Windows, counts: Shape) -> Array:
    """Return the windows of a padded image (B, \\*sizes, C) as a matrix (B \\*counts, \\*kernel C).

    Each row is a window. The matrix is in scratch ``columns``, row by row or column by column, whichever is copied
    faster.

    >>> image = np.arange(4.0).reshape(1, 4, 1)
    >>> gather(ScratchOwner(), image, Windows.of((3,), (1,), (1,), "valid"), (2,)).tolist()
    [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]
    """
    rows, channels = len(image), image.shape[-1]
    count, width = rows * math.prod(counts), windows.places * channels
    first, *steps, last = image.strides
    moves = [step * s for step, s in zip(steps, windows.stride, strict=True)]
    places = [step * d for step, d in zip(steps, windows.dilation, strict=True)]
    shape = (rows, *counts, *windows.kernel, channels)
    view = as_strided(image, shape, (first, *moves, *places, last), writeable=False)
    run = channels * (windows.kernel[-1] if windows.dilation[-1] == 1 else 1)
    if run >= CHANNELS_WORTH_A_ROW:
        columns = owner.scratch("columns", (count, width), image.dtype)
        np.copyto(columns.reshape(shape), view)
        return columns
    columns = owner.scratch("columns", (width, count), image.dtype)
    axes = range(1 + len(counts), len(shape))
    np.copyto(
        columns.reshape(*(shape[axis] for axis in axes), rows, *counts), np.moveaxis(view, axes, range(len(axes)))
    )
    return columns.T


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
