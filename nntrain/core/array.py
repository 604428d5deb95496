"""The types of arrays and shapes that signatures use."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""A NumPy array; the docstrings give its shape, as ``(B, F)``."""

Shape: TypeAlias = tuple[int, ...]
"""The shape of one example; the batch axis is never part of it."""
