"""Decimal numbers read with passes of NumPy over the bytes.

The digits of a number are a whole number m, exact in 64 bits, and the number is m / 10^k, k the digits after the point.
Where float64 holds m, one division rounds correctly, since it holds 10^k too (W. D. Clinger, How to Read Floating Point
Numbers Accurately, 1990); a larger m is taken in two parts, and where that leaves a doubt the number is left to others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nntrain.data.marks import Mask
from nntrain.data.pieces import Positions
from nntrain.data.words import BYTES, Word, Words

Numbers = NDArray[np.floating[Any]]

MOST_DIGITS = 19
"""A whole number of so many digits fits 64 bits."""

_ALWAYS_EXACT = 15
"""A whole number of so many digits fits float64."""
_EXACT_LIMIT = np.uint64(2**53)
_LONGEST_WHOLE = 3 * BYTES
_TENS = np.array([10**power for power in range(MOST_DIGITS + 1)], np.uint64)
_POWERS = 10.0 ** np.arange(MOST_DIGITS + 1)
_MINUS = ord("-")
_SIGNS = np.array([1.0, -1.0])
_MARGIN = 2.0**-40
"""Far more than the relative error of the correction of a quotient."""
_SPLIT = 2.0**27 + 1


def _every(byte: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes([byte] * BYTES), "little"))


_ZEROS, _TO_TOP, _TOP = _every(ord("0")), _every(0x80 - 10), _every(0x80)
_JOINS = [
    (np.uint64(1 + (10**digits << 8 * digits)), np.uint64(8 * digits), np.uint64(lower))
    for digits, lower in ((1, 0x00FF00FF00FF00FF), (2, 0x0000FFFF0000FFFF), (4, 0x00000000FFFFFFFF))
]
"""Multiplied by the first, of two neighbours of so many digits the upper becomes the number that both are together; the
others bring it down and clear the rest."""


def decimals(words: Words, starts: Positions, points: Positions, ends: Positions) -> tuple[Numbers, Mask | None]:
    """Return the values (N,) of cells, and the mask (N,) of those that are not read here, or None where all are.

    Read is ``-?[0-9]*`` with a point at most somewhere in it, at least one digit and up to ``MOST_DIGITS`` significant
    ones, as the nearest float64, which is what Python's ``float()`` returns; and the empty cell, as NaN.

    Args:
        words: of the text.
        starts: (N,) where the cells begin.
        points: (N,) where their points are, or the end of a cell that has none.
        ends: (N,) where they end.

    >>> text = Words()
    >>> text.load(b"-1.5,20,,x\\n")
    >>> decimals(text, np.array([0, 5, 8, 9]), np.array([2, 7, 8, 10]), np.array([4, 7, 8, 10]))[1]
    array([False, False, False,  True])
    """
    negative = words.bytes.take(starts) == _MINUS
    digits = points - starts
    digits -= negative
    places = ends - points
    places -= 1
    np.maximum(places, 0, out=places)
    most, most_places = int(digits.max(initial=0)), int(places.max(initial=0))
    if not most_places:
        mantissa, odd = _whole(words, points, digits)
        if most > MOST_DIGITS:
            odd |= digits > MOST_DIGITS
    elif most + most_places <= BYTES:  # without the point all digits fit one word
        (word,) = words.before(points, digits, base=_ZEROS)
        (last,) = words.before(ends, places, base=_ZEROS)
        word >>= (places << 3).view(np.uint64)
        word |= last
        mantissa, odd = _number(word)
    else:
        mantissa, odd = _whole(words, points, digits)
        if most + most_places > MOST_DIGITS:  # zeros before the point do not count; of more digits 0 may be 2^64
            is_zero = (mantissa == 0) & (digits <= MOST_DIGITS)
            odd |= np.where(is_zero, places, digits + places) > MOST_DIGITS
            places = np.minimum(places, MOST_DIGITS)
        fraction, foreign = _whole(words, ends, places)
        odd |= foreign
        mantissa *= _TENS.take(places)
        mantissa += fraction
    values = mantissa.astype(np.float64)
    if most_places:
        values /= _POWERS.take(places)
        if most + most_places > _ALWAYS_EXACT:
            _correct(values, mantissa, places, odd)
    values *= _SIGNS.take(negative)
    values += 0.0  # -0.0 becomes 0.0
    digits += places
    if not digits.all():
        none = digits == 0
        values[none] = np.nan
        odd |= none & (ends > starts)
    return values, (odd != 0) if np.bitwise_or.reduce(odd, initial=0) else None


def _whole(words: Words, ends: Positions, lengths: Positions) -> tuple[Word, Word]:
    """Return the whole numbers (N,) that end somewhere, modulo 2^64, and words (N,) that are 0 where all are digits."""
    total, odd, factor = np.zeros(0, np.uint64), np.zeros(0, np.uint64), 1
    for word in words.before(ends, lengths, _LONGEST_WHOLE, base=_ZEROS):
        number, foreign = _number(word)
        if factor == 1:
            total, odd = number, foreign
        else:
            number *= np.uint64(factor)
            total += number
            odd |= foreign
        factor *= 10**BYTES
    return total, odd


def _number(word: Word) -> tuple[Word, Word]:
    """Return the numbers (N,) of eight digits each, 0 to 9, and words (N,) that are 0 where all are digits."""
    odd = word + _TO_TOP
    odd |= word
    odd &= _TOP
    for join, width, lower in _JOINS:
        word *= join
        word >>= width
        word &= lower
    return word, odd


def _correct(values: Numbers, mantissa: Word, places: Positions, odd: Word) -> None:
    """Make quotients (N,) of whole numbers that float64 does not hold the nearest ones, and the doubtful odd.

    With m = h + l, h = float64(m), and the quotient q of h: m / p = q + (h - q p + l) / p, where h - q p is exact when
    q p is multiplied out in two parts (T. J. Dekker, A Floating-Point Technique for Extending the Available Precision,
    1971). The sum rounds to the nearest unless a little more or less would round to another.
    """
    large = np.flatnonzero((mantissa >= _EXACT_LIMIT) & (odd == 0))
    whole, power = mantissa[large], _POWERS[places[large]]
    high = whole.astype(np.float64)
    low = (whole - high.astype(np.uint64)).view(np.int64).astype(np.float64)
    quotient = high / power
    product = quotient * power
    rest = (high - product) - _left_over(quotient, power, product)
    rest += low
    rest /= power
    nearest = quotient + rest
    doubtful = (nearest != quotient + rest * (1 + _MARGIN)) | (nearest != quotient + rest * (1 - _MARGIN))
    values[large] = nearest
    odd[large[doubtful]] = 1


def _left_over(first: Numbers, second: Numbers, product: Numbers) -> Numbers:
    """Return what the rounded product of two numbers lacks of the exact one."""
    (a, b), (c, d) = _halves(first), _halves(second)
    return ((a * c - product) + a * d + b * c) + b * d


def _halves(number: Numbers) -> tuple[Numbers, Numbers]:
    upper = number * _SPLIT
    upper -= upper - number
    return upper, number - upper
