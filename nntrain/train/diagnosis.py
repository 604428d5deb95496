"""Where a number that is not finite came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import Context, Layer
from nntrain.core.network import Network
from nntrain.core.tracing import tap
from nntrain.data.batches import Batch
from nntrain.losses.base import Loss
from nntrain.train.labelled import value_and_grad

if TYPE_CHECKING:
    from nntrain.train.replicas import Replicas


def find_nonfinite(replicas: Replicas, step: int, first: int, last: int) -> str:
    """Return a sentence on the first value that is not finite when an update is run once more, layer by layer.

    The statistics that layers such as batch norm keep change as in any forward pass.

    Args:
        replicas: what failed.
        step: number of the update.
        first: number of its first batch in the epoch.
        last: of the one after its last.
    """
    spoilt = spoilt_weights(replicas.network)
    if spoilt is not None:
        return spoilt
    found: list[str] = []
    twin, loss = replicas.network.replica(), replicas.shards[0].loss
    for layer in twin.layers:
        _watch(layer, found)
    twin.store.begin_step()
    for number in range(first, last):
        for shard, batch in passes(replicas, number):
            ctx = Context(training=True, step=step, batch=number - first, shard=shard, lengths=batch.lengths)
            reason = _run(twin, loss, batch, ctx, found)
            if reason is not None:
                return reason
    return "the norm of the gradient is not finite"


def passes(replicas: Replicas, number: int) -> Iterator[tuple[int, Batch]]:
    """Yield the parts of a batch that are computed one by one: its shards, or all of it where rows are coupled."""
    if replicas.exchange is not None:
        yield 0, replicas.loader.batch(number)
        return
    for shard in range(len(replicas.shards)):
        part = replicas.loader.part(number, shard)
        if part is not None:
            yield shard, part.batch


def spoilt_weights(network: Network) -> str | None:
    """Return a sentence on the first parameter that holds a value that is not finite, or None."""
    for parameter in network.store.parameters:
        if not _is_finite(parameter.value):
            return f"the weights {parameter.name} hold {_kind(parameter.value)}"
    return None


def _run(twin: Network, loss: Loss, batch: Batch, ctx: Context, found: list[str]) -> str | None:
    """Return what is not finite in a forward and backward pass of a batch, or None."""
    if not _is_finite(batch.x):
        return f"the features hold {_kind(batch.x)}"
    value, dy = value_and_grad(loss, twin.forward(batch.x, ctx), batch)
    if not found and not np.isfinite(value):
        return f"the loss became {_kind(np.asarray(value))}"
    twin.backward(dy)
    if found:
        return found[0]
    for parameter in twin.store.trainable:
        if not _is_finite(parameter.grad):
            return f"the gradient of {parameter.name} became {_kind(parameter.grad)}"
    return None


def _watch(layer: Layer, found: list[str]) -> None:
    """Make a layer note the first output and the first input gradient that is not finite."""

    def output(y: Array) -> None:
        if not _is_finite(y):
            found.append(f"the output of layer {layer.name} became {_kind(y)} (forward)")

    def gradient(dx: Array) -> None:
        if not _is_finite(dx):
            found.append(f"the gradient behind layer {layer.name} became {_kind(dx)} (backward)")

    tap(layer, output, gradient)


def _is_finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())


def _kind(values: Array) -> str:
    return "nan" if np.isnan(values).any() else "inf"
