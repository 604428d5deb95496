"""Clipping, and a norm that is right for every size of gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from threadpoolctl import threadpool_limits

from nntrain.core.rng import stream
from nntrain.optim.clipping import ROW, Clipping, flat_norm

SIZES = [0, 1, 7, ROW - 1, ROW, ROW + 1, 3 * ROW, 70_001]
FLOATS = {np.float32: 3e38, np.float64: 1e300}


def clip(clipping: Clipping, grad: np.ndarray) -> float:
    """Clip ``grad`` as an update does, and return its norm from before."""
    before = flat_norm(grad)
    if math.isfinite(before):
        clipping.limit(grad)
        grad *= clipping.factor(flat_norm(grad))
    return before


def exact(vector: np.ndarray) -> float:
    """Return the norm by sums without rounding, of numbers scaled so that no square is out of range."""
    largest = max((abs(float(x)) for x in vector), default=0.0)
    if not largest:
        return 0.0
    return largest * math.sqrt(math.fsum((float(x) / largest) ** 2 for x in vector))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", list(FLOATS))
@pytest.mark.parametrize("scale", [1e-35, 1e-20, 1e-10, 1.0, 1e10, 1e20, 1e35])
def test_norm_is_exact_at_every_scale(size: int, dtype: type, scale: float) -> None:
    vector = (stream(0, "vector", size).normal(size=size) * scale).astype(dtype)
    assert flat_norm(vector) == pytest.approx(exact(vector), rel=1e-6 if dtype is np.float32 else 1e-13, abs=0)


@given(arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_norm_of_anything_finite(vector: np.ndarray) -> None:
    assert flat_norm(vector) == pytest.approx(exact(vector), rel=1e-5, abs=0)


@pytest.mark.parametrize("magnitude", [1e-300, 1e300])
def test_norm_of_float64_whose_squares_leave_the_range(magnitude: float) -> None:
    assert flat_norm(np.full(100_000, magnitude)) == pytest.approx(magnitude * math.sqrt(1e5), rel=1e-12, abs=0)


@pytest.mark.parametrize("size", [3, 10_000])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "clipping", [Clipping(), Clipping(norm=1.0), Clipping(value=1.0)], ids=["none", "norm", "value"]
)
def test_a_gradient_that_is_not_finite_is_reported_and_left(size: int, bad: float, clipping: Clipping) -> None:
    grad = np.ones(size, np.float32)
    grad[1] = bad
    before = grad.tobytes()
    assert not math.isfinite(clip(clipping, grad))
    assert grad.tobytes() == before


def test_the_norm_is_the_same_bits_wherever_the_vector_lies() -> None:
    memory = np.empty(100_100, np.float32)
    values = stream(0, "vector").normal(size=100_000).astype(np.float32)
    norms = set()
    for offset in range(17):
        part = memory[offset : offset + values.size]
        part[...] = values
        norms.add(flat_norm(part))
    assert len(norms) == 1


@pytest.mark.parametrize("dtype", list(FLOATS))
def test_the_norm_is_the_same_bits_for_any_number_of_threads(dtype: type) -> None:
    vector = stream(0, "vector").normal(size=1_000_003).astype(dtype)
    norms = set()
    for threads in (1, 2, 3, 4):
        with threadpool_limits(threads, user_api="blas"):
            norms.add(flat_norm(vector))
    assert len(norms) == 1


def test_no_clipping_gives_the_norm_and_touches_nothing() -> None:
    grad = np.array([3.0, -4.0], np.float32)
    assert clip(Clipping(), grad) == 5.0
    assert grad.tolist() == [3.0, -4.0]


def test_a_small_gradient_is_not_touched() -> None:
    grad = np.array([0.3, -0.4], np.float32)
    before = grad.tobytes()
    assert clip(Clipping(norm=0.6, value=0.5), grad) == pytest.approx(0.5)
    assert grad.tobytes() == before


@given(
    arrays(np.float32, st.integers(1, 30), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    st.floats(1e-3, 1e3),
)
def test_clipping_by_norm_keeps_the_direction_and_the_limit(grad: np.ndarray, limit: float) -> None:
    clipped = grad.copy()
    before = clip(Clipping(norm=limit), clipped)
    assert exact(clipped) <= limit * (1 + 1e-5)
    if before + 1e-6 <= limit:
        assert clipped.tobytes() == grad.tobytes()
    else:
        expected = grad.astype(np.float64) * (limit / (before + 1e-6))
        np.testing.assert_allclose(clipped, expected, rtol=1e-5, atol=1e-30)


@given(
    arrays(np.float32, st.integers(1, 30), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    st.floats(1e-3, 1e3),
)
def test_clipping_by_value_is_numpys_clip(grad: np.ndarray, limit: float) -> None:
    clipped = grad.copy()
    assert clip(Clipping(value=limit), clipped) == flat_norm(grad)
    np.testing.assert_array_equal(clipped, np.clip(grad, -np.float32(limit), np.float32(limit)))


def test_both_limits_apply_value_first() -> None:
    grad = np.array([30.0, 1.0])
    assert clip(Clipping(norm=1.0, value=1.0), grad) == pytest.approx(math.hypot(30, 1))
    assert grad == pytest.approx([math.sqrt(0.5)] * 2, rel=1e-5)


def test_a_huge_gradient_in_float32_is_clipped_and_stays_finite() -> None:
    grad = np.full(4, 3e38, np.float32)
    assert clip(Clipping(norm=1.0), grad) == pytest.approx(6e38)
    assert grad == pytest.approx([0.5] * 4, rel=1e-4)
