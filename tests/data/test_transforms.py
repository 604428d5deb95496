"""Scalers against scikit-learn, there and back, through their state, and with odd training values."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from nntrain.data.transforms import Affine, affine_named, scaler_named

NAMES = ("standard", "minmax", "robust", "quantile", "none")
INVERTIBLE = ("standard", "minmax", "robust", "none")
ORACLES = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}
# Multiples of 1/8, so that no two values differ by rounding alone.
VALUES = arrays(np.float64, st.integers(2, 50), elements=st.integers(-8000, 8000).map(lambda n: n / 8))
DISTINCT = st.sets(st.integers(-8000, 8000), min_size=2, max_size=50).map(lambda found: np.array(sorted(found)) / 8)


@pytest.mark.parametrize("name", sorted(ORACLES))
@given(train=VALUES, other=VALUES)
def test_equal_to_scikit_learn(name: str, train: np.ndarray, other: np.ndarray) -> None:
    scaler = scaler_named(name)
    scaler.fit(train)
    oracle = ORACLES[name]().fit(train[:, None])
    for values in (train, other):
        np.testing.assert_allclose(scaler.apply(values), oracle.transform(values[:, None])[:, 0], rtol=1e-9, atol=1e-9)


@given(train=DISTINCT, other=VALUES)
def test_quantile_equal_to_scikit_learn(train: np.ndarray, other: np.ndarray) -> None:
    scaler = scaler_named("quantile")
    scaler.fit(train)
    oracle = QuantileTransformer(n_quantiles=len(train), output_distribution="normal").fit(train[:, None])
    for values in (train, other):
        np.testing.assert_allclose(scaler.apply(values), oracle.transform(values[:, None])[:, 0], atol=1e-6)


@given(train=arrays(np.float64, st.integers(3, 40), elements=st.integers(0, 5).map(float)))
def test_equal_values_get_the_middle_of_their_ranks(train: np.ndarray) -> None:
    scaler = scaler_named("quantile")
    scaler.fit(train)
    ordered = np.sort(train).tolist()
    for value in set(ordered) - {ordered[0], ordered[-1]}:
        first, last = ordered.index(value), len(ordered) - 1 - ordered[::-1].index(value)
        expected = NormalDist().inv_cdf((first + last) / 2 / (len(ordered) - 1))
        assert scaler.apply(np.array([value]))[0] == pytest.approx(expected, abs=1e-9)


def test_quantile_of_many_rows_is_close_to_scikit_learn() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=5000)
    scaler = scaler_named("quantile")
    scaler.fit(values)
    oracle = QuantileTransformer(n_quantiles=1000, output_distribution="normal", subsample=None).fit(values[:, None])
    np.testing.assert_allclose(scaler.apply(values), oracle.transform(values[:, None])[:, 0], atol=1e-6)


@pytest.mark.parametrize("name", INVERTIBLE)
@given(train=VALUES, other=VALUES)
def test_invert_undoes_apply(name: str, train: np.ndarray, other: np.ndarray) -> None:
    scaler = affine_named(name)
    scaler.fit(train)
    np.testing.assert_allclose(scaler.invert(scaler.apply(other)), other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@given(train=VALUES, other=VALUES)
def test_state_through_json_gives_the_same_bits(name: str, train: np.ndarray, other: np.ndarray) -> None:
    scaler = scaler_named(name)
    scaler.fit(train)
    state = scaler.state()
    plain = json.loads(json.dumps({key: value for key, value in state.items() if not isinstance(value, np.ndarray)}))
    loaded = scaler_named(name)
    loaded.load({**state, **plain})
    assert loaded.apply(other).tobytes() == scaler.apply(other).tobytes()


@pytest.mark.parametrize("name", NAMES)
@given(train=VALUES)
def test_apply_and_fit_leave_their_argument_alone(name: str, train: np.ndarray) -> None:
    before = train.copy()
    train.flags.writeable = False
    scaler = scaler_named(name)
    scaler.fit(train)
    scaler.apply(train)
    assert train.tobytes() == before.tobytes()


@pytest.mark.parametrize("name", ["standard", "minmax", "robust"])
@pytest.mark.parametrize("train", [[7.0, 7.0, 7.0], [1e-310, 2e-310, 5e-310], [7.0]], ids=["equal", "denormal", "one"])
def test_constant_values_stay_finite_and_are_told(name: str, train: list[float]) -> None:
    scaler = scaler_named(name)
    scaler.fit(np.array(train))
    assert scaler.finding is not None
    applied = scaler.apply(np.array([*train, -1e30, 1e30]))
    assert np.isfinite(applied).all()
    assert np.abs(applied[: len(train)]).max() < 1e-300


def test_a_column_with_one_frequent_value_has_no_robust_scale() -> None:
    scaler = scaler_named("robust")
    scaler.fit(np.array([0.0] * 9 + [1000.0]))
    assert scaler.finding is not None and "half" in scaler.finding
    assert scaler.apply(np.array([1000.0])).tolist() == [1000.0]


@pytest.mark.parametrize("name", NAMES)
def test_no_training_values_change_nothing_to_something_infinite(name: str) -> None:
    scaler = scaler_named(name)
    scaler.fit(np.empty(0))
    assert np.isfinite(scaler.apply(np.array([0.0, 5.0]))).all()


def test_ranks_of_a_constant_are_0_and_of_denormals_are_ranks() -> None:
    scaler = scaler_named("quantile")
    scaler.fit(np.array([7.0, 7.0]))
    assert scaler.finding is not None
    assert scaler.apply(np.array([7.0, 1e30])).tolist() == [0.0, 0.0]
    scaler.fit(np.array([1e-310, 2e-310, 5e-310]))
    assert scaler.apply(np.array([2e-310])).tolist() == pytest.approx([0.0], abs=1e-9)


@given(VALUES)
def test_quantile_does_not_change_the_order(train: np.ndarray) -> None:
    scaler = scaler_named("quantile")
    scaler.fit(train)
    assert np.all(np.diff(scaler.apply(np.sort(train))) >= 0)


def test_a_target_cannot_be_scaled_by_ranks() -> None:
    with pytest.raises(ValueError, match="quantile"):
        affine_named("quantile")


def test_none_is_the_identity() -> None:
    values = np.array([1.5, -2.0])
    scaler = Affine()
    scaler.fit(values)
    assert scaler.apply(values).tolist() == values.tolist()
    assert scaler.finding is None


@pytest.mark.parametrize("scale", [0.0, float("inf"), float("nan")])
def test_a_scale_that_no_fit_leaves_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="cannot be scaled"):
        scaler_named("standard").load({"shift": 0.0, "scale": scale})
