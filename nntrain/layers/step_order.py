"""The order in which a recurrent layer reads the steps of a batch."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nntrain.core.array import Array
from nntrain.core.scratch import ScratchOwner
from nntrain.core.steps import padding_mask
from nntrain.layers.rows import as_rows

ROWS_AT_ONCE = 16
"""Rows that are brought into another order together."""


class StepOrder:
    """Brings batches (B, T, F) into the order they are read, step by step and feature-major, and back.

    Read in reverse, each row of a padded batch begins with its own last step; its padding still comes last.

    Args:
        owner: of the scratch memory.
        reverse: whether the steps are read from the last to the first.
        lengths: (B,) true numbers of steps, or None where nothing is padded.
        shape: (B, T) of the batch.

    Attributes:
        count: how many steps are read: those of the longest sequence.
    """

    def __init__(self, owner: ScratchOwner, reverse: bool, lengths: Array | None, shape: tuple[int, int]) -> None:
        self.owner = owner
        self.lengths = lengths
        self.shape = shape
        self.count = shape[1] if lengths is None else int(lengths.max(initial=0))
        self.padding = None if lengths is None else padding_mask(owner, lengths, shape[1])
        self.flipped = reverse and lengths is None
        self.places = self._places(lengths) if reverse and lengths is not None else None

    def _places(self, lengths: Array) -> Array:
        """Return (B, T) where in (B T,) the steps lie that are read one after the other."""
        rows, steps = self.shape
        places, own = self.owner.scratch("places", self.shape, np.intp), np.arange(steps)
        np.subtract(lengths[:, None] - 1, own, out=places)
        np.copyto(places, own, where=self.padding)
        return np.add(places, np.arange(0, rows * steps, steps)[:, None], out=places)

    def read(self, x: Array, out: Array, key: str) -> None:
        """Write x (B, T, F) into (count, F, B)."""
        steps = self._turned(x, key)[:, : self.count].transpose(1, 2, 0)
        # Blocks of rows, since reads far apart push each other out of the cache.
        for row in range(0, self.shape[0], ROWS_AT_ONCE):
            block = slice(row, row + ROWS_AT_ONCE)
            np.copyto(out[:, :, block], steps[:, :, block])

    def put_back(self, steps: Array, key: str) -> Array:
        """Return steps (count, F, B), as they were read, as (B, T, F) in scratch ``key``; zeros behind the longest."""
        shape = (*self.shape, steps.shape[1])
        y = self.owner.scratch(key if self.places is None else f"{key}_read", shape)
        y[:, self.count :] = 0
        view = y[:, ::-1] if self.flipped else y
        for step in range(self.count):
            np.copyto(view[:, step].T, steps[step])
        return y if self.places is None else self._turned(y, key)

    def _turned(self, x: Array, key: str) -> Array:
        """Return x with its steps in the order they are read; the same again puts them back."""
        if self.flipped:
            return x[:, ::-1]
        if self.places is None:
            return x
        out = self.owner.scratch(key, x.shape)
        # mode "clip": the default goes through a buffer of the size of x.
        np.take(as_rows(self.owner, x, f"{key}_rows"), self.places, axis=0, out=out, mode="clip")
        return out

    @cached_property
    def ends(self) -> dict[int, Array]:
        """The steps, as they are read, at which rows end, each with a mask (B,) of those that do."""
        rows, steps = self.shape
        if self.lengths is None:
            return {steps - 1: np.ones(rows, np.bool_)}
        return {end - 1: self.lengths == end for end in sorted({int(length) for length in self.lengths} - {0})}
