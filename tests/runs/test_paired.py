"""The paired tests against SciPy, textbook loops and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.runs.paired import compare_errors, compare_shares, holm, mcnemar


@given(st.integers(0, 3000), st.integers(0, 3000))
@settings(max_examples=60)
def test_mcnemar_is_the_exact_binomial_test(a: int, b: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(a, a + b).pvalue if a + b else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-8, abs=1e-300)
    assert mcnemar(a, b) == mcnemar(b, a)


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 0) == 1
    assert mcnemar(3, 1) == 2 * (1 + 4) / 16
    assert mcnemar(2, 2) == 1
    assert mcnemar(0, 10) == 2 / 1024


def right(count: int, of: int) -> np.ndarray:
    return np.arange(of) < count


def test_difference_of_shares_by_hand() -> None:
    a, b = right(9, 10), np.roll(right(6, 10), 0)
    found = compare_shares(a, b)
    assert found.value == pytest.approx(0.3)
    p, q = 4 / 12, 1 / 12
    half = 1.959963984540054 * np.sqrt((p + q - (p - q) ** 2) / 12)
    assert (found.low, found.high) == pytest.approx((p - q - half, p - q + half))
    assert found.p == mcnemar(3, 0)


def test_the_interval_of_shares_covers_the_truth() -> None:
    generator, covered = np.random.default_rng(0), 0
    for _ in range(1000):
        outcome = generator.choice(4, 60, p=[0.7, 0.12, 0.04, 0.14])
        found = compare_shares((outcome == 0) | (outcome == 1), (outcome == 0) | (outcome == 2))
        covered += found.low <= 0.08 <= found.high
    assert 930 <= covered <= 985


def test_sign_flips_against_every_permutation() -> None:
    generator = np.random.default_rng(1)
    a, b = generator.exponential(size=10), generator.exponential(size=10) * 1.8
    difference = a - b
    sums = [abs(np.dot(signs, difference)) for signs in itertools.product((-1, 1), repeat=10)]
    exact = np.mean(np.array(sums) >= abs(difference.sum()) - 1e-12)
    assert compare_errors(a, b).p == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("rows", [400, 8000])
def test_errors_with_and_without_a_difference(rows: int) -> None:
    generator = np.random.default_rng(2)
    noise = generator.normal(size=rows)
    same = compare_errors(noise**2, noise[::-1] ** 2)
    assert same.value == pytest.approx(0, abs=1e-12)
    assert same.p > 0.9
    assert same.low < 0 < same.high
    worse = compare_errors((1.3 * noise) ** 2, noise**2)
    assert worse.value == pytest.approx(0.3 * np.sqrt(np.mean(noise**2)))
    assert worse.p < 0.001
    assert 0 < worse.low < worse.value < worse.high


def test_both_ways_of_reckoning_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    a = generator.normal(size=1500) ** 2
    b = 0.8 * a + 0.22 * generator.normal(size=1500) ** 2
    resampled = compare_errors(a, b)
    monkeypatch.setattr("nntrain.runs.paired.MOST_RESAMPLED_ROWS", 0)
    normal = compare_errors(a, b)
    assert (resampled.low, resampled.high) == pytest.approx((normal.low, normal.high), abs=0.004)
    assert resampled.p == pytest.approx(normal.p, abs=0.05)
    assert compare_errors(a, b) == normal


def test_no_error_at_all() -> None:
    for rows in (10, 6000):
        found = compare_errors(np.zeros(rows), np.zeros(rows))
        assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_textbook_procedure(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    count = len(p_values)
    for p, corrected in zip(p_values, adjusted, strict=True):
        smaller = [q for q in p_values if q <= p]
        # Of equal values the first in order counts most, and the running maximum hands it to the others.
        steps = [min(1.0, (count - sum(r < q for r in p_values)) * q) for q in smaller]
        assert corrected == pytest.approx(max(steps))
        assert corrected >= p
