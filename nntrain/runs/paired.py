"""Is the difference between two models real? Tests on the same rows, in NumPy and the standard library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nntrain.core.rng import stream

Floats: TypeAlias = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 4000
MOST_RESAMPLED_ROWS = 5000
"""Above so many rows the normal approximation is as good as resampling, and much quicker."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference ``a - b``, its 95 % confidence interval and the two-sided p-value of "there is none"."""

    value: float
    low: float
    high: float
    p: float


def mcnemar(a_only: int, b_only: int) -> float:
    r"""Return the exact two-sided p-value of McNemar's test.

    Under the null hypothesis the rows that exactly one model gets right are a fair coin:
    ``p = min(1, 2 * sum_{k <= min(a, b)} C(n, k) / 2^n)`` with ``n = a + b``.

    Args:
        a_only: rows that only the first model gets right.
        b_only: rows that only the second gets right.

    Source: McNemar 1947, Psychometrika 12; exact form: Fagerland, Lydersen and Laake 2013.

    >>> mcnemar(5, 0)
    0.0625
    """
    n, smaller = a_only + b_only, min(a_only, b_only)
    if n <= 1000:
        return float(min(1.0, 2 * sum(math.comb(n, k) for k in range(smaller + 1)) / 2**n))
    log_top = math.lgamma(n + 1) - math.lgamma(smaller + 1) - math.lgamma(n - smaller + 1) - n * math.log(2)
    # Going down from the largest term, each is the one before it times k / (n - k + 1) < 1.
    total = term = 1.0
    for k in range(smaller, 0, -1):
        term *= k / (n - k + 1)
        total += term
        if term < 1e-18 * total:
            break
    return float(min(1.0, 2 * total * math.exp(log_top)))


def compare_shares(a_right: NDArray[np.bool_], b_right: NDArray[np.bool_]) -> Difference:
    """Return the difference of two shares of correct rows (N,).

    The interval is Bonett and Price's adjusted Wald interval: with ``p = (count + 1) / (N + 2)`` for the rows that one
    model alone gets right, ``p_a - p_b +- z sqrt((p_a + p_b - (p_a - p_b)^2) / (N + 2))``; the p-value is McNemar's.

    Source: Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37, equation 5.
    """
    n = len(a_right)
    a_only, b_only = int((a_right & ~b_right).sum()), int((b_right & ~a_right).sum())
    p_a, p_b = (a_only + 1) / (n + 2), (b_only + 1) / (n + 2)
    middle = p_a - p_b
    half = _z() * math.sqrt((p_a + p_b - middle**2) / (n + 2))
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return Difference((a_only - b_only) / n, low, high, mcnemar(a_only, b_only))


def compare_errors(a_squared: Floats, b_squared: Floats) -> Difference:
    """Return the difference of two root mean squared errors, from squared errors (N,) on the same rows.

    Up to 5000 rows: percentile bootstrap over rows for the interval, and for p the sign-flip permutation test of the
    squared errors (under the null hypothesis, which model made which error is a fair coin for each row), both from a
    fixed stream. Above: the delta method and the normal distribution.

    Source: Efron and Tibshirani 1993, chapters 13 and 15.
    """
    value = _root(a_squared) - _root(b_squared)
    if len(a_squared) > MOST_RESAMPLED_ROWS:
        return _by_normal(value, a_squared, b_squared)
    low, high = _bootstrap(a_squared, b_squared)
    return Difference(value, low, high, _sign_flips(a_squared - b_squared))


def _root(squared: Floats) -> float:
    return math.sqrt(float(squared.mean()))


def _bootstrap(a: Floats, b: Floats) -> tuple[float, float]:
    generator, n = stream(0, "compare.bootstrap"), len(a)
    differences = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        rows = generator.integers(0, n, n)
        differences[i] = _root(a[rows]) - _root(b[rows])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return float(low), float(high)


def _sign_flips(difference: Floats) -> float:
    scale = float(np.abs(difference).max(initial=0.0))
    if scale == 0:
        return 1.0
    generator = stream(0, "compare.signs")
    observed = abs(float(difference.sum())) / scale
    extreme = 0
    for _ in range(RESAMPLES):
        signs = generator.integers(0, 2, len(difference)) * 2 - 1
        # The allowance keeps a permutation that is equal but for rounding among the extreme ones.
        extreme += abs(float(signs @ difference)) / scale >= observed * (1 - 1e-12)
    return (1 + extreme) / (1 + RESAMPLES)


def _by_normal(value: float, a: Floats, b: Floats) -> Difference:
    n = len(a)
    root_a, root_b = _root(a), _root(b)
    influence = a / (2 * root_a or 1.0) - b / (2 * root_b or 1.0)
    error = float(influence.std(ddof=1)) / math.sqrt(n)
    squares = a - b
    spread = float(squares.std(ddof=1)) / math.sqrt(n)
    p = math.erfc(abs(float(squares.mean())) / spread / math.sqrt(2)) if spread else 1.0
    return Difference(value, value - _z() * error, value + _z() * error, p)


def _z() -> float:
    return NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for being several, by Holm's step-down method, in the order given.

    Source: Holm 1979, Scandinavian Journal of Statistics 6.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted: list[Any] = [1.0] * len(p_values)
    reached = 0.0
    for rank, i in enumerate(order):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = reached
    return adjusted
