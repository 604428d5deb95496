"""The plain recurrent layer."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array
from nntrain.core.initializers import InitializerLike
from nntrain.core.layer import LAYERS
from nntrain.layers.recurrent import Recurrent, Unrolled
from nntrain.layers.step_products import in_parts, parts_of_product


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
    gradient_blocks = 1
    work_blocks = 2  # dh, and nothing that goes past the product

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

    def weigh(self, rows: int) -> None:
        self.lay_beside(self.weights_of_steps(1, rows), slice(0, 1))
        self.take_kernel(self.recurrent_kernel.value, rows)

    def forward_views(self, batch: Unrolled, step: int) -> tuple[Array, ...]:
        x, state = batch.inputs[step], batch.inputs[step + 1, self.features + 1 :]
        return x, state, in_parts(state, self.parts_of_sums(1, x.shape[1]))

    def run(self, batch: Unrolled, count: int, training: bool) -> None:
        product = self.way_on
        if self.activation == "tanh":
            for x, state, sums in batch.forward[:count]:
                product(x, sums)
                np.tanh(state, state)
            return
        padding = self.order.padding
        for step, (x, state, sums) in enumerate(batch.forward[:count]):
            product(x, sums)
            np.maximum(state, 0, out=state)
            if padding is not None:
                # Behind its end a sequence's state could grow beyond all numbers.
                np.copyto(state, 0, where=padding[:, step])

    def backward_views(self, batch: Unrolled, step: int, slot: int) -> tuple[Array, ...]:
        dz, dh = batch.gradients[slot, 0], batch.work[0]
        parts = parts_of_product(self.recurrent_kernel.shape, dh.shape[1])
        return batch.inputs[step + 1, self.features + 1 :], dz, dh, in_parts(dh, parts)

    def step_back(self, views: tuple[Array, ...], cut: bool) -> None:
        state, dz, dh, dh_before = views
        if self.activation == "tanh":
            np.multiply(state, state, dz)
            np.subtract(self.one, dz, dz)
        else:
            np.sign(state, dz)
        np.multiply(dz, dh, dz)
        if not cut:
            self.way_back(dz, dh_before)
