"""Sums that are rounded once, so that neither the order of the terms nor how they are cut into stretches matters.

A stretch of terms is split as in Rump's AccSum ("Accurate floating-point summation part I", SIAM J. Sci. Comput. 31,
2008): with s a power of two well above all of them, h = (x + s) - s are their leading bits, whose sum has no rounding
error in whatever order it is taken, and x - h is left for another turn. ``math.fsum`` adds the few sums that result.
It alone would give the same bits, and takes 8 to 12 times as long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from nntrain.core.array import Array

_TERMS = 1 << 13
"""Terms of a stretch; their leading bits are cut so that no sum of so many needs more than 53."""
_FEW = 64


def exact_sum_of(values: Callable[[slice], Array], count: int) -> float:
    """Return the sum of N numbers, rounded once, given what returns those of a stretch: no array of all is made.

    >>> exact_sum_of(np.array([1e100, 1.0, -1e100]).__getitem__, 3)
    1.0

    Raises:
        OverflowError: the sum is beyond the largest number.
        ValueError: there are infinities of both signs.
    """
    return math.fsum(_partial_sums(values, count))


def _partial_sums(values: Callable[[slice], Array], count: int) -> Iterator[float]:
    rest, leading = np.empty(min(count, _TERMS)), np.empty(min(count, _TERMS))
    for start in range(0, count, _TERMS):
        terms = values(slice(start, min(start + _TERMS, count)))
        own = rest[: len(terms)]
        np.copyto(own, terms)
        largest = _largest(own)
        if len(own) <= _FEW or not largest < 1e300:
            yield from own.tolist()
        else:
            yield from _leading_sums(own, leading[: len(terms)], largest)


def _leading_sums(rest: Array, leading: Array, largest: float) -> Iterator[float]:
    """Yield sums without rounding error that add up to the sum of ``rest``, which is used up."""
    while largest > 0:
        above = math.ldexp(1.0, math.frexp(largest)[1] + _TERMS.bit_length())
        np.add(rest, above, out=leading)
        np.subtract(leading, above, out=leading)
        yield float(np.add.reduce(leading))
        np.subtract(rest, leading, out=rest)
        largest = _largest(rest)


def _largest(values: Array) -> float:
    """Return the largest absolute value, NaN where one is NaN."""
    return float(np.maximum(values.max(), -values.min()))
