"""A training in plain JAX, Adam by hand: whichever is faster of two ways that a JAX user would write.

``scan`` is one ``jit`` of a whole epoch, ``lax.scan`` over its shuffled batches: no dispatch between updates. ``loop``
is one ``jit`` of an update, called from Python: XLA on a CPU runs convolutions inside a loop on one thread and slowly.
Both gather their batches inside the ``jit``. The first epochs compile and compare, and are not timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_nets import NETWORKS, Tree
from reading import Case, read_case, report

RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8

Epoch = Callable[[Tree, np.ndarray], Tree]


def adam(parameters: Tree, grads: Tree, means: Tree, squares: Tree, t: jax.Array) -> tuple[Tree, Tree, Tree]:
    """Return parameters, first and second moments after one update (Kingma and Ba 2015)."""
    means = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, means, grads)
    squares = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, squares, grads)
    rate = RATE * jnp.sqrt(1 - BETA2**t) / (1 - BETA1**t)
    moved = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), parameters, means, squares)
    return moved, means, squares


def updater(case: Case, network: Any) -> Callable[..., Tree]:
    """Return a pure function of all rows, the state of a training and the rows of a batch, to the next state."""

    def loss_of(parameters: Tree, running: Tree, x: jax.Array, y: jax.Array, key: jax.Array) -> Any:
        outputs, running = network(parameters, running, x, key)
        if not case["classes"]:
            return jnp.mean((outputs - y) ** 2), running
        chosen = jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], 1)
        return -jnp.mean(chosen), running

    def update(x: jax.Array, y: jax.Array, state: Tree, rows: jax.Array) -> tuple[Tree, jax.Array]:
        parameters, means, squares, running, t = state
        key = jax.random.fold_in(jax.random.key(0), t)
        wanted = jax.value_and_grad(loss_of, has_aux=True)
        (loss, running), grads = wanted(parameters, running, x[rows], y[rows], key)
        return (*adam(parameters, grads, means, squares, t + 1), running, t + 1), loss

    return update


def ways(update: Callable[..., Tree], x: jax.Array, y: jax.Array) -> dict[str, Epoch]:
    """Return the two ways to make an epoch's updates."""
    one = jax.jit(update, donate_argnums=2)
    whole = jax.jit(lambda x, y, state, order: jax.lax.scan(partial(update, x, y), state, order), donate_argnums=2)

    def loop(state: Tree, order: np.ndarray) -> Tree:
        for rows in order:
            state, _ = one(x, y, state, rows)
        return jax.block_until_ready(state)

    def scan(state: Tree, order: np.ndarray) -> Tree:
        return jax.block_until_ready(whole(x, y, state, order)[0])

    return {"scan": scan, "loop": loop}


def main() -> None:
    case, inputs, labels = read_case()
    generator = np.random.default_rng(0)
    network = NETWORKS[case["net"]["kind"]](case)
    x, y = jnp.asarray(inputs), jnp.asarray(labels)
    parameters, running = network.parameters(generator)
    zeros = jax.tree.map(jnp.zeros_like, (parameters, parameters))
    state = (parameters, *zeros, running, jnp.zeros((), jnp.int32))

    def timed(epoch: Epoch) -> float:
        nonlocal state
        started = time.perf_counter()
        order = generator.permutation(len(x)).astype("int32").reshape(-1, case["batch"])
        state = epoch(state, order)
        return time.perf_counter() - started

    found = ways(updater(case, network), x, y)
    # The first epoch of each way compiles it; the second says how fast it is.
    trials = {name: [timed(epoch) for _ in range(2)][-1] for name, epoch in found.items()}
    best = min(trials, key=lambda name: trials[name])
    report([timed(found[best]) for _ in range(case["epochs"])], f"{jax.__version__} ({best})")


if __name__ == "__main__":
    main()
