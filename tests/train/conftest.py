"""A small network and a trainer around it, without files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nntrain.core.network import Network
from nntrain.core.task import Task
from nntrain.data.batches import Dataset, Loader
from nntrain.layers.sequential import Sequential
from nntrain.losses.base import LOSSES
from nntrain.metrics.base import METRICS
from nntrain.optim.base import OPTIMIZERS
from nntrain.train.evaluation import Evaluator
from nntrain.train.replicas import Replicas
from nntrain.train.supervised import Supervised
from nntrain.train.trainer import Trainer


class Memory:
    """Recorder, checkpoint store and observer in one: keeps everything it is given."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.layers: list[dict[str, Any]] = []
        self.saved: list[Any] = []
        self.best_only: list[Any] = []
        self.updates = 0

    def epoch(self, metrics: Any, timing: Any) -> None:
        self.rows.append(dict(metrics))

    def gradients(self, rows: Any) -> None:
        self.layers.extend(rows)

    def save(self, snapshot: Any) -> None:
        arrays = {name: np.array(value) for name, value in snapshot.arrays.items()}
        self.saved.append((arrays, snapshot.state))

    def save_best(self, snapshot: Any) -> None:
        self.best_only.append(snapshot.state)

    def updated(self) -> None:
        self.updates += 1

    def epoch_ended(self, row: Any) -> None:
        pass


TASK = Task("classification", ("y",), ("a", "b", "c"))
REGRESSION = Task("regression", ("y",))


@pytest.fixture
def make_trainer() -> Callable[..., tuple[Trainer, Memory]]:
    def make(
        layers: list[Any],
        *,
        optimizer: Any = "sgd",
        loss: str = "cross_entropy",
        rows: int = 22,
        batch_size: int = 5,
        dtype: Any = np.float64,
        shards: int = 1,
        threads: int = 1,
        clipping: Any = None,
        regularization: Any = None,
        scale: float = 1.0,
        validation: bool = True,
        metrics: tuple[str, ...] = (),
        weight: Any = None,
        codes: int | None = None,
        **options: Any,
    ) -> tuple[Trainer, Memory]:
        generator = np.random.default_rng(1)
        task = TASK if loss == "cross_entropy" else REGRESSION
        x = (generator.standard_normal((rows, 4)) * scale).astype(dtype)
        if codes is not None:
            x = generator.integers(0, codes, x.shape).astype(dtype)
        numbers = (generator.standard_normal((rows, 1)) * scale).astype(dtype)
        target = generator.integers(0, 3, rows) if task is TASK else numbers
        data = Dataset(x, target, weight, np.arange(rows))
        network = Network(Sequential([*layers, {"name": "dense", "units": task.width}]), (4,), seed=3, dtype=dtype)
        built = LOSSES.build(loss)
        built.build(task, dtype)
        penalties = regularization(network.store) if regularization else None
        loader = Loader(data, batch_size, seed=7, shards=shards)
        rule = OPTIMIZERS.build(optimizer)
        held_out = data.subset(np.arange(0, rows, 3)) if validation else None
        replicas = Replicas(
            network, built, loader, held_out, rule, clipping, penalties, threads, keeps_outputs=bool(metrics)
        )
        judges = {name: METRICS.build(name) for name in metrics}
        evaluator = Evaluator(network, built, judges, lambda values, base: values)
        memory = Memory()
        options = {"epochs": 3, "recorder": memory, "store": memory, "observer": memory} | options
        return Trainer(Supervised(replicas), evaluator, **options), memory

    return make
