"""What one process does in an update: the passes of its shards, and its part of the flat vectors."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock, Thread

import numpy as np

from nntrain.core.arithmetic import in_training
from nntrain.core.array import Array
from nntrain.data.batches import Dataset, Loader
from nntrain.optim.base import Optimizer
from nntrain.optim.clipping import Clipping, sum_of_squares
from nntrain.optim.regularization import Regularization
from nntrain.train.evaluation import forward_batches
from nntrain.train.shard import Shard


class Worker:
    """Computes some shards of each batch, and a lane of the optimizer's step.

    Args:
        shards: it computes, at least one.
        loader: gives the examples to all of them.
        value: (P,) weights.
        gradients: (P,) of all shards, this worker's and the others', in their order.

    Attributes:
        judging: what each epoch is judged by, where its outputs go, and which of its batches are this worker's: the
            first, and how far apart they are.
    """

    def __init__(self, shards: Sequence[Shard], loader: Loader, value: Array, gradients: Sequence[Array]) -> None:
        self.shards, self.loader, self.value, self.gradients = shards, loader, value, gradients
        self._together = len(shards) > 1 and shards[0].peer is not None
        self.judging: tuple[Dataset, Array, int, int]

    def take_lane(self, lane: int, optimizer: Optimizer, clipping: Clipping, penalties: Regularization | None) -> None:
        """Take part ``lane`` of the optimizer's step."""
        self.lane, self.optimizer, self.clipping, self.penalties = lane, optimizer, clipping, penalties
        self.spans, self.cleared = optimizer.lane_spans(lane), optimizer.lane_cleared(lane)

    def begin_epoch(self, epoch: int) -> None:
        """Put the examples in the order of an epoch, from 1."""
        self.loader.begin(epoch)

    def forward_backward(self, step: int, first: int, last: int, labels: int) -> list[list[float]]:
        """Return :meth:`Shard.forward_backward` of each shard."""
        if not self._together:
            return [shard.forward_backward(step, first, last, labels) for shard in self.shards]
        return _in_turns(self.shards, step, first, last, labels)

    def add_gradients(self) -> list[tuple[float, float]]:
        """Add the shards' gradients into the first one's, and the penalties'; clip each number where that is asked.

        Returns:
            the sum of squares of each of the lane's blocks, before the clipping and after it.
        """
        total, *others = self.gradients
        squares = []
        for span, cleared in zip(self.spans, self.cleared, strict=True):
            part = total[span]
            for other in others:
                np.add(part, other[span], out=part)
                for place in cleared:
                    other[place].fill(0)
            if self.penalties is not None:
                self.penalties.add_gradient(part, span)
            before = after = sum_of_squares(part)
            if self.clipping.value is not None:
                self.clipping.limit(part)
                after = sum_of_squares(part)
            squares.append((before, after))
        return squares

    def evaluate(self) -> None:
        """Write the network's outputs for this worker's batches of what each epoch is judged by."""
        forward_batches(self.shards[0].network, *self.judging)

    def update(self, step: int, learning_rate: float, scale: float) -> None:
        """Make the lane's part of the optimizer's step with ``scale`` times the gradient."""
        self.optimizer.update_lane(self.lane, self.value, self.gradients[0], step, learning_rate, scale)
        for shard in self.shards:
            shard.network.store.spent()


def _in_turns(shards: Sequence[Shard], step: int, first: int, last: int, labels: int) -> list[list[float]]:
    """Compute coupled shards in one process: one at a time, each until it waits for the others."""
    turn = Lock()
    results: dict[int, list[float]] = {}
    errors: list[BaseException] = []

    def run(shard: Shard) -> None:
        with turn, in_training():
            try:
                results[shard.index] = shard.forward_backward(step, first, last, labels)
            except BaseException as error:
                errors.append(error)

    # Daemons, so that a signal can end the program where a user's layer goes on and on.
    threads = [Thread(target=run, args=(shard,), daemon=True, name="nntrain-shard") for shard in shards]
    for shard in shards:
        assert shard.peer is not None, "only coupled shards wait for each other"
        shard.peer.turn = turn
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[shard.index] for shard in shards]
