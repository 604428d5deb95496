"""The plain recurrent layer."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array
from nntrain.core.initializers import InitializerLike
from nntrain.core.layer import LAYERS
from nntrain.layers.recurrent import Recurrent, Unrolled


@LAYERS.register("rnn")
class RNN(Recurrent):
    """The plain recurrent layer: h_t = activation(x_t w + b + h_{t-1} u), with h_0 = 0 (Elman 1990).

    x is (B, T, F), w (F, H), b (H,), u (H, H) and y (B, H) or (B, T, H). In a padded batch each sequence ends with its
    own last step.

    Args:
        units: numbers in the state, H.
        activation: of the state.
        return_sequences: whether y holds the state after each step (B, T, H), or after the last one only (B, H).
        truncate: the gradient does not pass from one run of so many steps, counted as they are read, to the one before
            it (truncated back-propagation through time); it passes everywhere where left out.
        reverse: whether the steps are read from the last to the first; y at a step is the state after reading it.
        kernel_initializer: first values of w.
        recurrent_initializer: first values of u.
        bias_initializer: first values of b.

    Raises:
        ConfigError: the examples are no sequences.

    >>> RNN(16).build((12, 3)), RNN(16, return_sequences=True).build((12, 3))
    ((16,), (12, 16))
    """

    gates = ("state",)
    sigmoids = 0
    kept_blocks = 0
    factor_blocks = 1
    gradient_blocks = slice(0, 1)

    def __init__(
        self,
        units: Annotated[int, Ge(1)],
        activation: Literal["tanh", "relu"] = "tanh",
        return_sequences: bool = False,
        truncate: Annotated[int, Ge(1)] | None = None,
        reverse: bool = False,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
    ) -> None:
        super().__init__(
            units,
            return_sequences,
            truncate,
            reverse,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
        )
        self.activation = activation

    def weigh(self) -> None:
        self.weights = self.weights_beside(1)

    def forward_views(self, batch: Unrolled, step: int) -> tuple[Array, ...]:
        return batch.inputs[step], batch.inputs[step + 1, self.features + 1 :]

    def run(self, batch: Unrolled, count: int) -> None:
        weights = self.weights
        if self.activation == "tanh":
            for x, state in batch.forward[:count]:
                np.dot(weights, x, out=state)
                np.tanh(state, out=state)
            return
        padding = self.order.padding
        for step, (x, state) in enumerate(batch.forward[:count]):
            np.dot(weights, x, out=state)
            np.maximum(state, 0, out=state)
            if padding is not None:
                # Behind its end a sequence's state could grow beyond all numbers.
                np.copyto(state, 0, where=padding[:, step])

    def derive(self, batch: Unrolled, start: int, stop: int) -> None:
        factors = batch.factors[: stop - start, 0]
        states = batch.inputs[start + 1 : stop + 1, self.features + 1 :]
        if self.activation == "relu":
            np.sign(states, out=factors)
            return
        np.multiply(states, states, out=factors)
        np.subtract(self.one, factors, out=factors)

    def backward_views(self, batch: Unrolled, step: int, slot: int) -> tuple[Array, ...]:
        return batch.factors[slot, 0], batch.spare[0]

    def step_back(self, views: tuple[Array, ...], cut: bool) -> None:
        factor, dh = views
        np.multiply(factor, dh, out=factor)
        if not cut:
            np.dot(self.recurrent_kernel.value, factor, out=dh)

    def weight_gradients(self, inputs: Array, dz: Array, batch: Unrolled) -> Array:
        self.commit_inputs(inputs, dz)
        self.commit_states(inputs[self.features + 1 :], dz)
        return dz
