"""What stands in for a missing number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.data.statistics import total


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
        known = values[~np.isnan(values)]
        self.marked = self.missing == "auto" and len(known) < len(values)
        if self.missing == "constant" or not len(known):
            return
        if self.missing == "mean":
            self.fill = total(known) / len(known)
        elif self.missing == "most_frequent" or self._frequent:
            distinct, counts = np.unique(known, return_counts=True)
            self.fill = float(distinct[np.argmax(counts)])
        else:
            self.fill = float(np.median(known))

    def apply(self, values: Array) -> Array:
        """Return the values (N,) with the missing ones filled in."""
        return np.where(np.isnan(values), self.fill, values)

    def marks(self, values: Array) -> list[Array]:
        """Return the column (N,) that marks missing cells, in a list; an empty list where there is none."""
        return [np.isnan(values).astype(np.float64)] if self.marked else []

    def state(self) -> dict[str, Any]:
        """Return everything learnt."""
        return {"fill": self.fill, "marked": self.marked}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what another one learnt."""
        self.fill, self.marked = float(state["fill"]), bool(state["marked"])
