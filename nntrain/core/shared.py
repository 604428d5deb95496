"""Memory that forked processes share."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape


def shared_zeros(shape: Shape, dtype: Any) -> Array:
    """Return an array of zeros in memory that this process and those it forks from now on see and write alike.

    The memory lives as long as an array over it, and has no name that could be left behind.

    >>> shared_zeros((2, 3), np.float32).sum()
    np.float32(0.0)
    """
    count = math.prod(shape)
    if not count:
        return np.zeros(shape, dtype)
    return np.frombuffer(mmap.mmap(-1, count * np.dtype(dtype).itemsize), dtype, count).reshape(shape)
