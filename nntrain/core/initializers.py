"""First values of parameters.

``fan_in`` and ``fan_out`` are the numbers of inputs and outputs of one unit; for a convolution they are multiplied by
the size of the kernel.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeAlias

import numpy as np
from annotated_types import Ge, Gt

from nntrain.core.array import Array
from nntrain.core.parameter import Parameter
from nntrain.errors import ConfigError, quote
from nntrain.registry import Registered, Registry


class Initializer:
    """Base of all initializers: a function of a parameter's shape and fans and of a random generator."""

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        """Return float64 values of the parameter's shape."""
        raise TypeError(f"{type(self).__name__} does not say how it samples")


def first_values(parameter: Parameter, generator: np.random.Generator, dtype: Any) -> Array:
    """Return what a parameter's initializer samples, as numbers of a type.

    Raises:
        ConfigError: an initializer of nntrain's was given arguments for which there are no such values.
        ValueError: one of the user's gives another shape, or values that are no finite numbers of the type.
    """
    initializer = parameter.initializer
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.asarray(initializer.sample(parameter, generator)).astype(dtype, copy=False)
        if values.shape != parameter.shape:
            raise ValueError(f"for shape {parameter.shape} it samples values of shape {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"it samples values that are not finite in {np.dtype(dtype)}")
    except (ValueError, OverflowError) as error:
        if not type(initializer).__module__.startswith("nntrain."):
            raise
        name = INITIALIZERS.name_of(initializer)
        raise ConfigError(f"the initializer {quote(name)} of {parameter.name} cannot sample: {error}") from None
    return values


INITIALIZERS: Registry[Initializer] = Registry("initializer", Initializer, "nntrain.core.initializers")

InitializerLike: TypeAlias = Annotated[str | dict[str, Any] | Initializer, Registered("initializer")]


@INITIALIZERS.register("zeros")
class Zeros(Initializer):
    """All values are 0."""

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        return np.zeros(parameter.shape)


@INITIALIZERS.register("ones", value=1.0)
@INITIALIZERS.register("constant")
class Constant(Initializer):
    """All values are one number.

    Args:
        value: the number.
    """

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        return np.full(parameter.shape, self.value, np.float64)


@INITIALIZERS.register("normal")
class Normal(Initializer):
    """Values from N(mean, standard_deviation^2).

    Args:
        mean: of the distribution.
        standard_deviation: of the distribution.
    """

    def __init__(self, mean: float = 0.0, standard_deviation: Annotated[float, Ge(0)] = 0.05) -> None:
        self.mean = mean
        self.standard_deviation = standard_deviation

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        return generator.normal(self.mean, self.standard_deviation, parameter.shape)


@INITIALIZERS.register("uniform")
class Uniform(Initializer):
    """Values from U(low, high).

    Args:
        low: smallest value.
        high: upper bound.
    """

    def __init__(self, low: float = -0.05, high: float = 0.05) -> None:
        self.low = low
        self.high = high

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        return generator.uniform(self.low, self.high, parameter.shape)


class _Scaled(Initializer):
    """Zero-mean values with a variance that depends on the fans."""

    def __init__(self, gain: Annotated[float, Gt(0)] = 1.0) -> None:
        self.gain = gain

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return the variance before the gain."""
        raise TypeError(f"{type(self).__name__} does not give its variance")

    def deviation(self, parameter: Parameter) -> float:
        """Return the standard deviation for a parameter."""
        return self.gain * math.sqrt(self.variance(*parameter.fans))


class _ScaledUniform(_Scaled):
    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        limit = math.sqrt(3.0) * self.deviation(parameter)
        return generator.uniform(-limit, limit, parameter.shape)


class _ScaledNormal(_Scaled):
    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        return generator.normal(0.0, self.deviation(parameter), parameter.shape)


class _Glorot(_Scaled):
    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2.0 / max(1, fan_in + fan_out)


class _He(_Scaled):
    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2.0 / max(1, fan_in)


class _LeCun(_Scaled):
    def variance(self, fan_in: int, fan_out: int) -> float:
        return 1.0 / max(1, fan_in)


@INITIALIZERS.register("glorot_uniform")
class GlorotUniform(_Glorot, _ScaledUniform):
    """U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16).

    Args:
        gain: multiplies the deviation.
    """


@INITIALIZERS.register("glorot_normal")
class GlorotNormal(_Glorot, _ScaledNormal):
    """N(0, gain^2 2 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 12).

    Args:
        gain: multiplies the deviation.
    """


@INITIALIZERS.register("he_uniform")
class HeUniform(_He, _ScaledUniform):
    """U(-a, a) with a = gain sqrt(6 / fan_in), for ReLU networks (He et al. 2015, eq. 10).

    Args:
        gain: multiplies the deviation.
    """


@INITIALIZERS.register("he_normal")
class HeNormal(_He, _ScaledNormal):
    """N(0, gain^2 2 / fan_in), for ReLU networks (He et al. 2015, eq. 10).

    Args:
        gain: multiplies the deviation.
    """


@INITIALIZERS.register("lecun_uniform")
class LeCunUniform(_LeCun, _ScaledUniform):
    """U(-a, a) with a = gain sqrt(3 / fan_in) (LeCun et al. 1998, eq. 16).

    Args:
        gain: multiplies the deviation.
    """


@INITIALIZERS.register("lecun_normal")
class LeCunNormal(_LeCun, _ScaledNormal):
    """N(0, gain^2 / fan_in), also called N(0, 1/n) or Xavier in older texts (LeCun et al. 1998, eq. 16).

    Args:
        gain: multiplies the deviation.
    """


@INITIALIZERS.register("orthogonal")
class Orthogonal(Initializer):
    """A matrix with orthonormal rows or columns, times gain (Saxe et al. 2013, section 3).

    A tensor of more than two axes is filled as the matrix (all but the last axis, last axis).

    Args:
        gain: multiplies the matrix.
    """

    def __init__(self, gain: Annotated[float, Gt(0)] = 1.0) -> None:
        self.gain = gain

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        columns = parameter.shape[-1] if parameter.shape else 1
        rows = parameter.size // max(1, columns)
        q, r = np.linalg.qr(generator.normal(size=(max(rows, columns), min(rows, columns))))
        # The signs of R's diagonal make the distribution uniform over orthogonal matrices (Mezzadri 2007).
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(parameter.shape)
