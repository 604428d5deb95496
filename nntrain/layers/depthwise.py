"""Convolutions with one filter for each channel: sums of element-wise products, along lines of the input.

A matrix product would multiply one column at a time. Where windows are neighbours, a line of them is one long run of
numbers for each place of the kernel, multiplied by the kernel's numbers repeated along the line.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nntrain.core.array import Array, Shape
from nntrain.core.scratch import ScratchOwner
from nntrain.core.windows import Windows, interior, padded_image
from nntrain.layers.rows import as_rows


def depthwise_tiles(owner: ScratchOwner, kernel: Array, count: int) -> Array:
    """Return the kernel (places, C), repeated for all windows of a line: (places, count, C)."""
    tiles = owner.scratch("tiles", (len(kernel), count, kernel.shape[1]))
    np.copyto(tiles, kernel[:, None])
    return tiles


def depthwise_tiles_back(owner: ScratchOwner, windows: Windows, kernel: Array, x: Array, dy: Array) -> Array:
    """Return the kernel as :func:`depthwise_input_gradient` takes it."""
    if set(windows.stride) == {1}:
        return depthwise_tiles(owner, kernel[::-1], x.shape[-2])
    return depthwise_tiles(owner, kernel, dy.shape[-2])


def depthwise_product(
    owner: ScratchOwner, x: Array, windows: Windows, tiles: Array, y: Array, lengths: Array | None = None
) -> None:
    """Write y (B, \\*counts, C) = the sum over places p of x seen from p times the kernel at p."""
    counts = y.shape[1:-1]
    lines = _lines(padded_image(owner, x, windows, lengths)[0], windows, counts)
    outer, place, along = _axes(lines, counts)
    line = lines.shape[len(outer) + len(place) :]
    out = y.reshape(*lines.shape[: len(outer)], *line)
    weights = tiles.reshape(*windows.kernel, *line)
    np.einsum(lines, [*outer, *place, *along], weights, [*place, *along], [*outer, *along], out=out)


def depthwise_input_gradient(owner: ScratchOwner, dy: Array, windows: Windows, tiles: Array, dx: Array) -> None:
    """Write dx (B, \\*sizes, C), the adjoint of :func:`depthwise_product` on dy (B, \\*counts, C)."""
    if set(windows.stride) == {1}:
        depthwise_product(owner, dy, windows.turned(), tiles, dx)
        return
    image = owner.scratch("image", (len(dx), *windows.padded(dx.shape[1:-1]), dx.shape[-1]))
    image.fill(0)
    product = owner.scratch("product", dy.shape)
    for tile, view in zip(tiles, windows.place_views(image, dy.shape[1:-1]), strict=True):
        np.multiply(dy, tile, out=product)
        np.add(view, product, out=view)
    np.copyto(dx, interior(image, windows, dx.shape[1:-1]))


def depthwise_kernel_gradient(
    owner: ScratchOwner,
    x: Array,
    windows: Windows,
    dy: Array,
    total: Array,
    lengths: Array | None = None,
    *,
    first: bool = True,
) -> None:
    """Add the gradient of the kernel to ``total`` (places, C), or write it there for the first piece of a batch."""
    counts = dy.shape[1:-1]
    lines = _lines(padded_image(owner, x, windows, lengths)[0], windows, counts)
    outer, place, along = _axes(lines, counts)
    line = lines.shape[len(outer) + len(place) :]
    gradient = as_rows(owner, dy, "block").reshape(*lines.shape[: len(outer)], *line)
    part = owner.scratch("part", (len(total), counts[-1], total.shape[1]))
    out = part.reshape(*windows.kernel, *line)
    np.einsum(lines, [*outer, *place, *along], gradient, [*outer, *along], [*place, *along], out=out)
    if first:
        np.add.reduce(part, axis=1, out=total)
    else:
        more = np.add.reduce(part, axis=1, out=owner.scratch("more", total.shape))
        np.add(total, more, out=total)


def _lines(image: Array, windows: Windows, counts: Shape) -> Array:
    """Return what the places of the kernel see, (B, \\*counts without the last, \\*kernel, line), as a view.

    A line is one axis where its windows are neighbours in memory, else the two of windows and channels.
    """
    channels = image.shape[-1]
    first, *steps, last = image.strides
    moves = [step * stride for step, stride in zip(steps, windows.stride, strict=True)]
    places = [step * dilation for step, dilation in zip(steps, windows.dilation, strict=True)]
    line: Shape = (counts[-1], channels)
    line_strides: Shape = (moves[-1], last)
    if moves[-1] == channels * last:
        line, line_strides = (counts[-1] * channels,), (last,)
    shape = (len(image), *counts[:-1], *windows.kernel, *line)
    return as_strided(image, shape, (first, *moves[:-1], *places, *line_strides), writeable=False)


def _axes(lines: Array, counts: Shape) -> tuple[range, range, range]:
    """Return the axes of :func:`_lines` that number the lines, the places of the kernel, and what lies along a line."""
    outer = len(counts)
    return range(outer), range(outer, 2 * outer), range(2 * outer, lines.ndim)
