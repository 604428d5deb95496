"""The networks in plain JAX: a tree of parameters, a tree of running averages, and a pure function of both."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from reading import Case

Tree = Any


def dense_parameters(generator: np.random.Generator, inputs: int, outputs: int) -> Tree:
    limit = (6 / (inputs + outputs)) ** 0.5
    weights = generator.uniform(-limit, limit, (inputs, outputs)).astype("float32")
    return {"w": jnp.asarray(weights), "b": jnp.zeros(outputs)}


def dense(p: Tree, x: jax.Array) -> jax.Array:
    return x @ p["w"] + p["b"]


def norm_parameters(width: int) -> tuple[Tree, Tree]:
    return {"scale": jnp.ones(width), "shift": jnp.zeros(width)}, {"mean": jnp.zeros(width), "var": jnp.ones(width)}


def batch_norm(p: Tree, running: Tree, x: jax.Array) -> tuple[jax.Array, Tree]:
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axes), x.var(axes)
    y = (x - mean) * (lax.rsqrt(var + 1e-5) * p["scale"]) + p["shift"]
    return y, {"mean": 0.9 * running["mean"] + 0.1 * mean, "var": 0.9 * running["var"] + 0.1 * var}


class Rows:
    """A multi-layer perceptron."""

    def __init__(self, case: Case) -> None:
        self.sizes = [case["shape"][0], *case["net"]["hidden"], case["classes"] or 1]

    def parameters(self, generator: np.random.Generator) -> tuple[Tree, Tree]:
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        return [dense_parameters(generator, a, b) for a, b in pairs], []

    def __call__(self, p: Tree, running: Tree, x: jax.Array, key: jax.Array) -> tuple[jax.Array, Tree]:
        for layer in p[:-1]:
            x = jax.nn.relu(dense(layer, x))
        return dense(p[-1], x), running


class Residual:
    """The residual network for rows."""

    def __init__(self, case: Case) -> None:
        self.net, self.inputs, self.outputs = case["net"], case["shape"][0], case["classes"] or 1

    def parameters(self, generator: np.random.Generator) -> tuple[Tree, Tree]:
        width, hidden = self.net["width"], self.net["hidden"]
        blocks, running = [], []
        for _ in range(self.net["blocks"]):
            norm, averages = norm_parameters(width)
            up, down = dense_parameters(generator, width, hidden), dense_parameters(generator, hidden, width)
            blocks.append({"norm": norm, "up": up, "down": down})
            running.append(averages)
        norm, averages = norm_parameters(width)
        ends = {"first": dense_parameters(generator, self.inputs, width), "norm": norm}
        return {**ends, "blocks": blocks, "last": dense_parameters(generator, width, self.outputs)}, [
            *running,
            averages,
        ]

    def __call__(self, p: Tree, running: Tree, x: jax.Array, key: jax.Array) -> tuple[jax.Array, Tree]:
        keep, updated = 1 - self.net["dropout"], []
        x = dense(p["first"], x)
        for block, averages, own in zip(p["blocks"], running, jax.random.split(key, len(running)), strict=False):
            inside, averages = batch_norm(block["norm"], averages, x)
            inside = jax.nn.relu(dense(block["up"], inside))
            inside = jnp.where(jax.random.bernoulli(own, keep, inside.shape), inside / keep, 0)
            x = x + dense(block["down"], inside)
            updated.append(averages)
        x, averages = batch_norm(p["norm"], running[-1], x)
        return dense(p["last"], jax.nn.relu(x)), [*updated, averages]


class Images:
    """Stages of convolution, batch norm or none, ReLU and pooling, then a dense layer."""

    def __init__(self, case: Case) -> None:
        self.net, self.shape, self.outputs = case["net"], case["shape"], case["classes"] or 1

    def parameters(self, generator: np.random.Generator) -> tuple[Tree, Tree]:
        side, _, channels = self.shape
        stages, running = [], []
        for filters in self.net["filters"]:
            kernel = generator.normal(0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, filters))
            norm, averages = norm_parameters(filters) if self.net["batch_norm"] else ({}, {})
            stages.append({"w": jnp.asarray(kernel, jnp.float32), "b": jnp.zeros(filters), "norm": norm})
            running.append(averages)
            side, channels = side // 2, filters
        units = self.net["dense"]
        hidden = dense_parameters(generator, side * side * channels, units)
        return {"stages": stages, "hidden": hidden, "last": dense_parameters(generator, units, self.outputs)}, running

    def __call__(self, p: Tree, running: Tree, x: jax.Array, key: jax.Array) -> tuple[jax.Array, Tree]:
        updated = []
        for stage, averages in zip(p["stages"], running, strict=True):
            layout = ("NHWC", "HWIO", "NHWC")
            x = lax.conv_general_dilated(x, stage["w"], (1, 1), "SAME", dimension_numbers=layout) + stage["b"]
            if stage["norm"]:
                x, averages = batch_norm(stage["norm"], averages, x)
            x = lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            updated.append(averages)
        x = jax.nn.relu(dense(p["hidden"], x.reshape(len(x), -1)))
        return dense(p["last"], x), updated


GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class Sequences:
    """A recurrent layer and its last state.

    Inputs and state share a product inside the loop. One product for all inputs before the loop, gates apart, more
    steps in a turn of the loop (4, 14, all) and recomputing the gates for the gradient were all slower on a CPU.
    """

    def __init__(self, case: Case) -> None:
        self.kind, self.units = case["net"]["kind"], case["net"]["units"]
        self.channels, self.outputs = case["shape"][-1], case["classes"] or 1

    def parameters(self, generator: np.random.Generator) -> tuple[Tree, Tree]:
        wide = GATES[self.kind] * self.units
        own, again = dense_parameters(generator, self.channels, wide), dense_parameters(generator, self.units, wide)
        return {"own": own, "again": again, "last": dense_parameters(generator, self.units, self.outputs)}, []

    def __call__(self, p: Tree, running: Tree, x: jax.Array, key: jax.Array) -> tuple[jax.Array, Tree]:
        zero = jnp.zeros((len(x), self.units))
        state = (zero, zero) if self.kind == "lstm" else (zero,)
        weights = jnp.concatenate([p["own"]["w"], p["again"]["w"]])
        step = {"rnn": self._rnn, "gru": self._gru, "lstm": self._lstm}[self.kind]
        state, _ = lax.scan(lambda s, now: (step(p, weights, now, *s), None), state, x.swapaxes(0, 1))
        return dense(p["last"], state[0]), running

    def _rnn(self, p: Tree, weights: jax.Array, x: jax.Array, h: jax.Array) -> Tree:
        return (jnp.tanh(jnp.concatenate([x, h], 1) @ weights + p["own"]["b"]),)

    def _gru(self, p: Tree, weights: jax.Array, x: jax.Array, h: jax.Array) -> Tree:
        reset, update, new = jnp.split(dense(p["own"], x), 3, -1)
        again_reset, again_update, again_new = jnp.split(dense(p["again"], h), 3, -1)
        reset, update = jax.nn.sigmoid(reset + again_reset), jax.nn.sigmoid(update + again_update)
        return ((1 - update) * jnp.tanh(new + reset * again_new) + update * h,)

    def _lstm(self, p: Tree, weights: jax.Array, x: jax.Array, h: jax.Array, c: jax.Array) -> Tree:
        enter, forget, new, leave = jnp.split(jnp.concatenate([x, h], 1) @ weights + p["own"]["b"], 4, -1)
        c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(enter) * jnp.tanh(new)
        return jax.nn.sigmoid(leave) * jnp.tanh(c), c


NETWORKS = {"mlp": Rows, "resnet": Residual, "cnn": Images, "rnn": Sequences, "gru": Sequences, "lstm": Sequences}
