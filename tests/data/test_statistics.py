"""Means, deviations and quantiles against NumPy, SciPy and exact sums."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nntrain.data.chunks import CHUNK_ROWS
from nntrain.data.statistics import (
    is_spread,
    mean_and_deviation,
    median,
    normal_quantile,
    quantiles,
    squares_about,
    total,
    without_missing,
)

VALUES = arrays(np.float64, st.integers(1, 60), elements=st.integers(-(10**9), 10**9).map(lambda n: n / 1024))


@given(VALUES)
def test_mean_and_deviation_agree_with_exact_sums(values: np.ndarray) -> None:
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    found = mean_and_deviation(values)
    scale = float(np.abs(values).max())
    assert found[0] == pytest.approx(mean, rel=1e-12, abs=1e-13 * scale)
    assert found[1] == pytest.approx(deviation, rel=1e-9, abs=1e-13 * scale)


def test_total_of_many_pieces_equals_the_sum_of_its_pieces() -> None:
    values = np.random.default_rng(0).normal(size=2 * CHUNK_ROWS + 17)
    pieces = [values[start : start + CHUNK_ROWS] for start in range(0, len(values), CHUNK_ROWS)]
    assert total(values) == float(np.sum(pieces[0])) + float(np.sum(pieces[1])) + float(np.sum(pieces[2]))
    assert total(values) == pytest.approx(math.fsum(values), abs=1e-9)


ADVERSARIAL = {
    "cancelling": lambda noise, n: np.repeat(noise.normal(size=n), 2) * np.tile([1.0, -1.0], n) * 1e12 + 1.0,
    "far from 0": lambda noise, n: 1e9 + noise.normal(size=n),
    "wide": lambda noise, n: noise.normal(size=n) * 10.0 ** noise.integers(-30, 30, n),
    "tiny": lambda noise, n: noise.random(n) * 1e-140,
    "one outlier": lambda noise, n: np.append(noise.normal(size=n), 1e15),
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_sums_of_stretches_are_near_the_exact_ones(name: str) -> None:
    values = ADVERSARIAL[name](np.random.default_rng(0), CHUNK_ROWS + 1000)
    size = float(np.abs(values).sum())
    assert total(values) == pytest.approx(math.fsum(values), rel=0, abs=1e-13 * size)
    mean = math.fsum(values) / len(values)
    exact = math.fsum(((values - mean) ** 2).tolist())
    assert squares_about(values, mean) == pytest.approx(exact, rel=1e-12)
    assert mean_and_deviation(values)[1] == pytest.approx(math.sqrt(exact / len(values)), rel=1e-9)


@given(VALUES)
def test_the_median_is_numpys_to_the_bit(values: np.ndarray) -> None:
    before = values.copy()
    assert median(values) == np.median(values)
    assert np.array_equal(values, before)


@given(arrays(np.float64, st.integers(0, 30), elements=st.sampled_from([np.nan, 1.0, -np.inf, 2.5])))
def test_values_without_the_missing_ones_keep_their_order(values: np.ndarray) -> None:
    assert np.array_equal(without_missing(values), values[~np.isnan(values)])


def test_nothing_is_copied_where_nothing_is_missing() -> None:
    values = np.arange(5.0)
    assert without_missing(values) is values


@pytest.mark.parametrize("value", [0.1, 1e300, -7.3e-310, 0.0, 1 / 3])
def test_equal_values_have_exactly_no_deviation(value: float) -> None:
    assert mean_and_deviation(np.full(1000, value)) == (value, 0.0)


def test_denormal_values_have_no_deviation_that_could_divide() -> None:
    assert mean_and_deviation(np.array([1e-310, 3e-310, 9e-310]))[1] == 0.0


def test_differences_by_rounding_alone_are_no_deviation() -> None:
    values = np.array([0.3, 0.1 + 0.2] * 50)
    assert values.min() != values.max()
    assert mean_and_deviation(values)[1] == 0.0


def test_no_values_are_mean_0_and_deviation_0() -> None:
    assert mean_and_deviation(np.empty(0)) == (0.0, 0.0)


@pytest.mark.parametrize(("spread", "center", "expected"), [(1.0, 0.0, True), (1e-9, 1e9, False), (1e-160, 0.0, False)])
def test_is_spread(spread: float, center: float, expected: bool) -> None:
    assert is_spread(spread, center) is expected


@given(VALUES, st.lists(st.floats(0, 1), min_size=1, max_size=5).map(sorted))
def test_quantiles_agree_with_numpy(values: np.ndarray, probabilities: list[float]) -> None:
    found = quantiles(values, np.array(probabilities))
    np.testing.assert_allclose(found, np.quantile(values, probabilities), rtol=1e-9, atol=1e-9)
    assert np.all(np.diff(found) >= 0)


def test_as_many_quantiles_as_values_are_the_values() -> None:
    for count in range(2, 400):
        values = np.arange(float(count))
        assert quantiles(values, np.linspace(0.0, 1.0, count)).tolist() == values.tolist()


@given(st.floats(1e-300, 1 - 1e-15))
def test_normal_quantile_agrees_with_the_standard_library(probability: float) -> None:
    found = float(normal_quantile(np.array([probability]))[0])
    assert found == pytest.approx(NormalDist().inv_cdf(probability), rel=1e-12, abs=1e-15)


def test_normal_quantile_at_the_ends() -> None:
    assert normal_quantile(np.array([0.0, 0.5, 1.0])).tolist() == [-np.inf, 0.0, np.inf]
