"""The gated recurrent unit."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import InitializerLike
from nntrain.core.layer import LAYERS
from nntrain.layers.recurrent import EachGate, Recurrent, Unrolled


@LAYERS.register("gru")
class GRU(Recurrent):
    """The gated recurrent unit: h_t = (1 - z) n + z h_{t-1}, with h_0 = 0.

    The gates are r, z = sigmoid(x_t w + b + h_{t-1} u), each with its own H columns of w (F, 3 H), b (3 H,) and
    u (H, 3 H), in the order reset, update, candidate. The candidate n is, with its columns of these,

    - n = tanh(x_t w + b + r (h_{t-1} u + c)) with reset ``after`` the product, where c (H,) is ``recurrent_bias``: the
      equation of PyTorch and cuDNN;
    - n = tanh(x_t w + b + (r h_{t-1}) u) with reset ``before`` it (Cho et al. 2014, eq. 5 to 8).

    x is (B, T, F), y (B, H) or (B, T, H). In a padded batch each sequence ends with its own last step.

    Args:
        units: numbers in the state, H.
        reset: whether the reset gate applies ``after`` the product with the state, or ``before``.
        return_sequences: whether y holds the state after each step (B, T, H), or after the last one only (B, H).
        truncate: the gradient does not pass from one run of so many steps, counted as they are read, to the one before
            it (truncated back-propagation through time); it passes everywhere where left out.
        reverse: whether the steps are read from the last to the first; y at a step is the state after reading it.
        kernel_initializer: first values of w, gate by gate.
        recurrent_initializer: first values of u, gate by gate.
        bias_initializer: first values of b and c.

    Raises:
        ConfigError: the examples are no sequences.

    >>> GRU(16).build((12, 3)), GRU(16, return_sequences=True).build((12, 3))
    ((16,), (12, 16))
    """

    gates = ("reset", "update", "candidate")
    sigmoids = 2

    def __init__(
        self,
        units: Annotated[int, Ge(1)],
        reset: Literal["after", "before"] = "after",
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
        self.reset = reset

    kept_blocks = 4  # reset, update, h u + c or r h, candidate
    factor_blocks = 4
    gradient_blocks = slice(0, 4)  # of the gates' sums, of what the third kept block holds, of the candidate's sum

    def build(self, in_shape: Shape) -> Shape:
        out_shape = super().build(in_shape)
        if self.reset == "after":
            initializer = EachGate(self.bias_initializer, (0.0,))
            fans = self.recurrent_kernel.fans
            self.recurrent_bias = self.add_parameter(
                "recurrent_bias", (self.units,), initializer, penalized=False, fans=fans
            )
        return out_shape

    def weigh(self) -> None:
        gates, features, units = 2 * self.units, self.features, self.units
        if self.reset == "after":
            weights = self.weights = self.weights_beside(3)
            weights[gates:, :features] = 0
            np.copyto(weights[gates:, features], self.recurrent_bias.value)
        else:
            self.weights = self.weights_beside(2)
            self.gate_kernel = self.scratch("gate_kernel", (units, gates))
            self.candidate_kernel = self.scratch("candidate_kernel", (units, units))
            np.copyto(self.gate_kernel, self.recurrent_kernel.value[:, :gates])
            np.copyto(self.candidate_kernel, self.recurrent_kernel.value[:, gates:])
        self.candidate_inputs = self.scratch("candidate_inputs", (units, features + 1))
        np.copyto(self.candidate_inputs[:, :features], self.kernel.value[:, gates:].T)
        np.copyto(self.candidate_inputs[:, features], self.offset.value[gates:])

    def forward_views(self, batch: Unrolled, step: int) -> tuple[Array, ...]:
        values, inputs, states = batch.values[step], batch.inputs, slice(self.features + 1, None)
        products = 3 if self.reset == "after" else 2
        return (
            inputs[step],
            values[:products].reshape(products * self.units, inputs.shape[2]),
            values[:2],
            values[0],
            values[1],
            values[2],
            values[3],
            inputs[step, states],
            inputs[step + 1, states],
        )

    def run(self, batch: Unrolled, count: int) -> None:
        weights, half, spare = self.weights, self.half, batch.spare[2]
        np.matmul(self.candidate_inputs, batch.inputs[:count, : self.features + 1], out=batch.values[:count, 3])
        after = self.reset == "after"
        for x, sums, sigmoids, reset, update, product, candidate, before, state in batch.forward[:count]:
            np.dot(weights, x, out=sums)
            np.tanh(sigmoids, out=sigmoids)
            np.multiply(sigmoids, half, out=sigmoids)
            np.add(sigmoids, half, out=sigmoids)
            if after:
                np.multiply(reset, product, out=spare)
            else:
                np.multiply(reset, before, out=product)
                np.dot(self.candidate_kernel.T, product, out=spare)
            np.add(candidate, spare, out=candidate)
            np.tanh(candidate, out=candidate)
            np.subtract(before, candidate, out=state)
            np.multiply(state, update, out=state)
            np.add(state, candidate, out=state)

    def derive(self, batch: Unrolled, start: int, stop: int) -> None:
        # dz_z = dh (h_prev - n) z', dz_n = dh (1 - z) (1 - n^2), with s' = s (1 - s) for the sigmoids, and
        # after: dz_r = dz_n q r' and dq = dz_n r, with q = h_prev u + c; before: dz_r = d(r h_prev) h_prev r'.
        values, factors, one = batch.values[start:stop], batch.factors[: stop - start], self.one
        states = batch.inputs[start:stop, self.features + 1 :]
        reset, product, candidate = values[:, 0], values[:, 2], values[:, 3]
        of_reset, of_update, of_product, of_candidate = (factors[:, block] for block in range(4))
        np.subtract(one, values[:, :2], out=factors[:, :2])
        np.multiply(candidate, candidate, out=of_candidate)
        np.subtract(one, of_candidate, out=of_candidate)
        np.multiply(of_candidate, of_update, out=of_candidate)
        np.multiply(factors[:, :2], values[:, :2], out=factors[:, :2])
        np.subtract(states, candidate, out=of_product)
        np.multiply(of_update, of_product, out=of_update)
        if self.reset == "before":
            np.multiply(of_reset, states, out=of_reset)
            return
        np.multiply(of_reset, product, out=of_reset)
        np.multiply(of_reset, of_candidate, out=of_reset)
        np.multiply(of_candidate, reset, out=of_product)

    def backward_views(self, batch: Unrolled, step: int, slot: int) -> tuple[Array, ...]:
        factors, (total, carried) = batch.factors[slot], batch.spare[:2]
        reset, update = batch.values[step, :2]
        rows = factors.shape[2]
        if self.reset == "after":
            return factors, total, carried, update, factors[:3].reshape(3 * self.units, rows)
        gates = factors[:2].reshape(2 * self.units, rows)
        return factors[1::2], total, carried, update, gates, reset, factors[0], factors[2], factors[3]

    def step_back(self, views: tuple[Array, ...], cut: bool) -> None:
        by_state, dh, carried, update, dz = views[:5]
        np.multiply(update, dh, out=carried)
        np.multiply(by_state, dh, out=by_state)
        if self.reset == "before":
            reset, by_product, product, candidate = views[5:]
            np.dot(self.candidate_kernel, candidate, out=product)
            np.multiply(by_product, product, out=by_product)
            np.multiply(reset, product, out=product)
            np.add(carried, product, out=carried)
        if not cut:
            kernel = self.recurrent_kernel.value if self.reset == "after" else self.gate_kernel
            np.dot(kernel, dz, out=dh)
            np.add(dh, carried, out=dh)

    def weight_gradients(self, inputs: Array, dz: Array, batch: Unrolled) -> Array:
        units, states = self.units, inputs[self.features + 1 :]
        sums, product, candidate = dz[: 3 * units], dz[2 * units : 3 * units], dz[3 * units :]
        if self.reset == "after":
            self.commit_states(states, sums)
            np.add.reduce(product, axis=1, out=self.recurrent_bias.gradient_slot())
            self.recurrent_bias.commit()
            np.copyto(product, candidate)
        else:
            np.copyto(product, candidate)
            self._commit_before(states, sums, batch)
        self.commit_inputs(inputs, sums)
        return sums

    def _commit_before(self, states: Array, dz: Array, batch: Unrolled) -> None:
        """Commit the gradient of u, whose last columns are multiplied by r h."""
        units, gates = self.units, 2 * self.units
        reset_states = self.scratch("reset_states", (units, self.order.count, batch.values.shape[3]))
        np.copyto(reset_states, batch.values[: self.order.count, 2].transpose(1, 0, 2))
        found = self.scratch("recurrent_gradient", (3 * units, units))
        np.dot(dz[:gates], states.T, out=found[:gates])
        np.dot(dz[gates:], reset_states.reshape(states.shape).T, out=found[gates:])
        np.copyto(self.recurrent_kernel.gradient_slot(), found.T)
        self.recurrent_kernel.commit()
