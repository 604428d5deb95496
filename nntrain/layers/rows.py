"""Batches with several axes seen as one matrix."""

from __future__ import annotations

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
    return in_shape(owner, x, (x.size // x.shape[-1], x.shape[-1]), key)


def in_shape(owner: ScratchOwner, x: Array, shape: tuple[int, ...], key: str) -> Array:
    """Return x in another shape: a view, or where its strides allow none, a copy in scratch ``key``."""
    if not x.flags.c_contiguous:
        copy = owner.scratch(key, x.shape, x.dtype)
        np.copyto(copy, x)
        x = copy
    return x.reshape(shape)
