"""A run between two updates, whole: what a checkpoint holds, and how training goes on from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nntrain.core.array import Array
from nntrain.train.state import TrainState

if TYPE_CHECKING:
    from nntrain.train.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Arrays by name and plain state.

    Arrays: ``weights.<parameter>``, ``optimizer.<slot>`` (flat, over all parameters), ``best.<parameter>`` (the best
    epoch's weights, where there is one) and ``epoch.outputs`` (inside an epoch: what the metrics of the epoch still
    need).
    """

    arrays: dict[str, Array] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


def take(trainer: Trainer) -> Snapshot:
    """Return a snapshot of a trainer; the arrays are views, to be written before training goes on."""
    state = trainer.state
    arrays = _prefixed("weights", trainer.step.network.state())
    arrays |= _prefixed("optimizer", trainer.step.optimizer.state)
    arrays |= _prefixed("best", trainer.best)
    if state.update and trainer.outputs is not None:
        _, done = trainer.loader.bounds(min(state.update * trainer.accumulate, trainer.loader.batch_count) - 1)
        arrays["epoch.outputs"] = trainer.outputs[:done]
    plain = state.as_json()
    if state.status in ("interrupted", "diverged"):
        # An interruption leaves no trace: the run that goes on shall equal the one that was never interrupted.
        plain |= {"status": "running", "stop_reason": None}
    return Snapshot(arrays, {"train": plain, "callbacks": [callback.state() for callback in trainer.callbacks]})


def restore(trainer: Trainer, snapshot: Snapshot) -> None:
    """Put a trainer where a snapshot was taken."""
    trainer.step.network.load_state(_under("weights", snapshot.arrays))
    for slot, values in trainer.step.optimizer.state.items():
        values[...] = snapshot.arrays[f"optimizer.{slot}"]
    trainer.best = {name: np.array(value) for name, value in _under("best", snapshot.arrays).items()}
    trainer.state = TrainState.from_json(snapshot.state["train"])
    if "epoch.outputs" in snapshot.arrays and trainer.outputs is not None:
        kept = snapshot.arrays["epoch.outputs"]
        trainer.outputs[: len(kept)] = kept
    for callback, plain in zip(trainer.callbacks, snapshot.state["callbacks"], strict=True):
        callback.load(plain)
    if trainer.state.status == "finished" and trainer.state.epoch < trainer.epochs:
        trainer.state.status, trainer.state.stop_reason = "running", None


def _prefixed(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    return {f"{prefix}.{name}": value for name, value in arrays.items()}


def _under(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    start = len(prefix) + 1
    return {name[start:]: value for name, value in arrays.items() if name.startswith(f"{prefix}.")}
