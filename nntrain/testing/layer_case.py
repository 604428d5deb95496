"""What a layer is checked with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.layer import Context, LayerFactory
from nntrain.core.network import Network
from nntrain.core.rng import stream
from nntrain.testing.suite import require

TRAINING = Context(training=True, step=3)

Inputs = Callable[[np.random.Generator, int], Array]
"""Makes a batch of a number of rows; its values are cast to the dtype of the check."""


@dataclass(frozen=True)
class LayerCase:
    """What a layer is checked with."""

    factory: LayerFactory
    in_shape: Shape
    inputs: Inputs | None = None
    constant_columns: Sequence[int] = ()
    padded: bool = False
    seed: int = 0

    def network(self, dtype: Any = np.float64, seed: int | None = None) -> Network:
        """Return a network of a fresh layer, with first values that are nowhere special (no zeros)."""
        seed = self.seed if seed is None else seed
        network = Network(self.factory(), self.in_shape, seed=seed, dtype=dtype, input_gradient=True)
        generator = stream(seed, "check-values")
        network.store.value += 0.1 * generator.standard_normal(network.store.size).astype(dtype)
        return network

    def x(self, rows: int, dtype: Any = np.float64, number: int = 0) -> Array:
        """Return a batch of inputs."""
        generator = stream(self.seed, "check-inputs", number)
        if self.inputs is None:
            return generator.standard_normal((rows, *self.in_shape)).astype(dtype)
        return np.asarray(self.inputs(generator, rows)).astype(dtype)

    def dy(self, network: Network, rows: int, number: int = 0) -> Array:
        """Return a gradient to be sent back."""
        generator = stream(self.seed, "check-gradients", number)
        return generator.standard_normal((rows, *network.out_shape)).astype(network.dtype)

    @property
    def mask(self) -> Array:
        """0 at the inputs that are no numbers to be moved, else 1."""
        mask = np.ones(self.in_shape)
        for column in self.constant_columns:
            mask[..., column] = 0.0
        return mask


def run_step(network: Network, x: Array, dy: Array, ctx: Context = TRAINING) -> tuple[Array, Array, Array]:
    """Return copies of output, input gradient and flat parameter gradient of one training step."""
    network.store.begin_step()
    y = network.forward(x, ctx).copy()
    dx = network.backward(dy)
    network.store.finish_step()
    require(dx is not None, "backward returns None, though the input's gradient is asked for")
    return y, np.array(dx), network.store.grad.copy()
