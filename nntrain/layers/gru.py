"""The gated recurrent unit."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from nntrain.core.array import Array, Shape
from nntrain.core.initializers import InitializerLike
from nntrain.core.layer import LAYERS
from nntrain.layers.each_gate import EachGate
from nntrain.layers.recurrent import Recurrent, Unrolled
from nntrain.layers.step_products import copy_in_blocks, in_parts, parts_of_product


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
    kept_blocks = 6  # h u + c or r h, reset, update, factors of the candidate, of reset and of update
    work_blocks = 7  # dh, what goes past the product; the gradient of r h; two pairs to compute with

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

        # Of the sums of reset and update, of the product with the state where it has one of its own, of the candidate.
        self.gradient_blocks = 4 if reset == "after" else 3

    def build(self, in_shape: Shape) -> Shape:
        out_shape = super().build(in_shape)
        if self.reset == "after":
            initializer = EachGate(self.bias_initializer, (0.0,))
            fans = self.recurrent_kernel.fans
            self.recurrent_bias = self.add_parameter(
                "recurrent_bias", (self.units,), initializer, penalized=False, fans=fans
            )
        return out_shape

    def weigh(self, rows: int) -> None:
        units, features, after = self.units, self.features, self.reset == "after"
        weights, kernel = self.weights_of_steps(3 if after else 2, rows), self.recurrent_kernel.value
        if after:
            of_state, parts = weights[:, 0], weights.shape[2:]
            of_state[:features] = 0
            of_state[features] = self.recurrent_bias.value.reshape(parts)
            of_state[features + 1 :] = kernel.reshape(units, 3, *parts)[:, 2]
        self.lay_beside(weights[:, -2:], slice(0, 2))
        self.candidate_inputs = self.scratch("candidate_inputs", (features + 1, units))
        self.candidate_inputs[:features] = self.kernel.value[:, 2 * units :]
        self.candidate_inputs[features] = self.offset.value[2 * units :]
        if not after:
            self.candidate_kernel = self.scratch("candidate_kernel", (units, units))
            np.copyto(self.candidate_kernel, kernel[:, 2 * units :])
            kernel = self.scratch("gate_kernel", (units, 2 * units))
            np.copyto(kernel, self.recurrent_kernel.value[:, : 2 * units])
        self.take_kernel(kernel, rows)

    def fixed_views(self, batch: Unrolled) -> tuple[Array, ...]:
        spare = batch.work[3:5]
        return spare, spare[0], spare[1], batch.work[5:7]

    def forward_views(self, batch: Unrolled, step: int) -> tuple[Array, ...]:
        kept, inputs, states = batch.kept[step], batch.inputs, slice(self.features + 1, None)
        sums, rows = (kept[:3] if self.reset == "after" else kept[1:3]), inputs.shape[2]
        in_memory = in_parts(sums.reshape(len(sums) * self.units, rows), self.parts_of_sums(len(sums), rows))
        views = inputs[step], in_memory, kept[1:3], *kept, kept[4:6], kept[2:4]
        return *views, inputs[step, states], inputs[step + 1, states]

    def run(self, batch: Unrolled, count: int, training: bool) -> None:
        weighted, after = self.way_on, self.reset == "after"
        half, one = self.half, self.one
        pair, left, right, _ = batch.fixed
        np.matmul(self.candidate_inputs.T, batch.inputs[:count, : self.features + 1], batch.kept[:count, 3])
        for views in batch.forward[:count]:
            x, sums, gates, product, r, z, n, by_r, by_z, both, z_n, before, state = views
            weighted(x, sums)
            np.tanh(gates, gates)
            np.multiply(gates, half, gates)
            np.add(gates, half, gates)
            if after:
                np.multiply(r, product, by_r)
                np.add(n, by_r, n)
            else:
                np.multiply(r, before, by_r)
                self.candidate_kernel.T.dot(by_r, left)
                np.add(n, left, n)
                product[...] = by_r
            np.tanh(n, n)
            np.subtract(before, n, by_z)
            np.multiply(z, by_z, by_z)
            np.add(by_z, n, state)
            if training:
                # Of dh: (1 - z) (1 - n^2) for the sum of n, z (h_prev - n) (1 - z) for that of z; of the gradient of
                # what r multiplies: r q (1 - r) or r h_prev (1 - r) for that of r.
                np.multiply(both, gates, pair)
                np.subtract(both, pair, both)
                np.multiply(n, n, n)
                np.subtract(one, z_n, pair)
                np.multiply(left, right, n)

    def backward_views(self, batch: Unrolled, step: int, slot: int) -> tuple[Array, ...]:
        gradients, (dh, carried, by_product) = batch.gradients[slot], batch.work[:3]
        blocks = 3 if self.reset == "after" else 2
        sums = gradients[:blocks].reshape(blocks * self.units, dh.shape[1])
        views = (
            *batch.kept[step, 1:],
            gradients[0],
            gradients[1],
            gradients[-1],
            gradients[2] if self.reset == "after" else by_product,
        )
        return *views, sums, dh, carried, in_parts(dh, parts_of_product((self.units, len(sums)), dh.shape[1]))

    def step_back(self, views: tuple[Array, ...], cut: bool) -> None:
        r, z, of_n, of_r, of_z, dz_r, dz_z, dz_n, by_r, dz, dh, carried, dh_before = views
        np.multiply(of_n, dh, dz_n)
        np.multiply(of_z, dh, dz_z)
        np.multiply(z, dh, carried)
        if self.reset == "after":
            np.multiply(r, dz_n, by_r)
            np.multiply(of_r, dz_n, dz_r)
        else:
            self.candidate_kernel.dot(dz_n, by_r)
            np.multiply(of_r, by_r, dz_r)
            np.multiply(r, by_r, by_r)
            np.add(carried, by_r, carried)
        if not cut:
            self.way_back(dz, dh_before)
            np.add(dh, carried, dh)

    def weight_gradients(self, batch: Unrolled, start: int, stop: int) -> Array:
        units, gates, width = self.units, 2 * self.units, self.features + 1
        dz, inputs = self.turned_gradients(batch, stop - start), self.turned_inputs(batch, start, stop)
        candidate = dz[-units:]
        self.add_products("gates", dz[:gates], inputs)
        # With a width that is a multiple of 4 the product takes a third less; what it gives beyond is not used.
        self.add_products("candidate", candidate, inputs[: -(-width // 4) * 4])
        if self.reset == "before":
            self.add_products("state", candidate, self.turned("reset_states", batch.kept[start:stop, 0]))
            return dz
        product = dz[gates : 3 * units]
        self.add_products("state", product, inputs[width - 1 : width + units])
        if self.needs_input_gradient:
            np.copyto(product, candidate)
        return dz[: 3 * units]

    def commit_all(self) -> None:
        units, features, gates = self.units, self.features, 2 * self.units
        slots = [parameter.gradient_slot() for parameter in (self.kernel, self.offset, self.recurrent_kernel)]
        kernel, offset, recurrent = slots
        of_gates, of_candidate, of_state = (self.totals[key].T for key in ("gates", "candidate", "state"))
        copy_in_blocks(of_gates[:features], kernel[:, :gates])
        copy_in_blocks(of_candidate[:features], kernel[:, gates:])
        np.copyto(offset[:gates], of_gates[features])
        np.copyto(offset[gates:], of_candidate[features])
        copy_in_blocks(of_gates[features + 1 : features + 1 + units], recurrent[:, :gates])
        copy_in_blocks(of_state[-units:], recurrent[:, gates:])
        for parameter in (self.kernel, self.offset, self.recurrent_kernel):
            parameter.commit()
        if self.reset == "after":
            np.copyto(self.recurrent_bias.gradient_slot(), of_state[0])
            self.recurrent_bias.commit()
