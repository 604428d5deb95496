"""The loss of a batch whose examples have one label, or one a step."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array
from nntrain.core.steps import padding_mask
from nntrain.data.batches import Batch
from nntrain.losses.base import Loss


def value_and_grad(loss: Loss, prediction: Array, batch: Batch, rows: int | None = None) -> tuple[float, Array]:
    """Return sum w l over the labels of a batch, and the gradient of (1 / rows) of it.

    Where each step of a sequence has a label, the steps that are there are the rows of the loss, and the gradient of
    padding is 0.

    Args:
        loss: of a row.
        prediction: (B, K), or (B, T, K) where each step has a label.
        batch: with the labels.
        rows: labels of the whole update; those of this batch by default.
    """
    if not batch.per_step:
        return loss.value_and_grad(prediction, batch.target, batch.weight, rows)
    assert batch.lengths is not None, "labels of steps come with lengths"
    there = np.flatnonzero(~padding_mask(loss, batch.lengths, prediction.shape[1]))

    def chosen(values: Array, key: str) -> Array:
        out = loss.scratch(f"{key}_of_steps", (len(there), *values.shape[2:]), values.dtype)
        return np.take(values.reshape(-1, *values.shape[2:]), there, axis=0, out=out, mode="clip")

    weight = None if batch.weight is None else chosen(batch.weight, "weight")
    target = chosen(batch.target, "target")
    value, gradient = loss.value_and_grad(chosen(prediction, "prediction"), target, weight, rows)
    dy = loss.scratch("dy_of_steps", prediction.shape, prediction.dtype)
    dy.fill(0)
    dy.reshape(-1, prediction.shape[2])[there] = gradient
    return value, dy
