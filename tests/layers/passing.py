"""A training pass through a network: what tests of two ways to compute the same share."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import Context
from nntrain.core.network import Network


def passes(network: Network, x: Array) -> tuple[Array, Array, Array]:
    """Return the output, the input's gradient and the parameters' of a training pass."""
    y = network.forward(x, Context(training=True)).copy()
    network.store.begin_step()
    dx = network.backward(np.cos(np.arange(y.size)).reshape(y.shape))
    network.store.finish_step()
    assert dx is not None
    return y, dx.copy(), network.store.grad.copy()
