"""The normal distribution's upper tail, as the exact GELU needs it.

Q(a) = exp(-a^2 / 2) P(a) / D(a) for a >= 0, with polynomials P and D fitted for the least relative error of the
quotient over the whole range in which Q(a) is no underflow. All coefficients are positive, so nothing cancels.
Relative error of the fit: 2.7e-15 for float64 (degrees 8 and 9, a up to 38), 4.8e-9 for float32 (degrees 4 and 5, a up
to 13).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from nntrain.core.array import Array


@dataclass(frozen=True, slots=True)
class TailFit:
    """Coefficients from the highest power down, and the largest a, where Q(a) is next to the smallest number."""

    numerator: tuple[float, ...]
    denominator: tuple[float, ...]
    largest: float


DOUBLE = TailFit(
    (
        8.067203009259362e-06,
        0.00018478629027338388,
        0.0020644688100169557,
        0.01444496919237303,
        0.06868998264513401,
        0.22680532191794484,
        0.5093487512364022,
        0.7185407350420335,
        0.5000000000000013,
    ),
    (
        2.0221479159326225e-05,
        0.0004631905401201156,
        0.005195077357913419,
        0.03667135933827434,
        0.17731464674137012,
        0.6037988488082943,
        1.4387734435594597,
        2.301942392424703,
        2.2349660308873767,
        1.0,
    ),
    38.0,
)

SINGLE = TailFit(
    (
        0.003993076041379312,
        0.03980047285386274,
        0.18075982632941054,
        0.43494433211877764,
        0.500000002354818,
    ),
    (
        0.010009006939443961,
        0.0997726504937218,
        0.46293682110552864,
        1.1922064760505406,
        1.6677735660552493,
        1.0,
    ),
    13.0,
)


def fit_for(dtype: object) -> TailFit:
    """Return the fit whose error is below the rounding of a dtype."""
    return SINGLE if np.dtype(dtype) == np.float32 else DOUBLE  # type: ignore[call-overload]


@cache
def coefficients(dtype: np.dtype[Any]) -> tuple[tuple[Array, ...], tuple[Array, ...], Array]:
    """Return numerator, denominator and -1/2 as arrays () of a dtype, with which short calls take half the time."""
    fit = fit_for(dtype)
    numerator, denominator = (tuple(np.array(c, dtype) for c in cs) for cs in (fit.numerator, fit.denominator))
    return numerator, denominator, np.array(-0.5, dtype)


def polynomial(coefficients: tuple[Array, ...], a: Array, out: Array) -> Array:
    """Write the polynomial with these coefficients, highest power first, into ``out`` (Horner's rule)."""
    np.multiply(a, coefficients[0], out)
    for coefficient in coefficients[1:-1]:
        np.add(out, coefficient, out)
        np.multiply(out, a, out)
    return np.add(out, coefficients[-1], out)


def normal_tail(a: Array, density: Array, out: Array, spare: Array) -> Array:
    """Write Q(a), the share of a standard normal distribution above ``a`` >= 0, into ``out``.

    Args:
        a: at least 0 and at most the fit's largest.
        density: receives exp(-a^2 / 2).
        out: receives Q(a).
        spare: is overwritten.

    >>> round(float(normal_tail(np.array([1.0]), np.empty(1), np.empty(1), np.empty(1))[0]), 15)
    0.158655253931457
    """
    numerator, denominator, minus_half = coefficients(a.dtype)
    np.multiply(a, a, density)
    np.multiply(density, minus_half, density)
    np.exp(density, density)
    polynomial(numerator, a, out)
    np.divide(out, polynomial(denominator, a, spare), out)
    return np.multiply(out, density, out)
