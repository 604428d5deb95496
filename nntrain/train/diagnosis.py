"""Where a number that is not finite came from."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import Context, Layer
from nntrain.core.network import Network
from nntrain.data.batches import Batch
from nntrain.losses.base import Loss


def find_nonfinite(network: Network, loss: Loss, batch: Batch, step: int) -> str:
    """Return a sentence on the first value that is not finite when a batch is run once more, layer by layer."""
    for parameter in network.store.parameters:
        if not _is_finite(parameter.value):
            return f"the weights {parameter.name} hold {_kind(parameter.value)}"
    if not _is_finite(batch.x):
        return f"the features hold {_kind(batch.x)}"
    found: list[str] = []
    twin = network.replica()
    for layer in twin.layers:
        _watch(layer, found)
    twin.store.begin_step()
    prediction = twin.forward(batch.x, Context(training=True, step=step))
    value, dy = loss.value_and_grad(prediction, batch.target, batch.weight)
    if not found and not np.isfinite(value):
        return f"the loss became {_kind(np.asarray(value))}"
    twin.backward(dy)
    if found:
        return found[0]
    for parameter in twin.store.trainable:
        if not _is_finite(parameter.grad):
            return f"the gradient of {parameter.name} became {_kind(parameter.grad)}"
    return "the norm of the gradient is not finite"


def _watch(layer: Layer, found: list[str]) -> None:
    """Make a layer note the first output and the first input gradient that is not finite."""
    forward, backward = layer.forward, layer.backward

    def watched_forward(x: Array, ctx: Context) -> Array:
        y = forward(x, ctx)
        if not _is_finite(y):
            found.append(f"the output of layer {layer.name} became {_kind(y)} (forward)")
        return y

    def watched_backward(dy: Array) -> Array | None:
        dx = backward(dy)
        if dx is not None and not _is_finite(dx):
            found.append(f"the gradient behind layer {layer.name} became {_kind(dx)} (backward)")
        return dx

    layer.forward, layer.backward = watched_forward, watched_backward  # type: ignore[method-assign]


def _is_finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())


def _kind(values: Array) -> str:
    return "nan" if np.isnan(values).any() else "inf"
