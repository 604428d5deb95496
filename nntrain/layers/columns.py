"""Arithmetic of matrices with columns, which NumPy stretches."""

from __future__ import annotations

import numpy as np

LONG_ROW = 512
"""From this length on a row is better gone along by itself; see :class:`Unbuffered`."""


class Unbuffered:
    """Keeps NumPy from copying a stretched column into its buffer while in the block.

    Where one operand of a call is a column, NumPy copies it into a buffer of 8192 numbers, to have long loops. For
    long rows, copying takes as long as computing: a column times 256 rows of 1024 takes 52 us with the buffer and 22 us
    without, times 800 rows of 64 8 us and 28 us.
    """

    def __init__(self, width: int) -> None:
        self.active = width >= LONG_ROW

    def __enter__(self) -> None:
        if self.active:
            self._before = np.setbufsize(16)

    def __exit__(self, *error: object) -> None:
        if self.active:
            np.setbufsize(self._before)
