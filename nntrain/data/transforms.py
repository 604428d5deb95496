"""Scaling of numbers: fitted on training rows, saved with the weights, undone where a prediction is shown.

All of it is float64; the network's float32 is made once, from the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from nntrain.core.array import Array
from nntrain.data.statistics import is_spread, mean_and_deviation, normal_quantile, quantiles

State = dict[str, Any]
"""What a fitted thing knows: plain values (that JSON keeps exactly) and NumPy arrays, by name."""


CONSTANT = "constant in the training rows, so not scaled"


class Transform(Protocol):
    """What learns from training values and is applied to any.

    ``fit`` reads training rows only; ``apply`` never writes its argument; ``load(state())`` on a new object gives the
    same bits.
    """

    def fit(self, values: Array) -> None:
        """Learn from training values (N,) of float64, without missing ones."""
        ...

    def apply(self, values: Array) -> Array:
        """Return the transformed values (N,), float64."""
        ...

    def state(self) -> State:
        """Return everything learnt."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what another one learnt."""
        ...


class Affine:
    """y = (x - shift) / scale, with shift 0 and scale 1 until fitted.

    Attributes:
        shift: in the units of x.
        scale: in the units of x, never 0.
        finding: what was odd about the training values, or None.

    >>> none = Affine()
    >>> none.fit(np.array([1.0, 2.0]))
    >>> none.apply(np.array([5.0])).tolist()
    [5.0]
    """

    def __init__(self) -> None:
        self.shift = 0.0
        self.scale = 1.0
        self.finding: str | None = None

    def fit(self, values: Array) -> None:
        """Leave the values as they are."""

    def apply(self, values: Array) -> Array:
        result: Array = (values - self.shift) / self.scale
        return result

    def invert(self, values: Array) -> Array:
        """Return x for y: y scale + shift."""
        result: Array = values * self.scale + self.shift
        return result

    def state(self) -> State:
        return {"shift": self.shift, "scale": self.scale}

    def load(self, state: Mapping[str, Any]) -> None:
        self.shift, self.scale = float(state["shift"]), float(state["scale"])
        if not (self.scale and math.isfinite(self.scale)):  # fit never leaves such a one
            raise ValueError(f"a column cannot be scaled by {self.scale}")

    def _set(self, shift: float, scale: float, finding: str) -> None:
        self.shift, self.scale, self.finding = shift, scale, None
        if not is_spread(scale, shift):
            self.scale, self.finding = 1.0, finding


class Standard(Affine):
    """y = (x - mean) / deviation, the deviation over N as in scikit-learn's StandardScaler; 1 where it is 0.

    >>> standard = Standard()
    >>> standard.fit(np.array([1.0, 3.0]))
    >>> standard.apply(np.array([1.0, 2.0, 3.0])).tolist()
    [-1.0, 0.0, 1.0]
    """

    def fit(self, values: Array) -> None:
        self._set(*mean_and_deviation(values), CONSTANT)


class MinMax(Affine):
    """y = (x - min) / (max - min): 0 to 1 over the training rows.

    >>> minmax = MinMax()
    >>> minmax.fit(np.array([2.0, 4.0]))
    >>> minmax.apply(np.array([2.0, 3.0, 6.0])).tolist()
    [0.0, 0.5, 2.0]
    """

    def fit(self, values: Array) -> None:
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        self._set(low, high - low, CONSTANT)


class Robust(Affine):
    """y = (x - median) / (third quartile - first quartile): outliers move neither.

    >>> robust = Robust()
    >>> robust.fit(np.array([0.0, 1.0, 2.0, 3.0, 400.0]))
    >>> robust.apply(np.array([2.0, 4.0])).tolist()
    [0.0, 1.0]
    """

    def fit(self, values: Array) -> None:
        if len(values) == 0:
            self._set(0.0, 0.0, CONSTANT)
            return
        first, median, third = quantiles(values, np.array([0.25, 0.5, 0.75])).tolist()
        constant = values.min() == values.max()
        self._set(median, third - first, CONSTANT if constant else "equal in half of the training rows, so not scaled")


MOST_QUANTILES = 1000
LARGEST_NORMAL = 5.199337582605575
"""The normal quantile of 1 - 1e-7: values at or beyond the ends of the training range get this much, as in sklearn."""


class QuantileNormal:
    """y = normal quantile of the share of training values below x, clipped to +-5.2.

    The share is interpolated between up to 1000 quantiles of the training values, from below and from above, and
    averaged, so that the middle of a run of equal values is taken: scikit-learn's QuantileTransformer with a normal
    output, over all rows instead of a random 10,000.

    >>> quantile = QuantileNormal()
    >>> quantile.fit(np.arange(101.0) ** 3)
    >>> quantile.apply(np.array([50.0**3, -1.0])).round(4).tolist()
    [0.0, -5.1993]
    """

    def __init__(self) -> None:
        self.quantiles = np.zeros(1)
        self.finding: str | None = None

    def fit(self, values: Array) -> None:
        if len(values):
            self.quantiles = quantiles(values, np.linspace(0.0, 1.0, min(MOST_QUANTILES, len(values))))
        constant = self.quantiles[0] == self.quantiles[-1]
        self.finding = CONSTANT if constant else None

    def apply(self, values: Array) -> Array:
        known = self.quantiles
        if known[0] == known[-1]:
            return np.zeros_like(values)
        share = np.linspace(0.0, 1.0, len(known))
        from_below = np.interp(values, known, share)
        from_above = -np.interp(-values, -known[::-1], -share[::-1])
        inside = 0.5 * (from_below + from_above)
        placed = np.where(values <= known[0], 0.0, np.where(values >= known[-1], 1.0, inside))
        return np.clip(normal_quantile(placed), -LARGEST_NORMAL, LARGEST_NORMAL)

    def state(self) -> State:
        return {"quantiles": self.quantiles}

    def load(self, state: Mapping[str, Any]) -> None:
        self.quantiles = np.asarray(state["quantiles"], np.float64)


Scaler = Affine | QuantileNormal

_SCALERS: dict[str, type[Affine] | type[QuantileNormal]] = {
    "standard": Standard,
    "minmax": MinMax,
    "robust": Robust,
    "quantile": QuantileNormal,
    "none": Affine,
}


def scaler_named(name: str) -> Scaler:
    """Return a new scaler: standard, minmax, robust, quantile or none.

    >>> type(scaler_named("minmax")).__name__
    'MinMax'
    """
    return _SCALERS[name]()


def affine_named(name: str) -> Affine:
    """Return a new scaler that can be undone, for a target: standard, minmax, robust or none."""
    scaler = scaler_named(name)
    if not isinstance(scaler, Affine):
        raise ValueError(f"a target cannot be scaled by {name!r}")
    return scaler
