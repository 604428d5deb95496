"""The training step of everything that learns from examples with answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nntrain.core.array import Array
from nntrain.errors import NumericError
from nntrain.optim.clipping import flat_norm
from nntrain.train.diagnosis import find_nonfinite, spoilt_weights
from nntrain.train.gradient_watch import GradientWatch
from nntrain.train.replicas import Replicas


@dataclass(slots=True)
class Update:
    """What one update reports: sum of w l over its rows, and the gradient's norm before clipping."""

    loss: float
    gradient_norm: float


class Supervised:
    """One update: forward and backward for each batch, then penalties, clipping and the optimizer's step.

    Args:
        replicas: the network on its workers, and the optimizer.
    """

    def __init__(self, replicas: Replicas) -> None:
        self.replicas = replicas
        self.network = replicas.network
        self.optimizer = replicas.optimizer
        self._buffer: Array | None = self.network.store.buffer.copy() if self.network.store.buffer.size else None

    def update(
        self, step: int, first: int, last: int, labels: int, learning_rate: float, watch: GradientWatch | None = None
    ) -> Update:
        """Make update number ``step`` (from 1): the mean over all labels of its batches.

        Args:
            step: number of the update, from 1.
            first: number of the update's first batch in the epoch.
            last: of the one after its last.
            labels: of all of them together.
            learning_rate: of this update.
            watch: looks at the gradients before they are used up, or None.

        Raises:
            NumericError: the loss or a gradient is not finite; neither weights nor statistics of layers change.
        """
        self._keep_buffer()
        replicas = self.replicas
        loss = sum(replicas.forward_backward(step, first, last, labels))
        if not math.isfinite(loss):
            raise self._nonfinite(step, first, last)
        norm, limited = replicas.gradient_norms()
        if not math.isfinite(norm):
            raise self._nonfinite(step, first, last)
        scale = replicas.clipping.factor(limited)
        if watch is not None:
            watch.before(scale)
        replicas.update(step, learning_rate, scale)
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

    def _nonfinite(self, step: int, first: int, last: int) -> NumericError:
        self._restore_buffer()
        reason = find_nonfinite(self.replicas, step, first, last)
        self._restore_buffer()
        return NumericError(reason)
