"""The training step of everything that learns from examples with answers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nntrain.core.array import Array
from nntrain.data.batches import Batch
from nntrain.errors import NumericError
from nntrain.optim.base import Optimizer
from nntrain.optim.clipping import Clipping, flat_norm
from nntrain.optim.regularization import Regularization
from nntrain.train.diagnosis import find_nonfinite, spoilt_weights
from nntrain.train.gradient_watch import GradientWatch
from nntrain.train.replicas import Replicas


@dataclass(slots=True)
class Update:
    """What one update reports: sum of w l over its rows, and the gradient's norm before clipping."""

    loss: float
    gradient_norm: float


class Supervised:
    """One update: forward, loss, backward for each batch, then penalties, clipping and the optimizer's step.

    Args:
        replicas: the network, its replicas and the loss.
        optimizer: bound to the network's parameters.
        clipping: of the gradient, or None.
        regularization: l1 and l2 penalties, or None.
    """

    def __init__(
        self,
        replicas: Replicas,
        optimizer: Optimizer,
        clipping: Clipping | None = None,
        regularization: Regularization | None = None,
    ) -> None:
        self.replicas = replicas
        self.network = replicas.network
        self.optimizer = optimizer
        self.clipping = clipping or Clipping()
        self.regularization = regularization
        self._buffer: Array | None = self.network.store.buffer.copy() if self.network.store.buffer.size else None

    def update(
        self,
        batches: Iterable[Batch],
        rows: int,
        step: int,
        learning_rate: float,
        outputs: Array | None = None,
        watch: GradientWatch | None = None,
    ) -> Update:
        """Make update number ``step`` (from 1): the mean over the ``rows`` of all its batches.

        Args:
            batches: the parts of the update, one unless gradients are accumulated; iterated anew where it fails.
            rows: labels of all of them together.
            step: number of the update, from 1.
            learning_rate: of this update.
            outputs: (examples, \\*out_shape) receives the network's outputs, or None.
            watch: looks at the gradients before they are used up, or None.

        Raises:
            NumericError: the loss or a gradient is not finite; neither weights nor statistics of layers change.
        """
        self._keep_buffer()
        self.replicas.begin_step(step)
        loss, seen = 0.0, 0
        for batch in batches:
            kept = None if outputs is None else outputs[seen : seen + len(batch.x)]
            part = self.replicas.forward_backward(batch, rows, kept)
            if not math.isfinite(part):
                raise self._nonfinite(batches, step)
            loss, seen = loss + part, seen + len(batch.x)
        grad = self.replicas.finish_step()
        if self.regularization is not None:
            self.regularization.add_gradient(grad)
        norm = self.clipping.apply(grad)
        if not math.isfinite(norm):
            raise self._nonfinite(batches, step)
        if watch is not None:
            watch.before()
        self.optimizer.update(self.network.store.value, grad, step, learning_rate)
        return Update(loss, norm)

    def spoilt(self) -> str | None:
        """Return a sentence on what an update has made overflow, in the weights or in what the optimizer keeps."""
        store, slots = self.network.store, self.optimizer.state
        if not (math.isfinite(flat_norm(store.value)) and math.isfinite(flat_norm(store.buffer))):
            return spoilt_weights(self.network)
        names = [name for name, values in slots.items() if not math.isfinite(flat_norm(values))]
        return f"the optimizer's {names[0]} overflowed" if names else None

    def _keep_buffer(self) -> None:
        """Remember what layers such as batch norm keep: a forward pass changes it, and the update may yet fail."""
        if self._buffer is not None:
            np.copyto(self._buffer, self.network.store.buffer)

    def _restore_buffer(self) -> None:
        if self._buffer is not None:
            np.copyto(self.network.store.buffer, self._buffer)

    def _nonfinite(self, batches: Iterable[Batch], step: int) -> NumericError:
        self._restore_buffer()
        reason = find_nonfinite(self.network, self.replicas.shards[0].loss, batches, step)
        self._restore_buffer()
        return NumericError(reason)
