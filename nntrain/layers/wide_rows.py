"""Batches gone through as wide rows of features: positions side by side, in pieces that stay in the cache."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.scratch import ScratchOwner
from nntrain.core.steps import padding_mask
from nntrain.layers.channels import side_by_side
from nntrain.layers.rows import as_rows, parts_of

PIECE = 32768
"""Numbers that several passes are made over before the next piece is taken: 128 kB of float32, so that the pieces of
input, output and what lies between stay in a processor's own cache."""

MOST_LAYOUTS = 64
"""Shapes of batches whose layouts are remembered."""

RUN = 2048
"""Numbers of a row that are multiplied by those of another row: a call for less takes NumPy's loop longer for each."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the numbers of an array are gone through.

    Attributes:
        times: positions that stand side by side in a row.
        parts: pieces of the rows.
        there: (rows,) 1 for a row that counts, 0 for padding.
        count: positions that count.
    """

    times: int
    parts: list[slice]
    there: Array
    count: float


class Layouts:
    """The layouts of a layer's batches: those of full arrays are found once.

    Args:
        owner: of scratch memory.
    """

    def __init__(self, owner: ScratchOwner) -> None:
        self.owner = owner
        self._ones = np.ones(1, owner.dtype)
        self._found: dict[Shape, Layout] = {}

    def of(self, shape: Shape) -> Layout:
        """Choose how many positions stand in a row, and the pieces of the rows, for arrays (..., F) of a shape."""
        found = self._found.get(shape)
        if found is not None:
            return found
        if len(self._found) >= MOST_LAYOUTS:
            self._found.clear()
        positions, features = math.prod(shape[:-1]), shape[-1]
        times = side_by_side(positions, features, RUN)
        rows = positions // times
        if len(self._ones) < rows:
            self._ones = np.ones(rows, self.owner.dtype)
        parts = list(parts_of(rows, max(1, PIECE // (features * times))))
        made = self._found[shape] = Layout(times, parts, self._ones[:rows], float(positions))
        return made

    def of_steps(self, x: Array, lengths: Array) -> Layout:
        """Choose the pieces of padded sequences (B, T, ..., F); weigh padding with 0, others with 1."""
        there = self.owner.scratch("there", (math.prod(x.shape[:-1]),))
        mask = padding_mask(self.owner, lengths, x.shape[1])
        np.subtract(1, mask[:, :, None], out=there.reshape(*x.shape[:2], -1))
        parts = list(parts_of(len(there), max(1, PIECE // x.shape[-1])))
        return Layout(1, parts, there, float(np.add.reduce(there)))

    def rows(self, x: Array, key: str, layout: Layout) -> Array:
        """Return x (..., F) as rows of features, ``layout.times`` side by side; in scratch ``key`` where x has gaps."""
        rows = as_rows(self.owner, x, key)
        return rows if layout.times == 1 else rows.reshape(-1, layout.times * rows.shape[1])
