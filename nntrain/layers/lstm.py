"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array
from nntrain.core.initializers import InitializerLike
from nntrain.core.layer import LAYERS
from nntrain.layers.recurrent import Recurrent, Unrolled
from nntrain.layers.step_products import in_parts, parts_of_product


@LAYERS.register("lstm")
class LSTM(Recurrent):
    """Long short-term memory: a cell c_t = f c_{t-1} + i g, read by h_t = o tanh(c_t), with h_0 = c_0 = 0.

    The gates are o, i, f = sigmoid(x_t w + b + h_{t-1} u) and g = tanh(x_t w + b + h_{t-1} u), each with its own H
    columns of w (F, 4 H), b (4 H,) and u (H, 4 H), in the order output, input, forget, candidate (Hochreiter and
    Schmidhuber 1997; with the forget gate of Gers et al. 2000). x is (B, T, F), y (B, H) or (B, T, H).

    In a padded batch each sequence ends with its own last step.

    Args:
        units: numbers in the state, H.
        return_sequences: whether y holds the state after each step (B, T, H), or after the last one only (B, H).
        truncate: the gradient does not pass from one run of so many steps, counted as they are read, to the one before
            it (truncated back-propagation through time); it passes everywhere where left out.
        reverse: whether the steps are read from the last to the first; y at a step is the state after reading it.
        forget_bias: added to the first bias of the forget gate, which then keeps what the cell holds.
        kernel_initializer: first values of w, gate by gate.
        recurrent_initializer: first values of u, gate by gate.
        bias_initializer: first values of b.

    Raises:
        ConfigError: the examples are no sequences.

    >>> LSTM(16).build((12, 3)), LSTM(16, return_sequences=True).build((12, 3))
    ((16,), (12, 16))
    """

    gates = ("output", "input", "forget", "candidate")
    sigmoids = 3
    kept_blocks = 6  # factors of the cell and of the four gates, and the forget gate
    gradient_blocks = 4
    work_blocks = 12  # dh, dc, its part by the state; the cell; h, i g, f c; tanh of the cell, g, o, i, f

    def __init__(
        self,
        units: Annotated[int, Ge(1)],
        return_sequences: bool = False,
        truncate: Annotated[int, Ge(1)] | None = None,
        reverse: bool = False,
        forget_bias: float = 1.0,
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
        self.forget_bias = forget_bias

    def raised(self) -> Sequence[float]:
        return (0.0, 0.0, self.forget_bias, 0.0)

    def weigh(self, rows: int) -> None:
        # The candidate goes first, so that all that is multiplied together lies together.
        weights = self.weights_of_steps(4, rows)
        self.lay_beside(weights[:, :1], slice(3, 4))
        self.lay_beside(weights[:, 1:], slice(0, 3))
        self.take_kernel(self.recurrent_kernel.value, rows)

    def fixed_views(self, batch: Unrolled) -> tuple[Array, ...]:
        work = batch.work
        sums = work[8:].reshape(4 * self.units, work.shape[2])
        in_memory = in_parts(sums, self.parts_of_sums(4, work.shape[2]))
        return (in_memory, work[8:], work[9:], *work[3:], work[4:7], work[4:6], work[7:9], work[9:11])

    def forward_views(self, batch: Unrolled, step: int) -> tuple[Array, ...]:
        inputs, kept = batch.inputs, batch.kept[step]
        return inputs[step], inputs[step + 1, self.features + 1 :], kept[:2], kept[2:5], kept[5]

    def run(self, batch: Unrolled, count: int, training: bool) -> None:
        product, half = self.way_on, self.half
        (sums, gates, sigmoids, cell, h, new, old, cell_tanh, g, o, i, f), more = batch.fixed[:12], batch.fixed[12:]
        products, h_new, tanh_g, o_i = more
        cell.fill(0)
        for x, state, of_cell_g, of_sigmoids, forget in batch.forward[:count]:
            product(x, sums)
            np.tanh(gates, gates)
            np.multiply(sigmoids, half, sigmoids)
            np.add(sigmoids, half, sigmoids)
            np.multiply(i, g, new)
            np.multiply(f, cell, old)
            np.add(new, old, cell)
            np.tanh(cell, cell_tanh)
            np.multiply(o, cell_tanh, h)
            state[...] = h
            if training:
                # Of the state: o (1 - tanh(c)^2) for the cell, h (1 - o) for the sum of o; of the cell: i (1 - g^2),
                # i g (1 - i) and f c_prev (1 - f).
                np.multiply(h_new, tanh_g, of_cell_g)
                np.subtract(o_i, of_cell_g, of_cell_g)
                np.multiply(products, sigmoids, of_sigmoids)
                np.subtract(products, of_sigmoids, of_sigmoids)
                forget[...] = f

    def backward_views(self, batch: Unrolled, step: int, slot: int) -> tuple[Array, ...]:
        gradients, dh = batch.gradients[slot], batch.work[0]
        parts = parts_of_product(self.recurrent_kernel.shape, dh.shape[1])
        dz = gradients.reshape(4 * self.units, dh.shape[1])
        return (*batch.kept[step], *gradients, dz, *batch.work[:3], in_parts(dh, parts))

    def step_back(self, views: tuple[Array, ...], cut: bool) -> None:
        of_cell, of_g, of_o, of_i, of_f, forget, dz_o, dz_i, dz_f, dz_g, dz, dh, dc, by_state, dh_before = views
        np.multiply(of_o, dh, dz_o)
        np.multiply(of_cell, dh, by_state)
        np.add(dc, by_state, dc)
        np.multiply(of_i, dc, dz_i)
        np.multiply(of_f, dc, dz_f)
        np.multiply(of_g, dc, dz_g)
        if not cut:
            np.multiply(forget, dc, dc)
            self.way_back(dz, dh_before)
