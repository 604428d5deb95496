"""Analytic gradients against numeric ones.

Along a random direction v the derivative of f is <grad f, v>; the central difference (f(p + h v) - f(p - h v)) / (2 h)
approximates it with an error of O(h^2). One direction costs two evaluations, however many numbers p has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.core.rng import stream

THRESHOLD = 1e-6
"""Largest relative error of a gradient that counts as right, in float64."""

STEPS = (1e-5, 1e-6, 1e-4)
"""Step sizes; the best counts, since a step over a kink (of ReLU, say) proves nothing, and smaller ones miss it."""

SMALLEST = 1e-3
"""Derivatives below this share of the function's size are compared absolutely: rounding is all that is left of them."""


def gradient_error(
    value: Callable[[], float],
    variable: Array,
    gradient: Array,
    *,
    directions: int = 4,
    seed: int = 0,
    mask: Array | None = None,
) -> float:
    """Return the largest relative error of a gradient over random directions.

    Args:
        value: f, evaluated at what ``variable`` holds at that time.
        variable: the float64 array f depends on; changed in place for each evaluation, and put back.
        gradient: df / d variable, as it is claimed to be.
        directions: how many random directions are tried.
        seed: of the directions.
        mask: 0 where the variable must stay as it is (a category code, say), else 1.

    >>> p = np.array([3.0, 4.0])
    >>> gradient_error(lambda: float(p @ p), p, 2 * p) < 1e-6
    True
    >>> gradient_error(lambda: float(p @ p), p, 3 * p) > 0.1
    True
    """
    generator = stream(seed, "gradient-check")
    worst = 0.0
    gradient = np.array(gradient, np.float64)
    for _ in range(directions):
        direction = generator.standard_normal(variable.shape)
        if mask is not None:
            direction *= mask
        claimed = float(np.sum(direction * gradient))
        worst = max(worst, min(_error(value, variable, direction, claimed, step) for step in STEPS))
    return worst


def _error(value: Callable[[], float], variable: Array, direction: Array, claimed: float, step: float) -> float:
    saved = variable.copy()
    try:
        variable[...] = saved + step * direction
        above = value()
        variable[...] = saved - step * direction
        below = value()
    finally:
        variable[...] = saved
    numeric = (above - below) / (2.0 * step)
    error = abs(numeric - claimed) / max(abs(numeric), abs(claimed), SMALLEST * max(1.0, abs(above)))
    return error if np.isfinite(error) else float("inf")


def network_gradient_errors(
    network: Network, x: Array, ctx: Context, *, mask: Array | None = None, seed: int = 0
) -> dict[str, float]:
    """Return the gradient error of each parameter, and of the input (``"input"``) where the network gives its gradient.

    The function is the sum of the outputs, weighted at random. The network must be of dtype float64.

    >>> from nntrain.layers.dense import Dense
    >>> network = Network(Dense(2), (3,), dtype=np.float64)
    >>> max(network_gradient_errors(network, np.ones((4, 3)), Context(training=True)).values()) < 1e-6
    True
    """
    weights = stream(seed, "gradient-check-weights").standard_normal((len(x), *network.out_shape))
    x = np.array(x, np.float64)

    def value() -> float:
        return float(np.sum(network.forward(x, ctx) * weights))

    value()
    network.store.begin_step()
    dx = network.backward(weights)
    network.store.finish_step()
    inputs = None if dx is None else np.array(dx)
    gradients = {parameter.name: parameter.grad.copy() for parameter in network.store.trainable}
    errors = {
        parameter.name: gradient_error(value, parameter.value, gradients[parameter.name], seed=seed)
        for parameter in network.store.trainable
    }
    if inputs is not None:
        errors["input"] = gradient_error(value, x, inputs, seed=seed, mask=mask)
    return errors
