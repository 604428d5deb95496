"""Data parallelism: a batch is cut into shards, and each shard runs on a replica of the network.

A replica is the same layers over the same weights, with gradients and scratch memory of its own. How many shards a
batch has is a function of the network and the batch size, never of the machine; the gradients are added in the order of
the shards. So the number of threads decides how fast a run is, and no bit of what it computes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.data.batches import Batch
from nntrain.losses.base import Loss
from nntrain.train.labelled import value_and_grad

FLOPS_PER_SHARD = 40_000_000
"""A shard must be worth handing over: this many floating-point operations of a forward and backward pass."""

MOST_SHARDS = 2

Job: TypeAlias = Callable[[], None]


def shard_count(network: Network, batch_size: int) -> int:
    """Return how many shards a batch is cut into: 1 for small networks and where rows depend on each other."""
    if any(layer.couples_rows for layer in network.root.walk()):
        return 1
    flops = 3 * batch_size * sum(row.flops for row in network.table())
    return int(max(1, min(MOST_SHARDS, batch_size, flops // FLOPS_PER_SHARD)))


class Workers:
    """Threads that wait for jobs; the calling thread takes its share, so one thread means no hand-over at all."""

    def __init__(self, threads: int) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, daemon=True, name="nntrain-shard") for _ in range(threads - 1)]
        for thread in self._threads:
            thread.start()

    def run(self, jobs: Sequence[Job]) -> None:
        """Run all jobs and return when the last is done; an error of any of them is raised here."""
        if not self._threads or len(jobs) == 1:
            for job in jobs:
                job()
            return
        for job in jobs[1:]:
            self._jobs.put(job)
        errors = [_attempt(jobs[0])]
        errors.extend(self._done.get() for _ in jobs[1:])
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """End the threads."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        # NumPy's error state belongs to a thread; non-finite values are looked for in the training step instead.
        with np.errstate(all="ignore"):
            while (job := self._jobs.get()) is not None:
                self._done.put(_attempt(job))


def _attempt(job: Job) -> BaseException | None:
    try:
        job()
    except BaseException as error:
        return error
    return None


class Shard:
    """One replica with its own loss: computes its part of a batch."""

    def __init__(self, network: Network, loss: Loss, index: int) -> None:
        self.network = network
        self.loss = loss
        self.ctx = Context(training=True, shard=index)
        self.loss_sum = 0.0

    def run(self, batch: Batch, rows: int, outputs: Array | None) -> None:
        """Add the gradient of (1 / rows) sum w l over the shard's labels; keep the sum, and the outputs where asked."""
        self.ctx.lengths = batch.lengths
        prediction = self.network.forward(batch.x, self.ctx)
        self.loss_sum, dy = value_and_grad(self.loss, prediction, batch, rows)
        self.network.backward(dy)
        if outputs is not None:
            outputs[...] = prediction


class Replicas:
    """A network and as many replicas of it as a batch has shards.

    Args:
        network: whose weights are trained; its gradients hold the sum over the shards.
        loss: copied for each shard.
        shards: parts a batch is cut into.
        threads: how many shards are computed at the same time.
    """

    def __init__(self, network: Network, loss: Loss, shards: int = 1, threads: int = 1) -> None:
        self.network = network
        networks = [network, *(network.replica() for _ in range(shards - 1))]
        self.shards = [Shard(replica, copy.deepcopy(loss), i) for i, replica in enumerate(networks)]
        self.workers = Workers(min(threads, shards))

    def begin_step(self, step: int) -> None:
        """Start an update: gradients begin anew, and each of its batches gets noise of its own."""
        for shard in self.shards:
            shard.ctx.step, shard.ctx.batch = step, -1
            shard.network.store.begin_step()

    def forward_backward(self, batch: Batch, rows: int, outputs: Array | None) -> float:
        """Return sum w l over a batch and add the gradient of (1 / rows) of it to the replicas' gradients.

        Args:
            batch: of B examples.
            rows: labels of the whole update.
            outputs: (B, \\*out_shape) receives the network's outputs, or None.
        """
        for shard in self.shards:
            shard.ctx.batch += 1
        if len(self.shards) == 1:
            self.shards[0].run(batch, rows, outputs)
            return self.shards[0].loss_sum
        examples = len(batch.x)
        active = self.shards[: min(len(self.shards), examples)]
        bounds = np.linspace(0, examples, len(active) + 1).astype(int)
        jobs = []
        for shard, start, end in zip(active, bounds, bounds[1:], strict=False):
            kept = None if outputs is None else outputs[start:end]
            jobs.append(_job(shard, batch.part(start, end), rows, kept))
        self.workers.run(jobs)
        return sum(shard.loss_sum for shard in active)

    def finish_step(self) -> Array:
        """Return the flat gradient (P,) of the update: the shards' gradients, added in their order."""
        total = self.network.store.grad
        for shard in self.shards:
            shard.network.store.finish_step()
        for shard in self.shards[1:]:
            np.add(total, shard.network.store.grad, out=total)
        return total

    def close(self) -> None:
        """End the worker threads."""
        self.workers.close()


def _job(shard: Shard, batch: Batch, rows: int, outputs: Array | None) -> Job:
    return lambda: shard.run(batch, rows, outputs)
