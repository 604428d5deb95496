"""Links: from logits to what they stand for, without overflow at any finite logit."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), accurate to the last digits in both tails.

    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    y: Array = np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
    return y


def softmax(x: Array) -> Array:
    """Return exp(x_k) / sum_j exp(x_j) over the last axis.

    >>> softmax(np.array([[1e4, -1e4, 1e4]])).tolist()
    [[0.5, 0.0, 0.5]]
    """
    # With the classes first, whole vectors of rows are worked on at a time.
    y = np.array(np.moveaxis(x, -1, 0), order="C")
    y -= y.max(axis=0)
    np.exp(y, out=y)
    y /= y.sum(axis=0)
    return np.ascontiguousarray(np.moveaxis(y, 0, -1))


def both_classes(x: Array) -> Array:
    """Return the probabilities (B, 2) of both classes for the logit (B, 1) of the second: sigmoid(-x), sigmoid(x).

    >>> both_classes(np.array([[0.0]])).tolist()
    [[0.5, 0.5]]
    """
    both = np.empty((len(x), 2), x.dtype)
    first, second = np.exp(np.minimum(-x[:, 0], 0)), np.exp(np.minimum(x[:, 0], 0))  # one of them is 1
    total = 1 + np.minimum(first, second)
    np.divide(first, total, out=both[:, 0])
    np.divide(second, total, out=both[:, 1])
    return both
