"""The types of arrays and shapes that signatures use, and what NumPy lacks."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""A NumPy array; the docstrings give its shape, as ``(B, F)``."""

Shape: TypeAlias = tuple[int, ...]
"""The shape of one example; the batch axis is never part of it."""


def read_only(values: Array) -> Array:
    """Return a view of an array to which nothing can be written.

    >>> read_only(np.zeros(2)).flags.writeable
    False
    """
    shown = values.view()
    shown.flags.writeable = False
    return shown


def largest_places(scores: Array) -> Array:
    """Return the column (N,) that holds the largest of each row's scores (N, K), the first where some are equal.

    >>> largest_places(np.array([[0.2, 0.8], [0.5, 0.5]])).tolist()
    [1, 0]
    """
    if scores.shape[1] == 2:  # in a fifth of the time
        return np.greater(scores[:, 1], scores[:, 0]).astype(np.intp)
    places: Array = np.argmax(scores, axis=1)
    return places


def distinct_values(values: Array) -> Array:
    """Return the distinct values (K,) of an array of any shape, sorted.

    ``np.unique`` alone would do, but asks whether the values are masked, and for that loads all of ``numpy.ma``, which
    takes longer than all else that a short command does with its data.

    >>> distinct_values(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    found: Array = np.unique(values, return_counts=True)[0]
    return found
