"""One part of each batch: a replica of the network, and what it computes."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.data.batches import Loader
from nntrain.losses.base import Loss
from nntrain.train.exchange import Peer
from nntrain.train.labelled import value_and_grad


class Shard:
    """A replica of the network with a loss of its own: computes the gradient of its part of each batch.

    Args:
        network: the replica.
        loss: nobody else's.
        loader: gives the examples.
        index: which part of each batch, from 0.
        peer: the shard's place among the others where rows are coupled, else None.
        outputs: (N, \\*out_shape) receives the network's outputs in the epoch's order, or None.
    """

    def __init__(
        self, network: Network, loss: Loss, loader: Loader, index: int, peer: Peer | None, outputs: Array | None
    ) -> None:
        self.network, self.loss, self.loader, self.index, self.peer = network, loss, loader, index, peer
        self.outputs = outputs
        self.ctx = Context(training=True, shard=index, peers=peer)

    def forward_backward(self, step: int, first: int, last: int, labels: int) -> list[float]:
        """Make the gradient of (1 / labels) sum w l over the shard's part of an update; return the sum for each batch.

        Args:
            step: number of the update, from 1.
            first: number of the update's first batch in the epoch.
            last: of the one after its last.
            labels: of the whole update.
        """
        self.ctx.step = step
        self.network.store.begin_step()
        try:
            losses = [self._run(number, number - first, labels) for number in range(first, last)]
        except BaseException:
            if self.peer is not None:
                self.peer.give_up()
            raise
        self.network.store.finish_step()
        return losses

    def _run(self, number: int, place: int, labels: int) -> float:
        part = self.loader.part(number, self.index)
        if part is None:
            return 0.0
        start, active, batch = part
        if self.peer is not None:
            self.peer.begin(number, active)
        ctx = self.ctx
        ctx.batch, ctx.lengths = place, batch.lengths
        prediction = self.network.forward(batch.x, ctx)
        value, dy = value_and_grad(self.loss, prediction, batch, labels)
        self.network.backward(dy)
        if self.outputs is not None:
            np.copyto(self.outputs[start : start + len(prediction)], prediction)
        return value
