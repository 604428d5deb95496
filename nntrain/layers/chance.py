"""Factors that drop numbers by chance."""

from __future__ import annotations

import math

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context, Layer

LEVELS = 65536
"""A rate is taken to the nearest of so many, the values of the 16 random bits that decide on a number."""


def keep_factors(layer: Layer, ctx: Context, shape: Shape, rate: float) -> Array:
    """Return factors in the layer's scratch ``factors``: 0 with probability ``rate``, else 1 / (1 - rate).

    >>> factors = keep_factors(Layer(), Context(step=1), (4000,), 0.75)
    >>> set(factors.tolist()), bool(0.2 < np.count_nonzero(factors) / 4000 < 0.3)
    ({0.0, 4.0}, True)
    """
    draws = layer.random_bits(ctx).halves(math.prod(shape))
    dropped = min(round(rate * LEVELS), LEVELS - 1)
    kept = np.greater_equal(draws, np.uint16(dropped), layer.scratch("kept", draws.shape, np.bool_))
    factors = layer.scratch("factors", shape)
    factors[...] = kept.reshape(shape)
    return np.multiply(factors, layer.number(1.0 / (1.0 - rate)), factors)


def normal_draws(layer: Layer, ctx: Context, shape: Shape) -> Array:
    """Return draws from a normal distribution with mean 0 and deviation 1, float32, in the scratch ``draws``.

    Two at a time, as a point in the plane: r = sqrt(-2 log u), at an angle that every direction has alike (Box and
    Muller 1958). As u has 24 bits, r is at most 5.77.

    >>> draws = normal_draws(Layer(), Context(step=1), (4000,))
    >>> abs(float(draws.mean())) < 0.1, 0.9 < float(draws.std()) < 1.1
    (True, True)
    """
    count = math.prod(shape)
    half = -(-count // 2)
    words = layer.random_bits(ctx).words(2 * half)
    draws = layer.scratch("both_draws", (2, half), np.float32)
    radius, angle = layer.scratch("radius", (half,), np.float32), layer.scratch("angle", (half,), np.float32)
    np.right_shift(words[:half], np.uint32(8), words[:half])
    radius[...], angle[...] = words[:half], words[half:]
    np.add(radius, np.float32(1), radius)
    np.multiply(radius, np.float32(2.0**-24), radius)
    np.log(radius, radius)
    np.multiply(radius, np.float32(-2), radius)
    np.sqrt(radius, radius)
    np.multiply(angle, np.float32(2.0 * math.pi / 2.0**32), angle)
    np.multiply(np.cos(angle, draws[0]), radius, draws[0])
    np.multiply(np.sin(angle, draws[1]), radius, draws[1])
    return draws.reshape(-1)[:count].reshape(shape)
