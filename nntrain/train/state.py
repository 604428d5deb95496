"""What a run is at between two updates: everything but arrays, as plain numbers and texts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from nntrain.errors import quote

Status: TypeAlias = Literal["running", "finished", "early_stopped", "interrupted", "diverged", "failed"]


LARGEST_COUNT = 1 << 53
"""Of epochs and updates; a larger one stands in no checkpoint of ours."""


@dataclass(slots=True)
class EpochSums:
    """Sums over the epoch under way; with them an epoch that was cut in two reports what a whole one would."""

    loss: float = 0.0
    weight: float = 0.0
    gradient_norm: float = 0.0
    updates: int = 0


@dataclass(slots=True)
class Best:
    """The best epoch so far by the monitored value; the first wins where two are equal, NaN never does."""

    epoch: int | None = None
    value: float | None = None


@dataclass(slots=True)
class TrainState:
    """Position and memory of a run.

    Attributes:
        epoch: completed epochs.
        update: completed updates of the epoch under way.
        step: completed updates in all.
        sums: of the epoch under way.
        best: the best epoch so far.
        learning_rate: of the last update.
        rate_factor: what callbacks have multiplied the schedule's rate by.
        status: ``running`` until something ends the run.
        stop_reason: what ended it, in words.
    """

    epoch: int = 0
    update: int = 0
    step: int = 0
    sums: EpochSums = field(default_factory=EpochSums)
    best: Best = field(default_factory=Best)
    learning_rate: float = 0.0
    rate_factor: float = 1.0
    status: Status = "running"
    stop_reason: str | None = None

    def stop(self, status: Status, reason: str) -> None:
        """End the run after the update or epoch under way; the first reason stands."""
        if self.status == "running":
            self.status, self.stop_reason = status, reason

    def as_json(self) -> dict[str, Any]:
        """Return the state as it stands in a checkpoint."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> TrainState:
        """Return the state a checkpoint holds.

        Raises:
            KeyError, TypeError, ValueError: it is not of the form of :meth:`as_json`.

        >>> state = TrainState(epoch=3, best=Best(2, 0.5))
        >>> TrainState.from_json(state.as_json()) == state
        True
        """
        state = cls(**{**plain, "sums": EpochSums(**plain["sums"]), "best": Best(**plain["best"])})
        for count in (state.epoch, state.update, state.step, state.sums.updates, state.best.epoch or 0):
            if type(count) is not int or not 0 <= count <= LARGEST_COUNT:
                raise ValueError(f"{quote(count)} is no count")
        sums = state.sums
        for number in (sums.loss, sums.weight, sums.gradient_norm, state.learning_rate, state.rate_factor):
            if not isinstance(number, float):
                raise ValueError(f"{quote(number)} is no number of the state")
        return state
