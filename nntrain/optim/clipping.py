"""Gradient clipping, and the norm it goes by."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Gt

from nntrain.core.array import Array
from nntrain.optim.blocks import spans

ROW = 4096
"""Elements per dot product: below the length from which OpenBLAS splits one over its threads, so that the sum does not
depend on their number."""

UNSAFE = 1e-24
"""A sum of squares below this may have lost squares that are no longer normal numbers in float32."""

NORM_EPSILON = 1e-6
"""Added to the norm before dividing by it, as PyTorch does."""


class Clipping:
    """Limits the gradient: each element to ``value``, then the norm of the whole to ``norm``.

    By value: g <- min(max(g, -value), value). By norm: g <- g min(1, norm / (||g|| + 1e-6)), the Euclidean norm over
    all parameters together (Pascanu, Mikolov and Bengio 2013, algorithm 1; PyTorch's ``clip_grad_norm_``).

    Args:
        norm: largest norm of the gradient of all parameters together.
        value: largest size of an element.

    >>> g = np.array([3.0, 4.0])
    >>> (g * Clipping(norm=1.0).factor(flat_norm(g))).round(4).tolist()
    [0.6, 0.8]
    """

    def __init__(
        self,
        norm: Annotated[float, Gt(0)] | None = None,
        value: Annotated[float, Gt(0)] | None = None,
    ) -> None:
        self.norm = norm
        self.value = value

    def limit(self, grad: Array) -> None:
        """Clip each element of ``grad`` (P,), or of a part of it, to ``value``."""
        if self.value is not None:
            np.minimum(grad, self.value, out=grad)
            np.maximum(grad, -self.value, out=grad)

    def factor(self, norm: float) -> float:
        """Return what a gradient of this norm is to be multiplied by."""
        if self.norm is None or norm + NORM_EPSILON <= self.norm:
            return 1.0
        return self.norm / (norm + NORM_EPSILON)


def flat_norm(vector: Array) -> float:
    """Return the Euclidean norm of ``vector`` (P,).

    The same bits for any number of threads. Squares are taken in the vector's own type, and once more with care where
    they overflow or vanish; the norm of a vector with NaN or an infinity is NaN or infinite.

    >>> f"{flat_norm(np.array([3e30, 4e30], np.float32)):.6g}"
    '5e+30'
    """
    with np.errstate(all="ignore"):
        return norm_from(math.fsum(sum_of_squares(vector[span]) for span in spans(vector.size)), vector)


def norm_from(squares: float, vector: Array) -> float:
    """Return the norm of ``vector`` (P,), whose sum of squares has been found."""
    return math.sqrt(squares) if UNSAFE < squares < math.inf else _careful_norm(vector)


def sum_of_squares(vector: Array) -> float:
    """Return the sum of the squares of ``vector`` (P,), at most a block of them; infinite where one overflows."""
    if vector.size < ROW:
        return float(vector.dot(vector))
    whole = vector.size - vector.size % ROW
    rows, rest = vector[:whole].reshape(-1, ROW), vector[whole:]
    return sum(np.vecdot(rows, rows).tolist(), float(rest.dot(rest)))


def _careful_norm(vector: Array) -> float:
    """Return the norm from squares of the elements divided by the largest, in float64."""
    largest = float(np.max(np.abs(vector), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    parts = [np.divide(vector[span], largest, dtype=np.float64) for span in spans(vector.size)]
    return largest * math.sqrt(math.fsum(sum_of_squares(part) for part in parts))
