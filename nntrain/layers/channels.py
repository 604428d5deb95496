"""Numbers of a channel at many positions: positions laid side by side, since NumPy's loops are slow on short runs."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nntrain.core.array import Array
from nntrain.core.scratch import ScratchOwner

RUN = 512
"""Numbers from which on a run cannot become faster by becoming longer."""


@lru_cache(maxsize=1024)
def side_by_side(positions: int, channels: int, run: int = RUN) -> int:
    """Return how many positions to lay side by side: a divisor of their number, such that a run is long enough.

    >>> side_by_side(784, 16), side_by_side(7, 16), side_by_side(784, 1024)
    (28, 7, 1)
    """
    return next((n for n in range(min(positions, run // channels), 1, -1) if positions % n == 0), 1)


def tiled(owner: ScratchOwner, values: Array, times: int, key: str) -> Array:
    """Return values (..., C) as often in a row (..., times C), in scratch ``key``.

    >>> tiled(ScratchOwner(), np.array([1.0, 2.0]), 2, "wide").tolist()
    [1.0, 2.0, 1.0, 2.0]
    """
    if times == 1:
        return values
    wide = owner.scratch(key, (*values.shape[:-1], times * values.shape[-1]), values.dtype)
    np.copyto(wide.reshape(*values.shape[:-1], times, values.shape[-1]), values[..., None, :])
    return wide


def folded(wide: Array, out: Array) -> Array:
    """Write the sums of what :func:`tiled` laid in a row, (..., times C), into ``out`` (..., C); return it."""
    times = wide.shape[-1] // out.shape[-1]
    return np.add.reduce(wide.reshape(*out.shape[:-1], times, out.shape[-1]), axis=-2, out=out)
