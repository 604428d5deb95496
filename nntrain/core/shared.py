"""Memory that forked processes share."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.memory import size_text


def shared_zeros(shape: Shape, dtype: Any) -> Array:
    """Return an array of zeros in memory that this process and those it forks from now on see and write alike.

    The memory lives as long as an array over it, and has no name that could be left behind.

    >>> shared_zeros((2, 3), np.float32).sum()
    np.float32(0.0)
    """
    count = math.prod(shape)
    if not count:
        return np.zeros(shape, dtype)
    size = count * np.dtype(dtype).itemsize
    try:
        memory = mmap.mmap(-1, size)
    except OSError as error:  # NumPy tells its size too
        raise MemoryError(f"Unable to allocate {size_text(size)}") from error
    return np.frombuffer(memory, dtype, count).reshape(shape)
