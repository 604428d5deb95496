"""Batches with several axes seen as one matrix, and parts of a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nntrain.core.array import Array
from nntrain.core.scratch import ScratchOwner


def as_rows(owner: ScratchOwner, x: Array, key: str) -> Array:
    """Return x (B, ..., F) as a contiguous matrix (N, F): a view, or where strides allow none, a copy in ``key``.

    ``np.dot`` would copy anything else itself, into new memory at every call.

    >>> as_rows(ScratchOwner(), np.ones((2, 3, 4)), "rows").shape
    (6, 4)
    """
    if x.ndim == 2 and x.flags.c_contiguous:
        return x
    return reshaped(owner, x, (x.size // x.shape[-1], x.shape[-1]), key)


def reshaped(owner: ScratchOwner, x: Array, shape: tuple[int, ...], key: str) -> Array:
    """Return x in another shape: a view, or where its strides allow none, a copy in scratch ``key``."""
    if not x.flags.c_contiguous:
        copy = owner.scratch(key, x.shape, x.dtype)
        np.copyto(copy, x)
        x = copy
    return x.reshape(shape)


def parts_of(rows: int, most: int) -> Iterator[slice]:
    """Yield parts of a batch, as few as have at most ``most`` rows each, nearly equal in size; at least one.

    >>> list(parts_of(5, 3)), list(parts_of(0, 3))
    ([slice(0, 3, None), slice(3, 5, None)], [slice(0, 0, None)])
    """
    size = max(1, -(-rows // max(1, -(-rows // most))))
    for start in range(0, max(1, rows), size):
        yield slice(start, min(rows, start + size))
