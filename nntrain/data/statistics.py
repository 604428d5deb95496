"""Means, deviations and quantiles of training columns, in float64, one column at a time.

Sums are taken over stretches of a fixed number of rows, and added in order. A column that lies in a file is taken into
memory for them, alone; so it does not matter for a single bit where the table is kept.
"""

from __future__ import annotations

import sys

import numpy as np

from nntrain.core.array import Array
from nntrain.data.chunks import chunks

SMALLEST_SPREAD = 1e-150
"""A spread below this has a square that underflows, so the column counts as constant."""


def total(values: Array) -> float:
    """Return the sum of values (N,) by stretches of :data:`nntrain.data.chunks.CHUNK_ROWS`.

    >>> total(np.ones(200_000))
    200000.0
    """
    added = 0.0
    for rows in chunks(len(values)):
        added += float(values[rows].sum(dtype=np.float64))
    return added


def squares_about(values: Array, center: float) -> float:
    """Return sum (v - c)^2 over values (N,), by the same stretches.

    >>> squares_about(np.array([1.0, 3.0]), 2.0)
    2.0
    """
    added = 0.0
    for rows in chunks(len(values)):
        error = values[rows] - center
        added += float(np.square(error, out=error).sum())
    return added


def mean_and_deviation(values: Array) -> tuple[float, float]:
    """Return the mean m and sqrt(sum (v - m)^2 / N), in two passes.

    The deviation is exactly 0 where all values are equal, or differ by no more than rounding.

    >>> mean_and_deviation(np.array([1.0, 3.0]))
    (2.0, 1.0)
    """
    if len(values) == 0:
        return 0.0, 0.0
    if values.min() == values.max():
        return float(values[0]), 0.0
    mean = total(values) / len(values)
    deviation = float(np.sqrt(squares_about(values, mean) / len(values)))
    return mean, deviation if is_spread(deviation, mean) else 0.0


def without_missing(values: Array) -> Array:
    """Return the values (N,) that are not NaN, in their order: the same array where none is.

    >>> without_missing(np.array([1.0, np.nan, 2.0])).tolist()
    [1.0, 2.0]
    """
    if not np.isnan(values.min(initial=np.inf)):  # the smallest of values with NaN among them is NaN
        return values
    kept = [values[rows][~np.isnan(values[rows])] for rows in chunks(len(values))]
    return np.concatenate(kept)


def median(values: Array) -> float:
    """Return the middle of values (N,), the mean of the two middle ones where N is even.

    >>> median(np.array([3.0, 1.0, 10.0])), median(np.array([4.0, 1.0]))
    (3.0, 2.5)
    """
    middle = len(values) // 2
    found = np.partition(values, middle)  # one place at a time: NumPy has no vector instructions for several
    if len(values) % 2:
        return float(found[middle])
    return float(np.mean([found[:middle].max(), found[middle]]))


def is_spread(spread: float, center: float) -> bool:
    """Return whether a spread is more than rounding around its center."""
    return spread > SMALLEST_SPREAD and spread > 8 * sys.float_info.epsilon * abs(center)


def quantiles(values: Array, probabilities: Array) -> Array:
    """Return the values at probabilities (Q,) in 0 to 1, interpolated linearly between the sorted values (N,).

    >>> quantiles(np.array([3.0, 1.0, 2.0]), np.array([0.0, 0.25, 1.0])).tolist()
    [1.0, 1.5, 3.0]
    """
    ordered = np.sort(values)
    place = probabilities * (len(ordered) - 1)
    # A place that is whole but for rounding is that value itself: else equal values would not give equal quantiles.
    whole = np.rint(place)
    place = np.where(np.abs(place - whole) <= 1e-12 * len(ordered), whole, place)
    nearest = np.rint(place)
    place = np.where(np.abs(place - nearest) < 1e-9, nearest, place)  # a place that is a row is that row exactly
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    found: Array = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    rising: Array = np.maximum.accumulate(found)  # rounding must not make them fall
    return rising


def normal_quantile(probability: Array) -> Array:
    """Return x with P(X <= x) = p for a standard normal X; -inf at 0 and inf at 1.

    Algorithm AS 241 (PPND16) of Wichura, "The percentage points of the normal distribution", Applied Statistics 37
    (1988): rational functions on three ranges of p, relative accuracy about 1e-16.

    >>> normal_quantile(np.array([0.5, 0.975])).round(6).tolist()
    [0.0, 1.959964]
    """
    p = np.asarray(probability, np.float64)
    q = p - 0.5
    x = _central(q)
    outside = np.abs(q) > 0.425
    if outside.any():
        tail = np.minimum(p[outside], 1.0 - p[outside])
        x[outside] = np.copysign(_tail(tail), q[outside])
    return x


def _central(q: Array) -> Array:
    r = 0.180625 - q * q
    return np.asarray(q * np.polyval(_CENTRAL[0], r) / np.polyval(_CENTRAL[1], r))


def _tail(tail: Array) -> Array:
    with np.errstate(divide="ignore"):
        r = np.sqrt(-np.log(tail))
    finite = np.minimum(r, 30.0)  # the smallest positive float64 is at 27.3; 0 itself is set to infinity below
    near = np.polyval(_NEAR[0], finite - 1.6) / np.polyval(_NEAR[1], finite - 1.6)
    far = np.polyval(_FAR[0], finite - 5.0) / np.polyval(_FAR[1], finite - 5.0)
    return np.where(np.isinf(r), np.inf, np.where(r <= 5.0, near, far))


# Coefficients of the numerators and denominators, highest power first.
_CENTRAL = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_NEAR = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip
