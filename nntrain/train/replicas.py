"""Data parallelism: a batch is cut into shards, and each shard runs on a replica of the network.

A replica is the same layers over the same weights, with gradients and scratch memory of its own. How many shards a
batch has is a function of the network and the batch size, never of the machine; the gradients are added in the order of
the shards. So the number of threads decides how fast a run is, and no bit of what it computes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.core.network import Network
from nntrain.core.processors import processors
from nntrain.core.shared import shared_zeros
from nntrain.data.batches import Dataset, Loader
from nntrain.losses.base import Loss
from nntrain.optim.base import Optimizer
from nntrain.optim.clipping import Clipping, norm_from
from nntrain.optim.regularization import Regularization
from nntrain.train.evaluation import Evaluator, scattered
from nntrain.train.exchange import Exchange
from nntrain.train.shard import Shard
from nntrain.train.team import Team
from nntrain.train.worker import Worker

FLOPS_PER_SHARD = 6_000_000
"""A shard must be worth handing over: this many floating-point operations of a forward and backward pass."""

FLOPS_OF_MANY = 10_000_000_000
FLOPS_PER_PARAMETER = 1500
"""More than two shards must each have so many operations, and so many for each parameter: then the smaller products
and the further gradients to add cost a machine with two processors less than a tenth."""

MOST_SHARDS = 16

PARAMETERS_TO_SPREAD = 100_000
"""From this many parameters on, the optimizer's step is spread over the workers."""


def shard_count(network: Network, batch_size: int) -> int:
    """Return how many shards a batch is cut into: 1 for small networks, more than 2 for large batches of large ones."""
    flops = 3 * batch_size * network.flops
    if batch_size < 2 or flops < 2 * FLOPS_PER_SHARD:
        return 1
    shards, least = 2, max(FLOPS_OF_MANY, FLOPS_PER_PARAMETER * network.trainable_count)
    while 2 * shards <= min(MOST_SHARDS, batch_size) and flops >= 2 * shards * least:
        shards *= 2
    return shards


def worker_count(shards: int, threads: int | None) -> int:
    """Return how many workers compute the shards.

    Args:
        shards: parts of a batch.
        threads: most of them that were asked for; None for what the machine has.
    """
    return max(1, min(shards, processors() if threads is None else threads))


class Replicas:
    """A network and as many replicas of it as a batch has shards, on workers that compute at the same time.

    Args:
        network: whose weights are trained; its gradients hold the sum over the shards.
        loss: copied for each shard.
        loader: gives each shard its part of a batch.
        validation: what each epoch is judged by, or None.
        optimizer: of the weights.
        clipping: of the gradient.
        regularization: l1 and l2 penalties, or None.
        threads: how many shards are computed at the same time, None for what the machine has.
        keeps_outputs: whether the network's outputs of an epoch are kept.

    Attributes:
        outputs: (N, \\*out_shape) outputs in the epoch's order, or None.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        loader: Loader,
        validation: Dataset | None,
        optimizer: Optimizer,
        clipping: Clipping | None = None,
        regularization: Regularization | None = None,
        threads: int | None = None,
        keeps_outputs: bool = False,
    ) -> None:
        self.network, self.loader, self.validation, self.optimizer = network, loader, validation, optimizer
        self.clipping = clipping or Clipping()
        workers = worker_count(loader.shards, threads)
        zeros = np.zeros if workers == 1 else shared_zeros
        if workers > 1:
            network.store.share()
            if validation is not None:
                _ = validation.by_content  # found once, before there are processes that would each find it
        self.outputs = zeros((len(loader.dataset), *network.out_shape), network.dtype) if keeps_outputs else None
        self.shards = self._make_shards(loss)
        self._spreads = workers > 1 and network.store.size >= PARAMETERS_TO_SPREAD
        lanes = workers if self._spreads else 1
        optimizer.bind(network.store.size, network.dtype, lanes, zeros, network.store.rowwise())
        self.team = Team(self._make_workers(workers, regularization), self._descriptors())
        self._judged: Array | None = None
        if validation is not None and validation.x.shape[1:] == network.in_shape:
            self._judged = self._share_out(validation, zeros)
        if self.exchange is not None:
            self.exchange.check = self.team.check

    def _make_shards(self, loss: Loss) -> list[Shard]:
        network, count = self.network, self.loader.shards
        coupled = count > 1 and any(layer.couples_rows for layer in network.root.walk())
        self.exchange = Exchange(count, network.dtype) if coupled else None
        return [
            Shard(
                network if i == 0 else network.replica(),
                copy.deepcopy(loss),
                self.loader,
                i,
                None if self.exchange is None else self.exchange.peer(i),
                self.outputs,
            )
            for i in range(count)
        ]

    def _make_workers(self, count: int, regularization: Regularization | None) -> list[Worker]:
        gradients = [shard.network.store.grad for shard in self.shards]
        bounds = [i * len(self.shards) // count for i in range(count + 1)]
        workers = [
            Worker(self.shards[start:end], self.loader, self.network.store.value, gradients)
            for start, end in pairwise(bounds)
        ]
        for lane, worker in enumerate(workers[: self.optimizer.lanes]):
            worker.take_lane(lane, self.optimizer, self.clipping, regularization)
        return workers

    def _share_out(self, data: Dataset, zeros: Callable[[Shape, Any], Array]) -> Array:
        """Give each worker its share of the batches of what is judged; return the array of their outputs."""
        outputs = zeros((len(data), *self.network.out_shape), self.network.dtype)
        workers = self.team.workers
        for number, worker in enumerate(workers):
            worker.judging = data, outputs, number, len(workers)
        return outputs

    def _descriptors(self) -> list[int]:
        return [] if self.exchange is None else self.exchange.descriptors

    def begin_epoch(self, epoch: int) -> None:
        """Put the examples in the order of an epoch, from 1."""
        self.team.call("begin_epoch", epoch)

    def forward_backward(self, step: int, first: int, last: int, labels: int) -> list[float]:
        """Make the gradients of an update; return sum w l over each of its batches.

        Args:
            step: number of the update, from 1.
            first: number of the update's first batch in the epoch.
            last: of the one after its last.
            labels: of the whole update, whose mean loss is minimized.
        """
        if len(self.shards) == 1:
            return self.shards[0].forward_backward(step, first, last, labels)
        answers = self.team.call("forward_backward", step, first, last, labels)
        return [sum(losses) for losses in zip(*(losses for answer in answers for losses in answer), strict=True)]

    def gradient_norms(self) -> tuple[float, float]:
        """Add up the gradients of the update into the network's own; return its norm before and after the clipping of
        its numbers."""
        if self._spreads:
            squares = [pair for lane in self.team.call("add_gradients") for pair in lane]
        else:
            squares = self.team.workers[0].add_gradients()
        grad = self.network.store.grad
        norm = norm_from(math.fsum([before for before, _ in squares]), grad)
        if self.clipping.value is None:
            return norm, norm
        return norm, norm_from(math.fsum([after for _, after in squares]), grad)

    def update(self, step: int, learning_rate: float, scale: float) -> None:
        """Make the optimizer's step with ``scale`` times the gradient."""
        if self._spreads:
            self.team.call("update", step, learning_rate, scale)
        else:
            self.team.workers[0].update(step, learning_rate, scale)

    def validation_outputs(self, evaluator: Evaluator) -> Array:
        """Return the network's outputs (N, \\*out_shape) for the validation part, as the evaluator gives them."""
        assert self.validation is not None, "there is nothing to judge"
        if self._judged is None:  # of longer sequences than those in training
            return evaluator.all_outputs(self.validation)
        self.team.call("evaluate")
        return scattered(self._judged, self.validation)

    def close(self) -> None:
        """End the workers."""
        self.team.close()
        if self.exchange is not None:
            self.exchange.close()
