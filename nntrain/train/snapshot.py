"""A run between two updates, whole: what a checkpoint holds, and how training goes on from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.errors import enumerate_names
from nntrain.train.callbacks.base import CALLBACKS, remembered
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
    arrays = prefixed("weights", trainer.step.network.state())
    arrays |= prefixed("optimizer", trainer.step.optimizer.state)
    arrays |= prefixed("best", trainer.best)
    done = _rows_done(trainer, state)
    if done is not None and trainer.outputs is not None:
        arrays["epoch.outputs"] = trainer.outputs[:done]
    plain = state.as_json()
    if state.status in ("interrupted", "diverged"):
        # An interruption leaves no trace: the run that goes on shall equal the one that was never interrupted.
        plain |= {"status": "running", "stop_reason": None}
    return Snapshot(arrays, {"train": plain, "callbacks": [remembered(callback) for callback in trainer.callbacks]})


def restore(trainer: Trainer, snapshot: Snapshot) -> None:
    """Put a trainer where a snapshot was taken.

    Raises:
        ValueError: the snapshot is of another network, optimizer or other callbacks; the message says which.
    """
    weights, slots = under("weights", snapshot.arrays), under("optimizer", snapshot.arrays)
    best, kept = under("best", snapshot.arrays), snapshot.arrays.get("epoch.outputs")
    state = TrainState.from_json(snapshot.state["train"])
    _check_fit(trainer, snapshot, state)
    trainer.step.network.load_state(weights)
    for slot, values in trainer.step.optimizer.state.items():
        values[...] = slots[slot]
    trainer.best = {name: np.array(value) for name, value in best.items()}
    trainer.state = state
    if kept is not None and trainer.outputs is not None:
        trainer.outputs[: len(kept)] = kept
    for callback, plain in zip(trainer.callbacks, snapshot.state["callbacks"], strict=True):
        callback.load({name: value for name, value in plain.items() if name != "name"})
    if state.status == "finished" and state.epoch < trainer.epochs:
        state.status, state.stop_reason = "running", None


def _check_fit(trainer: Trainer, snapshot: Snapshot, state: TrainState) -> None:
    """Refuse a snapshot that was taken of something else, before anything is changed."""
    network, optimizer = trainer.step.network, trainer.step.optimizer
    _compare("the network's parameters are", under("weights", snapshot.arrays), network.state())
    _compare("the optimizer keeps", under("optimizer", snapshot.arrays), optimizer.state)
    if state.best.epoch is not None:
        _compare("the best epoch's parameters are", under("best", snapshot.arrays), network.state())
    then = [plain["name"] for plain in snapshot.state["callbacks"]]
    now = [CALLBACKS.name_of(callback) for callback in trainer.callbacks]
    if then != now:
        raise ValueError(f"the callbacks are {_listed(now)}, in the checkpoint {_listed(then)}")
    beyond = state.update > trainer.updates_per_epoch
    if beyond or _rows_done(trainer, state) != _rows_kept(snapshot):
        raise ValueError("it was saved inside an epoch, of other batches or with other metrics")


def _compare(what: str, then: Mapping[str, Array], now: Mapping[str, Array]) -> None:
    shapes = [{name: tuple(array.shape) for name, array in arrays.items()} for arrays in (then, now)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{what} {_described(shapes[1], shapes[0])}, in the checkpoint {_described(*shapes)}")


def _described(shapes: Mapping[str, Shape], others: Mapping[str, Shape]) -> str:
    """Return those of some arrays that are not the same among others."""
    return _listed([f"{name} {shape}" for name, shape in shapes.items() if others.get(name) != shape])


def _listed(names: Sequence[str]) -> str:
    return enumerate_names(names, 5) if names else "none"


def _rows_done(trainer: Trainer, state: TrainState) -> int | None:
    """Return how many rows of the epoch under way are done, None where their outputs are not kept."""
    if not state.update or trainer.outputs is None:
        return None
    return trainer.loader.bounds(min(state.update * trainer.accumulate, trainer.loader.batch_count) - 1)[1]


def _rows_kept(snapshot: Snapshot) -> int | None:
    kept = snapshot.arrays.get("epoch.outputs")
    return None if kept is None else len(kept)


def prefixed(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return arrays under names with a prefix: ``weights.dense_1.kernel``."""
    return {f"{prefix}.{name}": value for name, value in arrays.items()}


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return those arrays whose names have a prefix, under their names without it."""
    start = len(prefix) + 1
    return {name[start:]: value for name, value in arrays.items() if name.startswith(f"{prefix}.")}
