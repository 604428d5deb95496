"""Shards: the number of threads changes no bit, the number of shards none but the last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.layer import Context
from nntrain.core.rng import StepStream
from nntrain.data.batches import Batch
from nntrain.train.replicas import Replicas, Workers, shard_count

LAYERS = [{"name": "dense", "units": 9}, "relu", {"name": "dense", "units": 7}, "tanh"]
NOISY = [*LAYERS, {"name": "dropout", "rate": 0.3}]


def trained(make_trainer: Any, layers: Any, **options: Any) -> tuple[bytes, list[Any]]:
    trainer, memory = make_trainer(layers, dtype=np.float32, optimizer="adam", metrics=("accuracy",), **options)
    trainer.fit()
    trainer.close()
    return trainer.step.network.store.value.tobytes(), memory.rows


@pytest.mark.parametrize("layers", [LAYERS, NOISY])
@pytest.mark.parametrize("shards", [2, 3])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_threads_change_no_bit(make_trainer: Any, layers: Any, shards: int, accumulate: int) -> None:
    first, *others = [
        trained(make_trainer, layers, shards=shards, threads=threads, accumulate=accumulate) for threads in (1, 2, 3, 2)
    ]
    assert all(other == first for other in others)


@pytest.mark.parametrize("rows", [1, 2, 5, 22])
@pytest.mark.parametrize("shards", [2, 3, 4])
def test_gradients_equal_those_of_one_shard(make_trainer: Any, rows: int, shards: int) -> None:
    trainer, _ = make_trainer(LAYERS)
    network, loss = trainer.step.network, trainer.step.replicas.shards[0].loss
    data = trainer.loader.dataset
    x, target, weight = data.x[:rows], data.target[:rows], np.linspace(0.5, 2, rows)
    found = []
    for count in (1, shards):
        replicas = Replicas(network, loss, count, threads=2)
        outputs = np.zeros((rows, 3))
        replicas.begin_step(1)
        value = replicas.forward_backward(Batch(x, target, weight), rows, outputs)
        found.append((value, replicas.finish_step().copy(), outputs))
        replicas.close()
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-13)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(found[1][2], found[0][2], rtol=1e-13)


def test_each_batch_of_an_update_gets_noise_of_its_own(make_trainer: Any) -> None:
    trainer, _ = make_trainer(["identity", {"name": "dropout", "rate": 0.5}], rows=20, batch_size=10, accumulate=2)
    dropout = trainer.step.network.layers[1]
    masks: list[Any] = []
    forward = dropout.forward

    def watched(x: Any, ctx: Context) -> Any:
        y = forward(x, ctx)
        if ctx.training:
            masks.append((ctx.step, ctx.batch, dropout.kept.copy()))
        return y

    dropout.forward = watched
    trainer.fit()
    assert [(step, batch) for step, batch, _ in masks] == [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1)]
    assert len({mask.tobytes() for _, _, mask in masks}) == len(masks)


def test_noise_differs_by_step_shard_and_batch() -> None:
    noise = StepStream(0, "x")
    drawn = {noise.at(*where).random() for where in np.ndindex(4, 4, 4)}
    assert len(drawn) == 64
    assert noise.at(2, 1, 3).random() == noise.at(2, 1, 3).random()


def test_small_networks_and_coupled_rows_are_not_cut(make_trainer: Any) -> None:
    assert shard_count(make_trainer(LAYERS)[0].step.network, 32) == 1
    wide = [{"name": "dense", "units": 900}, {"name": "dense", "units": 900}]
    assert shard_count(make_trainer(wide)[0].step.network, 256) == 2
    assert shard_count(make_trainer([*wide, "batch_norm"])[0].step.network, 256) == 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("failing", [0, 1])
def test_errors_of_workers_are_raised(threads: int, failing: int) -> None:
    def fail() -> None:
        raise ValueError("in a shard")

    done: list[int] = []
    jobs = [lambda: done.append(0), lambda: done.append(1)]
    jobs[failing] = fail
    workers = Workers(threads)
    with pytest.raises(ValueError, match="in a shard"):
        workers.run(jobs)
    workers.run([lambda: done.append(2), lambda: done.append(3)])
    workers.close()
    assert {2, 3} <= set(done)
