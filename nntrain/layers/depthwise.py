"""Convolutions with one filter for each channel: sums of element-wise products, along lines of the input.

A matrix product would multiply one column at a time. Where windows are neighbours, a line of them is one long run of
numbers for each place of the kernel, multiplied by the kernel's numbers repeated along the line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nntrain.core.array import Array, Shape
from nntrain.core.scratch import ScratchOwner
from nntrain.core.windows import Windows, interior, padded_image
from nntrain.layers.rows import as_rows, parts_of

BYTES_OF_OUTPUT = 512 << 10
"""So much of the output at a time is made, so that passes run within the processor's second cache."""


def depthwise_product(
    owner: ScratchOwner, x: Array, windows: Windows, kernel: Array, y: Array, lengths: Array | None = None
) -> None:
    """Write y (B, \\*counts, C) = the sum over places p of x seen from p times kernel[p], for a kernel (places, C)."""
    counts = y.shape[1:-1]
    tiles = _tiles(owner, kernel, counts[-1])
    for rows in _pieces(y):
        lines = _lines(padded_image(owner, x, rows, windows, lengths)[0], windows, counts)
        outer, place, along = _axes(lines, counts)
        line = lines.shape[len(outer) + len(place) :]
        out = y[rows].reshape(*lines.shape[: len(outer)], *line)
        weights = tiles.reshape(*windows.kernel, *line)
        np.einsum(lines, [*outer, *place, *along], weights, [*place, *along], [*outer, *along], out=out)


def depthwise_input_gradient(owner: ScratchOwner, dy: Array, windows: Windows, kernel: Array, dx: Array) -> None:
    """Write dx (B, \\*sizes, C), the adjoint of :func:`depthwise_product` on dy (B, \\*counts, C)."""
    if set(windows.stride) == {1}:
        depthwise_product(owner, dy, windows.turned(), kernel[::-1], dx)
        return
    counts = dy.shape[1:-1]
    tiles = _tiles(owner, kernel, counts[-1])
    for rows in _pieces(dy):
        gradient, part = dy[rows], dx[rows]
        image = owner.scratch("image", (len(part), *windows.padded(part.shape[1:-1]), part.shape[-1]))
        image.fill(0)
        product = owner.scratch("product", gradient.shape)
        for tile, view in zip(tiles, windows.place_views(image, counts), strict=True):
            np.multiply(gradient, tile, out=product)
            np.add(view, product, out=view)
        np.copyto(part, interior(image, windows, part.shape[1:-1]))


def depthwise_kernel_gradient(
    owner: ScratchOwner, x: Array, windows: Windows, dy: Array, slot: Array, lengths: Array | None = None
) -> None:
    """Write the gradient of the kernel into slot (places, C)."""
    counts = dy.shape[1:-1]
    shape = (len(slot), counts[-1], slot.shape[1])
    total, part = owner.scratch("total", shape), owner.scratch("part", shape)
    for number, rows in enumerate(_pieces(dy)):
        lines = _lines(padded_image(owner, x, rows, windows, lengths)[0], windows, counts)
        outer, place, along = _axes(lines, counts)
        line = lines.shape[len(outer) + len(place) :]
        gradient = as_rows(owner, dy[rows], "dy").reshape(*lines.shape[: len(outer)], *line)
        out = (part if number else total).reshape(*windows.kernel, *line)
        np.einsum(lines, [*outer, *place, *along], gradient, [*outer, *along], [*place, *along], out=out)
        if number:
            np.add(total, part, out=total)
    np.add.reduce(total, axis=1, out=slot)


def _pieces(y: Array) -> Iterator[slice]:
    """Return parts of a batch whose rows fit the cache; at least one."""
    return parts_of(len(y), max(1, BYTES_OF_OUTPUT // max(1, math.prod(y.shape[1:]) * y.itemsize)))


def _tiles(owner: ScratchOwner, kernel: Array, count: int) -> Array:
    """Return the kernel (places, count, C), repeated for all windows of a line."""
    tiles = owner.scratch("tiles", (len(kernel), count, kernel.shape[1]))
    np.copyto(tiles, kernel[:, None])
    return tiles


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
