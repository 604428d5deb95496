"""Pixels: how they are kept in memory, one scale for all of them, and the way from there to the network's input."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np

from nntrain.core.array import Array
from nntrain.data.statistics import is_spread, total

PixelScaleName: TypeAlias = Literal["standard", "minmax", "none"]
PIXEL_SCALES: tuple[PixelScaleName, ...] = ("standard", "minmax", "none")

_LARGEST_SHORT = np.iinfo(np.uint16).max


def storage_of(columns: Iterable[Array]) -> np.dtype[Any]:
    """Return the type that pixels are kept in: bytes, 16-bit integers, or float32 for all other numbers.

    >>> storage_of([np.array([0, 255], np.uint8), np.array([0, 256])]).name, storage_of([np.array([-1])]).name
    ('uint16', 'float32')
    """
    name = "uint8"
    for values in columns:
        if values.dtype == np.uint8:
            continue
        if values.dtype.kind == "f" or values.min() < 0 or values.max() > _LARGEST_SHORT:
            return np.dtype(np.float32)
        if values.max() > np.iinfo(np.uint8).max:
            name = "uint16"
    return np.dtype(name)


class PixelScale:
    """y = (x - shift) / scale, the same for all pixels: the reading of stored pixels.

    Where all training pixels are whole numbers, pixels are kept as they are and scaled batch by batch, in float32.
    Otherwise they are scaled once, in float64.

    Args:
        name: standard (mean and deviation of all training pixels), minmax (their smallest and largest become 0 and 1)
            or none.

    Attributes:
        shift: in the units of x.
        scale: in the units of x, never 0.
        whole: whether all training pixels are whole numbers.
        low: the smallest training pixel.
        high: the largest training pixel.
        is_constant: whether all training pixels are equal, and so not scaled.

    >>> pixels = PixelScale("minmax")
    >>> pixels.fit([np.array([0, 128], np.uint8), np.array([255, 51], np.uint8)])
    >>> x = np.empty((1, 2), np.float32)
    >>> pixels.apply(np.array([[51, 255]], np.uint8), x)
    >>> x.round(6).tolist()
    [[0.20000000298023224, 1.0]]
    """

    def __init__(self, name: PixelScaleName) -> None:
        self.name = name
        self.shift, self.scale = 0.0, 1.0
        self.low, self.high = 0.0, 0.0
        self.whole = True
        self.is_constant = False

    def fit(self, columns: Iterable[Array]) -> None:
        """Learn from the training values (N,) of each pixel: integers where they are whole, else float64."""
        found = [_moments(values) for values in columns]
        self.whole = all(whole for *_, whole in found)
        rows, means, squares, lows, highs = (np.array(numbers) for numbers in list(zip(*found, strict=True))[:-1])
        self.low, self.high = float(lows.min()), float(highs.max())
        shift, scale = 0.0, 1.0
        if self.name == "minmax":
            shift, scale = self.low, self.high - self.low
        elif self.name == "standard":
            shift = float(means.mean())
            scale = math.sqrt(float((squares / rows + np.square(means - shift)).mean()))
        self.is_constant = self.low == self.high or not is_spread(scale, shift)
        self.shift, self.scale = (0.0 if self.name == "none" else shift), 1.0 if self.is_constant else scale

    def apply(self, stored: Array, out: Array) -> None:
        np.copyto(out, stored)
        # Arithmetic is four times as fast as a table of 256 values; a division makes the largest pixel exactly 1.
        if self.shift:
            np.subtract(out, np.float32(self.shift), out=out)
        if self.scale != 1.0:
            np.divide(out, np.float32(self.scale), out=out)

    def scaled(self, values: Array) -> Array:
        """Return scaled values (N,) in float64."""
        return np.asarray((values - self.shift) / self.scale)

    @property
    def background(self) -> float:
        """What a pixel of 0 becomes."""
        return -self.shift / self.scale

    def describe(self) -> str:
        """Return the training pixels in words: ``pixels 0 to 16 as bytes``."""
        types = {"uint8": "bytes", "uint16": "16-bit integers", "float32": "32-bit numbers"}
        ends = np.array([self.low, self.high])
        kind = storage_of([ends.astype(np.int64) if self.whole and np.abs(ends).max() < 2**53 else ends])
        return f"pixels {self.low:g} to {self.high:g} as {types[kind.name]}"

    def state(self) -> dict[str, Any]:
        """Return everything given and learnt."""
        keys = ("name", "shift", "scale", "low", "high", "whole", "is_constant")
        return {key: getattr(self, key) for key in keys}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> PixelScale:
        """Return the scale that :meth:`state` described."""
        loaded = cls(state["name"])
        for key, value in state.items():
            setattr(loaded, key, value)
        return loaded


def _moments(values: Array) -> tuple[int, float, float, float, float, bool]:
    """Return rows, mean, sum of squares about the mean, smallest and largest value, and whether they are whole."""
    wide = values.astype(np.float64)
    mean = total(wide) / len(wide)
    wide -= mean
    squares = total(np.square(wide, out=wide))
    return len(values), mean, squares, float(values.min()), float(values.max()), values.dtype.kind != "f"
