"""Sums rounded once, against ``math.fsum`` and fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nntrain.metrics.base import Undefined, exact_sum, weighted_mean
from nntrain.metrics.exact import exact_sum_of

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(arrays(np.float64, st.integers(0, 200), elements=NUMBERS))
def test_the_sum_is_that_of_fractions_rounded_once(values: np.ndarray) -> None:
    expected = float(sum((Fraction(value) for value in values.tolist()), Fraction(0)))
    assert exact_sum(values) == expected


@pytest.mark.parametrize("seed", range(6))
def test_many_terms_of_all_sizes_in_any_order(seed: int) -> None:
    noise = np.random.default_rng(seed)
    size = 20_000
    values = noise.normal(size=size) * 10.0 ** noise.integers(-320 if seed % 2 else -20, 290 if seed % 3 else 5, size)
    values = np.concatenate([values, -values[::-1] * (1 + 2.0**-52)])
    assert exact_sum(values) == math.fsum(values) == exact_sum(noise.permutation(values))
    assert exact_sum_of(values.__getitem__, len(values)) == math.fsum(values)


def test_denormal_numbers_and_float32() -> None:
    values = np.full(10_000, 5e-324)
    assert exact_sum(values) == math.fsum(values)
    narrow = np.random.default_rng(0).normal(size=30_000).astype(np.float32)
    assert exact_sum(narrow) == math.fsum(narrow.tolist())


def test_a_sum_that_is_too_large_has_no_value() -> None:
    for values in ([1.7e308] * 100, [np.inf, -np.inf] * 50):
        with pytest.raises(Undefined, match="not finite"):
            exact_sum(np.array(values))
    assert exact_sum(np.array([1.7e308, -1.7e308] * 500 + [1.0])) == 1.0


def test_weights_and_truth_values() -> None:
    noise = np.random.default_rng(0)
    values, weight = noise.normal(size=9000), noise.random(9000)
    expected = math.fsum(values * weight) / math.fsum(weight)
    assert weighted_mean(values, weight) == expected
    assert weighted_mean(values > 0, None) == np.count_nonzero(values > 0) / 9000
