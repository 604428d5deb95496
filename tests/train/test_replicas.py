"""Shards: the number of threads changes no bit, the number of shards none but the last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.layer import Context
from nntrain.core.parameter import ParameterStore
from nntrain.core.rng import StepStream
from nntrain.train.replicas import shard_count

LAYERS = [{"name": "dense", "units": 9}, "relu", {"name": "dense", "units": 7}, "tanh"]
NOISY = [*LAYERS, {"name": "dropout", "rate": 0.3}]
COUPLED = ["batch_norm", *LAYERS, {"name": "residual", "layers": ["batch_norm", {"name": "dense", "units": 7}]}]
POOLED = [
    {"name": "reshape", "shape": [-1, 1]},
    {"name": "conv1d", "filters": 3, "kernel": 2},
    "batch_norm",
    "relu",
    {"name": "max_pool1d", "pool": 2},
    "flatten",
]


def trained(make_trainer: Any, layers: Any, **options: Any) -> tuple[bytes, list[Any]]:
    trainer, memory = make_trainer(layers, dtype=np.float32, optimizer="adam", metrics=("accuracy",), **options)
    trainer.fit()
    trainer.close()
    return trainer.step.network.store.value.tobytes(), memory.rows


@pytest.mark.parametrize("layers", [LAYERS, NOISY, [*COUPLED, *NOISY]])
@pytest.mark.parametrize("shards", [2, 3])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_threads_change_no_bit(make_trainer: Any, layers: Any, shards: int, accumulate: int) -> None:
    first, *others = [
        trained(make_trainer, layers, shards=shards, threads=threads, accumulate=accumulate) for threads in (1, 2, 3, 2)
    ]
    assert all(other == first for other in others)


@pytest.mark.parametrize("layers", [LAYERS, COUPLED, POOLED])
@pytest.mark.parametrize("rows", [1, 2, 5, 22])
@pytest.mark.parametrize("shards", [2, 3, 4])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_gradients_equal_those_of_one_shard(
    make_trainer: Any, layers: Any, rows: int, shards: int, threads: int
) -> None:
    found = []
    for count in (1, shards):
        weight = np.linspace(0.5, 2, rows)
        options: Any = {"rows": rows, "batch_size": 9, "weight": weight, "metrics": ("accuracy",)}
        trainer, _ = make_trainer(layers, shards=count, threads=threads, validation=False, **options)
        replicas = trainer.step.replicas
        replicas.begin_epoch(1)
        batches = trainer.loader.batch_count
        losses = replicas.forward_backward(1, 0, batches, rows)
        norm, _ = replicas.gradient_norms()
        assert len(losses) == batches
        state = {name: value.copy() for name, value in replicas.network.state().items()}
        found.append((sum(losses), norm, replicas.network.store.grad.copy(), replicas.outputs.copy(), state))
        trainer.close()
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-12)
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-10)
    np.testing.assert_allclose(found[1][2], found[0][2], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found[1][3], found[0][3], rtol=1e-10, atol=1e-13)
    for name, value in found[0][4].items():  # what batch norm has seen of the batches
        np.testing.assert_allclose(found[1][4][name], value, rtol=1e-12)


def test_each_batch_of_an_update_gets_noise_of_its_own(make_trainer: Any) -> None:
    trainer, _ = make_trainer(["identity", {"name": "dropout", "rate": 0.5}], rows=20, batch_size=10, accumulate=2)
    dropout = trainer.step.network.layers[1]
    masks: list[Any] = []
    forward = dropout.forward

    def watched(x: Any, ctx: Context) -> Any:
        y = forward(x, ctx)
        if ctx.training:
            masks.append((ctx.step, ctx.batch, np.not_equal(y, 0)))
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


def test_the_work_decides_the_shards(make_trainer: Any) -> None:
    assert shard_count(make_trainer(LAYERS)[0].step.network, 32) == 1
    wide = [{"name": "dense", "units": 900}, {"name": "dense", "units": 900}]
    assert shard_count(make_trainer(wide)[0].step.network, 256) == 2
    assert shard_count(make_trainer([*wide, "batch_norm"])[0].step.network, 256) == 2
    assert shard_count(make_trainer(wide)[0].step.network, 1) == 1
    assert [shard_count(make_trainer(wide)[0].step.network, 10_000 * n) for n in (1, 2, 10, 100)] == [4, 8, 16, 16]


@pytest.mark.parametrize("optimizer", ["sgd", {"name": "adam", "weight_decay": 0.01}])
def test_gradients_that_come_by_rows_are_zero_elsewhere(
    make_trainer: Any, optimizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one update leaves in the gradient of an embedding must not be found there by the next."""
    monkeypatch.setattr("nntrain.train.replicas.PARAMETERS_TO_SPREAD", 1)
    layers = [{"name": "category_embedding", "columns": [0, 2], "categories": [9, 9]}, {"name": "dense", "units": 4}]
    options: Any = {"optimizer": optimizer, "rows": 50, "codes": 9, "validation": False}
    found = []
    for shards, threads in ((1, 1), (3, 1), (3, 2), (3, 3)):
        with monkeypatch.context() as context:
            if shards == 1:  # then all gradients are zeroed as a whole
                context.setattr(ParameterStore, "spent", lambda store: None)
            trainer, memory = make_trainer(layers, shards=shards, threads=threads, **options)
            trainer.fit()
            trainer.close()
        found.append((trainer.step.network.store.value.copy(), memory.rows))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-9, atol=1e-12)
    for value, rows in found[2:]:
        np.testing.assert_array_equal(value, found[1][0])
        assert rows == found[1][1]
