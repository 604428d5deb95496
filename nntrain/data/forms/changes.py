"""What is predicted of a series: its values, their logarithm, or their change; and back from it, exactly."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array

LARGEST_LOGARITHM = 88.7
"""A predicted logarithm is cut here: beyond it, the value does not fit into float32."""


class Changes:
    """z_t = u_t - b_t, where u is the series or its logarithm, and b a base made of values known before.

    Of one lag k, the base of a value j rows ahead is the latest known value of the same phase:

        b_t = u_(t - m k), m = ceil(j / k).

    Of several lags the operators 1 - B^(m k), B u_t = u_(t-1), are applied one after the other:

        b_t = sum over the non-empty subsets S of the lags of (-1)^(\\|S\\| + 1) u_(t - sum of m_k k in S).

    Without lags z = u. One row ahead all m are 1, and z is the differenced series of Box and Jenkins, "Time Series
    Analysis" (1970).

    Args:
        log: whether u = ln y.
        lags: k of each difference.

    >>> changes = Changes(log=False, lags=[2])
    >>> u = np.array([[1.0], [5.0], [2.0], [7.0]])
    >>> changes.past(u)[2:].ravel().tolist()
    [1.0, 2.0]
    >>> changes.base(u, np.array([4]), horizon=3).tolist()
    [[[2.0], [7.0], [2.0]]]
    """

    def __init__(self, log: bool, lags: Sequence[int]) -> None:
        self.log = log
        self.lags = list(lags)

    @property
    def lost(self) -> int:
        """How many rows at the start of a series or window have no change of their own."""
        return sum(self.lags)

    def reach(self, horizon: int) -> int:
        """Return how many known rows the bases of so many steps need."""
        terms = [(j, distance) for j in range(1, horizon + 1) for _, distance in self._terms(j)]
        return max((distance - j + 1 for j, distance in terms), default=0)

    def past(self, u: Array) -> Array:
        """Return z (R, D) of u (R, D), one row ahead of the rows before it; the first :attr:`lost` rows are 0."""
        z = np.zeros_like(u)
        lost = self.lost
        if len(u) > lost:
            z[lost:] = u[lost:]
            for sign, distance in self._terms(1):
                z[lost:] -= sign * u[lost - distance : len(u) - distance]
        return z

    def base(self, u: Array, places: Array, horizon: int) -> Array:
        """Return b (N, horizon, D) of the rows from each place (N,) on; only rows before the place are read."""
        base = np.zeros((len(places), horizon, u.shape[1]))
        for j in range(1, horizon + 1):
            for sign, distance in self._terms(j):
                base[:, j - 1] += sign * u[places + (j - 1 - distance)]
        return base

    def forward(self, y: Array) -> Array:
        """Return u of values y, which are above 0 where their logarithm is taken, or NaN."""
        return np.log(y) if self.log else y

    def inverse(self, u: Array) -> Array:
        """Return y of u."""
        return np.exp(np.minimum(u, LARGEST_LOGARITHM)) if self.log else u

    def describe(self) -> str:
        """Return in words what is predicted: ``change of the logarithm against the row before``."""
        quantity = "logarithm" if self.log else "value" if self.lags else ""
        lags = [f"{lag} rows" if lag > 1 else "the row" for lag in self.lags]
        return f"change of the {quantity} against {' and '.join(lags)} before" if lags else quantity

    def _terms(self, ahead: int) -> list[tuple[float, int]]:
        """Return the sign and the distance in rows of each value in the base of a row so many rows ahead."""
        distances = [-(-ahead // lag) * lag for lag in self.lags]
        sizes = range(1, len(distances) + 1)
        return [((-1.0) ** (n + 1), sum(chosen)) for n in sizes for chosen in itertools.combinations(distances, n)]
