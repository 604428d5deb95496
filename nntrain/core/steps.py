"""Padded sequences: which steps of a batch (B, T, ...) are there, and which only fill it up."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array
from nntrain.core.scratch import ScratchOwner


def padding_mask(owner: ScratchOwner, lengths: Array, steps: int) -> Array:
    """Return (B, T) bool, true where a step is padding, in the owner's scratch memory ``padding``.

    >>> padding_mask(ScratchOwner(), np.array([2, 0]), 3).astype(int).tolist()
    [[0, 0, 1], [1, 1, 1]]
    """
    mask = owner.scratch("padding", (len(lengths), steps), np.bool_)
    places = owner.__dict__.get("_step_numbers")
    if places is None or len(places) < steps:
        places = owner.__dict__["_step_numbers"] = np.arange(steps)
    return np.greater_equal(places[:steps], lengths[:, None], out=mask)


def without_padding(owner: ScratchOwner, x: Array, lengths: Array | None, key: str, instead: float = 0) -> Array:
    """Return x (B, T, ...) with zeros, or another number, in place of padding.

    It is a copy in scratch ``key``, or x itself without lengths.

    >>> without_padding(ScratchOwner(), np.ones((1, 3, 1), np.float32), np.array([2]), "x").ravel().tolist()
    [1.0, 1.0, 0.0]
    """
    if lengths is None:
        return x
    copy = owner.scratch(key, x.shape, x.dtype)
    np.copyto(copy, x)
    return clear_padding(owner, copy, lengths, instead)


def clear_padding(owner: ScratchOwner, x: Array, lengths: Array | None, instead: float = 0) -> Array:
    """Write zeros, or another number, over the padding of x (B, T, ...) itself; return it."""
    if lengths is not None:
        mask = padding_mask(owner, lengths, x.shape[1])
        np.copyto(x, instead, where=mask.reshape(*mask.shape, *(1,) * (x.ndim - 2)))
    return x


def window_count(steps: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Return how many windows of ``kernel`` places, ``dilation`` apart, stand in so many steps, ``stride`` apart.

    With ``same`` a window is centred on every ``stride``-th step, so there are ceil(steps / stride); with ``valid``
    all of its places lie within the steps.

    >>> window_count(7, 3, 2, 1, "valid"), window_count(7, 3, 2, 1, "same"), window_count(2, 3, 1, 1, "valid")
    (3, 4, 0)
    """
    if padding == "same":
        return -(-steps // stride)
    return max(0, (steps - dilation * (kernel - 1) - 1) // stride + 1)


def window_lengths(owner: ScratchOwner, lengths: Array, kernel: int, stride: int, dilation: int, padding: str) -> Array:
    """Return :func:`window_count` for lengths (B,), in the owner's scratch memory ``lengths``.

    >>> window_lengths(ScratchOwner(), np.array([7, 2]), 3, 2, 1, "valid").tolist()
    [3, 0]
    """
    found = owner.scratch("lengths", lengths.shape, np.int64)
    reach = 1 if padding == "same" else dilation * (kernel - 1) + 1
    np.subtract(lengths, reach, out=found)
    np.floor_divide(found, stride, out=found)
    np.add(found, 1, out=found)
    return np.maximum(found, 0, out=found)
