"""The loop: its rows, the best epoch, callbacks, checkpoints, and going on from a snapshot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nntrain.train.callbacks.early_stopping import EarlyStopping
from nntrain.train.callbacks.reduce_on_plateau import ReduceOnPlateau
from nntrain.train.monitor import is_better
from nntrain.train.snapshot import Snapshot
from nntrain.train.state import TrainState

LAYERS = [{"name": "dense", "units": 6}, "relu"]


def test_rows_in_their_order(make_trainer: Any) -> None:
    trainer, memory = make_trainer(LAYERS, metrics=("accuracy",))
    trainer.fit()
    columns = ["epoch", "step", "learning_rate", "train_loss", "val_loss", "train_accuracy", "val_accuracy"]
    assert list(memory.rows[0]) == [*columns, "gradient_norm"]
    assert [(row["epoch"], row["step"]) for row in memory.rows] == [(1, 5), (2, 10), (3, 15)]
    assert memory.updates == 15
    assert {row["layer"] for row in memory.layers} == {"dense_1", "dense_2", "relu_1"}
    assert [row["epoch"] for row in memory.layers] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len(memory.saved) == 1


def test_without_validation_there_are_no_such_columns(make_trainer: Any) -> None:
    trainer, memory = make_trainer(LAYERS, validation=False, metrics=("accuracy",))
    trainer.fit()
    assert not [name for name in memory.rows[0] if name.startswith("val_")]


@pytest.mark.parametrize(("accumulate", "steps"), [(1, 5), (2, 3), (5, 1), (9, 1)])
def test_the_end_of_an_epoch_flushes(make_trainer: Any, accumulate: int, steps: int) -> None:
    trainer, memory = make_trainer(LAYERS, accumulate=accumulate, epochs=2)
    trainer.fit()
    assert [row["step"] for row in memory.rows] == [steps, 2 * steps]


def test_no_epochs(make_trainer: Any) -> None:
    trainer, memory = make_trainer(LAYERS, epochs=0)
    before = trainer.step.network.store.value.copy()
    assert trainer.fit().status == "finished"
    np.testing.assert_array_equal(trainer.step.network.store.value, before)
    assert memory.rows == [] and len(memory.saved) == 1


def test_a_learning_rate_of_zero_changes_nothing(make_trainer: Any) -> None:
    trainer, _ = make_trainer(LAYERS, optimizer={"name": "adam", "learning_rate": 0.0})
    before = trainer.step.network.store.value.tobytes()
    trainer.fit()
    assert trainer.step.network.store.value.tobytes() == before


def test_where_two_epochs_are_equal_the_first_is_the_best(make_trainer: Any) -> None:
    trainer, memory = make_trainer(LAYERS, optimizer={"name": "sgd", "learning_rate": 0.0}, monitor="val_loss")
    trainer.fit()
    assert len({row["val_loss"] for row in memory.rows}) == 1
    assert trainer.state.best.epoch == 1


@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_is_not_finite_is_never_better(mode: Any) -> None:
    for value in (math.nan, math.inf, -math.inf, None):
        assert not is_better(value, None, mode)
        assert not is_better(value, 0.5, mode)
    assert is_better(0.5, None, mode)
    assert not is_better(0.5, 0.5, mode)


def test_best_weights_are_those_of_the_best_epoch(make_trainer: Any) -> None:
    trainer, _ = make_trainer(LAYERS, optimizer={"name": "sgd", "learning_rate": 2.0}, monitor="val_loss", epochs=8)
    kept: list[bytes] = []

    class Spy(EarlyStopping):
        def epoch_end(self, row: Any, state: TrainState) -> None:
            kept.append(trainer.step.network.store.value.tobytes())

    trainer.callbacks = [Spy(mode="min")]
    trainer.fit()
    best = b"".join(trainer.best[p.name].tobytes() for p in trainer.step.network.store.trainable)
    assert kept.index(best) + 1 == trainer.state.best.epoch


def test_early_stopping_with_undefined_values() -> None:
    stopping, state = EarlyStopping("val_auc", patience=2, mode="max"), TrainState()
    for value in (None, 0.5, None):
        stopping.epoch_end({"val_auc": value}, state)
    assert state.status == "running"
    stopping.epoch_end({"val_auc": 0.5}, state)  # no better than the first
    assert state.status == "early_stopped"
    assert state.stop_reason == "val_auc has not improved for 2 epochs (best: 0.5)"


def test_plateau_multiplies_again_and_again_and_stops_at_the_minimum() -> None:
    plateau = ReduceOnPlateau("train_loss", factor=0.5, patience=1, minimum=0.1, mode="min")
    state, factors = TrainState(learning_rate=0.4), []
    for loss in (1.0, 1.0, 1.0, 1.0):
        plateau.epoch_end({"train_loss": loss}, state)
        state.learning_rate = 0.4 * state.rate_factor
        factors.append(state.rate_factor)
    assert factors == [1.0, 0.5, 0.25, 0.25]


def test_the_first_reason_to_stop_stands() -> None:
    state = TrainState()
    state.stop("early_stopped", "first")
    state.stop("interrupted", "second")
    assert (state.status, state.stop_reason) == ("early_stopped", "first")


@pytest.mark.parametrize("stop_after", range(15))
def test_going_on_from_any_update(make_trainer: Any, stop_after: int) -> None:
    options: dict[str, Any] = {"optimizer": "adam", "dtype": np.float32, "metrics": ("accuracy",)}
    layers = [*LAYERS, {"name": "dropout", "rate": 0.2}]
    whole, expected = make_trainer(layers, **options)
    whole.fit()
    calls = iter(range(100))
    part, seen = make_trainer(layers, **options, interrupted=lambda: "now" if next(calls) == stop_after else None)
    assert part.fit().status == "interrupted"
    arrays, state = seen.saved[-1]
    rest, later = make_trainer(layers, **options)
    rest.load(Snapshot(arrays, state))
    rest.fit()
    assert seen.rows + later.rows == expected.rows
    assert rest.step.network.store.value.tobytes() == whole.step.network.store.value.tobytes()
    assert later.saved[-1][1] == expected.saved[-1][1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "sgd"}, "the optimizer keeps none"),
        ({"layers": [{"name": "dense", "units": 7}, "relu"]}, "the network's parameters are"),
        ({"callbacks": [EarlyStopping("val_loss", mode="min")]}, "the callbacks are early_stopping"),
        ({"batch_size": 20}, "inside an epoch"),
        ({"metrics": ("accuracy",)}, "inside an epoch"),
    ],
)
def test_a_snapshot_of_something_else_is_refused(make_trainer: Any, change: dict[str, Any], message: str) -> None:
    calls = iter(range(100))
    options: dict[str, Any] = {"layers": LAYERS, "optimizer": "adam"}
    part, seen = make_trainer(**options, interrupted=lambda: "now" if next(calls) == 3 else None)
    part.fit()
    arrays, state = seen.saved[-1]
    other, _ = make_trainer(**(options | change))
    before = other.step.network.store.value.tobytes()
    with pytest.raises(ValueError, match=message):
        other.load(Snapshot(arrays, state))
    assert other.step.network.store.value.tobytes() == before
