"""After the second step, an update takes no memory worth speaking of."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from nntrain.core.arithmetic import in_training

MOST = 16384
"""Bytes of everything at a time: NumPy's own buffers of 2.8 kB, Python's views, floats and lists. The smallest array of
a batch is 77 kB here."""

LAYERS: dict[str, list[Any]] = {
    "dense": [{"name": "dense", "units": 300, "activation": "relu"}, {"name": "dense", "units": 200}],
    "norm": [{"name": "dense", "units": 300}, "batch_norm", "relu", {"name": "dropout", "rate": 0.2}, "layer_norm"],
    "residual": [{"name": "dense", "units": 64}, {"name": "residual", "layers": [{"name": "dense", "units": 64}]}],
}


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_an_update_allocates_next_to_nothing(make_trainer: Any, layers: str, optimizer: str, loss: str) -> None:
    weight = np.linspace(0.5, 1.5, 2000, dtype=np.float32)
    options: Any = {"optimizer": optimizer, "loss": loss, "dtype": np.float32, "metrics": ()}
    trainer, _ = make_trainer(LAYERS[layers], rows=2000, batch_size=300, weight=weight, validation=False, **options)
    step, loader = trainer.step, trainer.loader
    step.replicas.begin_epoch(1)
    count = loader.batch_count  # the last batch is a short one

    def update(number: int) -> None:
        batch = number % count
        start, end = loader.bounds(batch)
        with in_training():
            step.update(number + 1, batch, batch + 1, loader.labels_between(start, end), 0.01)

    for number in range(count + 1):
        update(number)
    tracemalloc.start()
    try:
        for number in range(count + 1, 2 * count + 1):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            update(number)
            assert tracemalloc.get_traced_memory()[1] - before < MOST
    finally:
        tracemalloc.stop()
