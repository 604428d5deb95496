"""How much memory a training takes: what is certain, which is refused before any of it is taken, and about how much."""

from __future__ import annotations

from nntrain.config.schema import Config
from nntrain.core.network import Network
from nntrain.core.tracing import step_bytes
from nntrain.data.preparation import Prepared
from nntrain.optim.base import OPTIMIZERS
from nntrain.train import evaluation
from nntrain.train.replicas import shard_count, worker_count


def largest_batch(config: Config, rows: int) -> int:
    """Return how many of so many training examples the largest batch of an epoch has."""
    return rows if isinstance(config.batch_size, str) else min(config.batch_size, rows)


def shards_of(config: Config, network: Network, batch: int) -> int:
    """Return how many parts a batch of so many examples is cut into."""
    return shard_count(network, batch) if config.shards == "auto" else min(int(config.shards), batch)


def refuse_too_large_training(config: Config, prepared: Prepared, network: Network) -> None:
    """Refuse a training that cannot fit into memory, whatever else it takes; the network may be one without memory.

    What is counted is there at the same time for certain: weights, a gradient for each shard, the optimizer's slots,
    and what the layers say that they keep of the rows of a batch.

    Raises:
        ConfigError: the machine has too little memory.
        ResourceError: this process may take too little.
    """
    if not config.epochs:
        return
    batch = largest_batch(config, len(prepared.train))
    shards = shards_of(config, network, batch)
    vectors = 1 + shards + len(OPTIMIZERS.build(config.optimizer).slots)
    beside = vectors * network.trainable_count * network.dtype.itemsize
    network.refuse_rows(1, training=True, beside=beside)
    at = None if "batch_size" in config.defaulted else ("batch_size",)
    own = batch // worker_count(shards, config.threads)
    network.refuse_rows(batch, training=True, beside=beside, at=at, of_process=own)
    # Longer sequences are judged by a replica, of which nothing is known yet.
    judged = [part for part in (prepared.validation, prepared.test) if part is not None]
    if any(part.x.shape[1:] == network.in_shape for part in judged):
        network.refuse_rows(evaluation.BATCH, training=False, beside=beside)


def estimated_bytes(config: Config, prepared: Prepared, network: Network) -> int:
    """Return about how much memory training takes: weights and their like, a batch's activations, the data."""
    batch = largest_batch(config, len(prepared.train))
    shards = shards_of(config, network, batch)
    slots = len(OPTIMIZERS.build(config.optimizer).slots)
    copies = 3 + shards + slots  # values, the shards' gradients, the watch's copy, the best epoch's; the optimizer's
    activations = sum(step_bytes(network, (batch + shard) // shards) for shard in range(shards))
    return int(network.dtype.itemsize * copies * network.store.size + activations + prepared.train.x.nbytes)
