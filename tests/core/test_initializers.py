"""Moments, ranges and fans of first values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array
from nntrain.core.initializers import INITIALIZERS
from nntrain.core.parameter import Parameter
from nntrain.core.rng import stream

torch = pytest.importorskip("torch")

SHAPE = (300, 500)


def sample(spec: Any, shape: tuple[int, ...] = SHAPE, **options: Any) -> Array:
    initializer = INITIALIZERS.build(spec)
    return initializer.sample(Parameter("kernel", shape, initializer, **options), stream(0, "test"))


@pytest.mark.parametrize("name", INITIALIZERS.names())
def test_every_initializer_gives_finite_float64_values_of_the_shape(name: str) -> None:
    for shape in ((4, 3), (3, 4), (5,), (), (2, 3, 4)):
        values = sample(name, shape)
        assert values.shape == shape
        assert values.dtype == np.float64
        assert np.isfinite(values).all()


@pytest.mark.parametrize("name", INITIALIZERS.names())
def test_the_same_generator_gives_the_same_values(name: str) -> None:
    np.testing.assert_array_equal(sample(name), sample(name))


def torch_deviation(name: str) -> float:
    """Standard deviation as torch.nn.init defines it, for a weight (out, in) of the transposed shape."""
    weight = torch.empty(SHAPE[1], SHAPE[0])
    fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(weight)
    assert (fan_in, fan_out) == SHAPE
    if name.startswith("glorot"):
        return math.sqrt(2.0 / (fan_in + fan_out))
    if name.startswith("he"):
        return torch.nn.init.calculate_gain("relu") / math.sqrt(fan_in)
    return 1.0 / math.sqrt(fan_in)


@pytest.mark.parametrize(
    "name", ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"]
)
def test_moments_are_those_of_torchs_formula(name: str) -> None:
    deviation, values = torch_deviation(name), sample(name)
    assert abs(values.std() / deviation - 1) < 0.01
    assert abs(values.mean()) < 5 * deviation / math.sqrt(values.size)
    if name.endswith("uniform"):
        limit = math.sqrt(3.0) * deviation
        assert limit * 0.999 < np.abs(values).max() <= limit
    else:
        kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
        assert abs(kurtosis - 3.0) < 0.1


def test_extremes_of_torchs_own_samples_agree() -> None:
    weight = torch.empty(SHAPE[1], SHAPE[0])
    torch.nn.init.xavier_uniform_(weight)
    assert abs(float(weight.abs().max()) / np.abs(sample("glorot_uniform")).max() - 1) < 0.001
    torch.nn.init.kaiming_uniform_(weight, nonlinearity="relu")
    assert abs(float(weight.abs().max()) / np.abs(sample("he_uniform")).max() - 1) < 0.001


def test_gain_multiplies() -> None:
    np.testing.assert_allclose(sample({"name": "he_normal", "gain": 2.0}), 2.0 * sample("he_normal"))


def test_fans_given_to_the_parameter_count() -> None:
    values = sample("lecun_normal", (300, 500), fans=(30000, 1))
    assert abs(values.std() * math.sqrt(30000) - 1) < 0.01


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (2, 4, 3)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape: tuple[int, ...]) -> None:
    matrix = sample({"name": "orthogonal", "gain": 2.0}, shape).reshape(-1, shape[-1]) / 2.0
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)


def test_orthogonal_is_uniform_over_both_signs_of_the_determinant() -> None:
    initializer = INITIALIZERS.build("orthogonal")
    parameter = Parameter("kernel", (3, 3), initializer)
    signs = [np.sign(np.linalg.det(initializer.sample(parameter, stream(seed, "test")))) for seed in range(200)]
    assert 60 < sum(sign > 0 for sign in signs) < 140


def test_constants_and_ranges() -> None:
    assert (sample("zeros") == 0).all()
    assert (sample("ones") == 1).all()
    assert (sample({"name": "constant", "value": 0.3}) == 0.3).all()
    values = sample({"name": "uniform", "low": 1.0, "high": 2.0})
    assert values.min() >= 1.0
    assert values.max() < 2.0
    values = sample({"name": "normal", "mean": 3.0, "standard_deviation": 0.5})
    assert abs(values.mean() - 3.0) < 0.01
    assert abs(values.std() - 0.5) < 0.01
