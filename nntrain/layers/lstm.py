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
    kept_blocks = 8  # o, i, f, g, the cell before the step, i g, what is kept of the cell, tanh of the cell
    factor_blocks = 5  # of the cell, o, i, f, g
    gradient_blocks = slice(1, 5)

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

    def weigh(self) -> None:
        self.weights = self.weights_beside(4)

    def forward_views(self, batch: Unrolled, step: int) -> tuple[Array, ...]:
        values, inputs = batch.values[step], batch.inputs
        return (
            inputs[step],
            values[:4].reshape(4 * self.units, inputs.shape[2]),
            values[:3],
            values[1:3],
            values[3:5],
            batch.values[step + 1, 4],
            values[5:7],
            values[5],
            values[6],
            values[7],
            values[0],
            inputs[step + 1, self.features + 1 :],
        )

    def run(self, batch: Unrolled, count: int) -> None:
        weights, half = self.weights, self.half
        for views in batch.forward[:count]:
            x, sums, sigmoids, input_forget, candidate_cell, cell, products, new, kept, cell_tanh, output, state = views
            np.dot(weights, x, out=sums)
            np.tanh(sums, out=sums)
            np.multiply(sigmoids, half, out=sigmoids)
            np.add(sigmoids, half, out=sigmoids)
            np.multiply(input_forget, candidate_cell, out=products)
            np.add(kept, new, out=cell)
            np.tanh(cell, out=cell_tanh)
            np.multiply(output, cell_tanh, out=state)

    def derive(self, batch: Unrolled, start: int, stop: int) -> None:
        # Of the state: o (1 - tanh(c)^2) for the cell, tanh(c) o' for dz_o; of the cell: g i', c_prev f', i (1 - g^2),
        # where s' = s (1 - s). All are written with the products that the way forward has left.
        values, factors, one = batch.values[start:stop], batch.factors[: stop - start], self.one
        states = batch.inputs[start + 1 : stop + 1, self.features + 1 :]
        of_cell, of_output, of_candidate = factors[:, 0], factors[:, 1], factors[:, 4]
        np.subtract(one, values[:, :3], out=factors[:, 1:4])
        np.multiply(of_output, states, out=of_output)
        np.multiply(factors[:, 2:4], values[:, 5:7], out=factors[:, 2:4])
        np.multiply(values[:, 5], values[:, 3], out=of_candidate)
        np.subtract(values[:, 1], of_candidate, out=of_candidate)
        np.multiply(states, values[:, 7], out=of_cell)
        np.subtract(values[:, 0], of_cell, out=of_cell)

    def backward_views(self, batch: Unrolled, step: int, slot: int) -> tuple[Array, ...]:
        factors, (total, carried) = batch.factors[slot], batch.spare[:2]
        return (
            factors[:2],
            total,
            factors[0],
            carried,
            factors[2:],
            batch.values[step, 2],
            factors[1:].reshape(4 * self.units, factors.shape[2]),
        )

    def step_back(self, views: tuple[Array, ...], cut: bool) -> None:
        by_state, dh, dc, carried, by_cell, forget, dz = views
        np.multiply(by_state, dh, out=by_state)
        np.add(dc, carried, out=dc)
        np.multiply(by_cell, dc, out=by_cell)
        if not cut:
            np.multiply(forget, dc, out=carried)
            np.dot(self.recurrent_kernel.value, dz, out=dh)

    def weight_gradients(self, inputs: Array, dz: Array, batch: Unrolled) -> Array:
        self.commit_inputs(inputs, dz)
        self.commit_states(inputs[self.features + 1 :], dz)
        return dz
