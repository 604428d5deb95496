"""Products of windows with a kernel, one line of the kernel at a time.

Gathering whole windows copies each number once for every place of the kernel. Here only the lines of windows are
gathered, a number once for every column of the kernel; the lines of a window lie below each other, so that the product
with one line of the kernel takes a run of the gathered lines as it lies, and the products of all lines add up. At 14 x
14 places, 16 channels and 32 filters, kernel 3 x 3, this takes two thirds of the time (64 images, AVX-512).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nntrain.core.array import Array
from nntrain.core.scratch import ScratchOwner
from nntrain.core.windows import Windows
from nntrain.layers.small_products import SMALL


def times_lines(owner: ScratchOwner, lines: Array, kernel: Array, windows: Windows, out: Array) -> None:
    """Write the windows with lines (B, H, W', K) times the kernel (KH, K, N) into out (B, H', W', N).

    >>> lines = np.array([[[[0.0, 1.0], [1.0, 2.0]], [[3.0, 4.0], [4.0, 5.0]]]])
    >>> out = np.empty((1, 1, 2, 1))
    >>> times_lines(ScratchOwner(), lines, np.ones((2, 2, 1)), Windows.of((2, 2), (1, 1), (1, 1), "valid"), out)
    >>> out.ravel().tolist()
    [8.0, 12.0]
    """
    spare = owner.scratch("line_product", out.shape, out.dtype)
    for below, matrix in enumerate(kernel):
        start, target = below * windows.dilation[0], out if below == 0 else spare
        for part in _parts(out.shape[1], math.prod(lines.shape[2:]) * out.shape[3]):
            seen = _in_parts(lines, slice(start + part.start, start + part.stop), part.step)
            np.matmul(seen, matrix, out=_in_parts(target, slice(part.start, part.stop), part.step))
        if below:
            np.add(out, spare, out=out)


def sum_of_line_products(
    owner: ScratchOwner, lines: Array, dy: Array, windows: Windows, total: Array, *, first: bool
) -> None:
    """Add the sum over all windows, with lines (B, H, W', K), of line transposed times dy (B, H', W', N) to ``total``.

    Args:
        owner: of scratch memory.
        lines: from :func:`nntrain.core.windows.gather_lines`.
        dy: what stands at the windows.
        windows: which lines belong to them.
        total: (KH, K, N).
        first: whether to write the sum there in place of adding it.
    """
    rows, height, width, columns = dy.shape
    inner = lines.shape[3]
    parts = list(_parts(height, width * inner * columns))
    counts = [(part.stop - part.start) // part.step for part in parts]
    sums = owner.scratch("sums", (rows, sum(counts), inner, columns), dy.dtype)
    for below, slot in enumerate(total):
        start, place = below * windows.dilation[0], 0
        for part, count in zip(parts, counts, strict=True):
            seen = _in_parts(lines, slice(start + part.start, start + part.stop), part.step)
            along = _in_parts(dy, slice(part.start, part.stop), part.step)
            np.matmul(seen.transpose(0, 1, 3, 2), along, out=sums[:, place : place + count])
            place += count
        if first:
            np.add.reduce(sums, axis=(0, 1), out=slot)
        else:
            more = np.add.reduce(sums, axis=(0, 1), out=owner.scratch("part", slot.shape, slot.dtype))
            np.add(slot, more, out=slot)


def _in_parts(values: Array, lines: slice, size: int) -> Array:
    """Return some lines of values (B, H, W, K), so many in a part: (B, parts, size W, K)."""
    rows, _, width, inner = values.shape
    return values[:, lines].reshape(rows, (lines.stop - lines.start) // size, size * width, inner)


def _parts(height: int, cost: int) -> Iterator[slice]:
    """Yield one or two runs of lines, the step being how many lines to multiply at a time: as many as are small.

    >>> list(_parts(13, 2 * SMALL)), list(_parts(13, SMALL // 7)), list(_parts(12, SMALL // 7))
    ([slice(0, 13, 1)], [slice(0, 7, 7), slice(7, 13, 6)], [slice(0, 12, 6)])
    """
    count = min(height, max(1, -(-height * cost // SMALL)))
    size, longer = divmod(height, count)
    if longer:
        yield slice(0, longer * (size + 1), size + 1)
    if longer < count:
        yield slice(longer * (size + 1), height, size)
