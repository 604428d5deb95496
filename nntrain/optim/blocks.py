"""Cutting a flat vector into blocks that stay in the processor's cache while several passes are made over them."""

from __future__ import annotations

BLOCK = 65536
"""Elements of a block: of float32 a quarter of a megabyte, long enough for the cost of a NumPy call not to count."""


def spans(size: int, length: int = BLOCK) -> list[slice]:
    """Return the slices that cut ``size`` elements into blocks, the last one shorter where it must be.

    >>> spans(5, length=2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(start, min(start + length, size)) for start in range(0, size, length)]
