"""What stands in for a missing number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.data.statistics import median, total, without_missing


class Imputer:
    """One value for the missing cells of a column, found from the training rows.

    ``auto`` takes the median and, where a training row lacks the cell, adds a column of 0 and 1 that marks the missing
    cells. ``error`` and ``drop`` see to it elsewhere that no cell is missing in training.

    Args:
        missing: auto, error, drop, mean, median, most_frequent or constant.
        fill: what ``constant`` puts in.
        frequent: whether ``auto`` takes the most frequent value instead, for truth values.

    >>> imputer = Imputer("auto")
    >>> imputer.fit(np.array([1.0, np.nan, 2.0, 9.0]))
    >>> imputer.fill, imputer.marked
    (2.0, True)
    """

    def __init__(self, missing: str, fill: float = 0.0, frequent: bool = False) -> None:
        self.missing = "most_frequent" if frequent and missing in ("mean", "median") else missing
        self.fill = float(fill)
        self.marked = False
        self._frequent = frequent

    def fit(self, values: Array) -> None:
        """Learn from training values (N,) of float64, NaN for missing."""
        known = without_missing(values)
        self.marked = self.missing == "auto" and len(known) < len(values)
        if self.missing == "constant" or not len(known):
            return
        if self.missing == "mean":
            self.fill = total(known) / len(known)
        elif self.missing == "most_frequent" or self._frequent:
            distinct, counts = np.unique(known, return_counts=True)
            self.fill = float(distinct[np.argmax(counts)])
        else:
            self.fill = median(known)

    def apply(self, values: Array) -> Array:
        """Return the values (N,) with the missing ones filled in: the same array where none is missing."""
        absent = np.isnan(values)
        return np.where(absent, self.fill, values) if absent.any() else values

    def mark(self, values: Array, out: Array) -> None:
        """Write 1 for missing values (N,) and 0 for others into the last column of ``out`` (N, W), if that is its."""
        if self.marked:
            np.isnan(values, out=out[:, -1], casting="unsafe")

    def state(self) -> dict[str, Any]:
        """Return everything learnt."""
        return {"fill": self.fill, "marked": self.marked}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what another one learnt."""
        self.fill, self.marked = float(state["fill"]), bool(state["marked"])
