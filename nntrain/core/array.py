"""The types of arrays and shapes that signatures use, and what NumPy lacks."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""A NumPy array; the docstrings give its shape, as ``(B, F)``."""

Shape: TypeAlias = tuple[int, ...]
"""The shape of one example; the batch axis is never part of it."""


def distinct_values(values: Array) -> Array:
    """Return the distinct values (K,) of an array of any shape, sorted.

    ``np.unique`` alone would do, but asks whether the values are masked, and for that loads all of ``numpy.ma``, which
    takes longer than all else that a short command does with its data.

    >>> distinct_values(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    found: Array = np.unique(values, return_counts=True)[0]
    return found
