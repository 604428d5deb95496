"""Stopping when nothing improves any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge

from nntrain.train.callbacks.base import CALLBACKS, Callback, EpochRow
from nntrain.train.monitor import Mode, is_better
from nntrain.train.state import TrainState


class Patience(Callback):
    """Counts the epochs since a monitored value last improved."""

    def __init__(self, monitor: str | None, patience: int, min_delta: float, mode: Mode) -> None:
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.best: float | None = None
        self.waited = 0

    def monitored(self) -> str | None:
        return self.monitor

    def runs_out(self, row: EpochRow) -> bool:
        """Take a row; return whether ``patience`` epochs have passed without an improvement."""
        value = row.get(self.monitor or "val_loss")
        if is_better(value, self.best, self.mode, self.min_delta):
            self.best, self.waited = value, 0
            return False
        self.waited += 1
        return self.waited >= self.patience

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load(self, plain: Mapping[str, Any]) -> None:
        self.best, self.waited = plain["best"], plain["waited"]


@CALLBACKS.register("early_stopping")
class EarlyStopping(Patience):
    """Ends the run when a monitored value has not improved for ``patience`` epochs (Prechelt 1998).

    The best epoch's weights are in ``checkpoints/best.safetensors`` whether or not a run stops early.

    Args:
        monitor: column of ``metrics.jsonl``; ``val_loss`` where left out, ``train_loss`` where nothing is validated.
        patience: epochs without improvement that end the run.
        min_delta: an improvement is a change by more than this.
        mode: ``min`` or ``max``; ``auto`` is the direction of the loss or metric.

    >>> stopping = EarlyStopping("val_loss", patience=2, mode="min")
    >>> state = TrainState()
    >>> for loss in (1.0, 0.5, 0.6, 0.7):
    ...     stopping.epoch_end({"val_loss": loss}, state)
    >>> state.status, state.stop_reason
    ('early_stopped', 'val_loss has not improved for 2 epochs (best: 0.5)')
    """

    def __init__(
        self,
        monitor: str | None = None,
        patience: Annotated[int, Ge(1)] = 10,
        min_delta: Annotated[float, Ge(0)] = 0.0,
        mode: Mode = "auto",
    ) -> None:
        super().__init__(monitor, patience, min_delta, mode)

    def epoch_end(self, row: EpochRow, state: TrainState) -> None:
        if self.runs_out(row):
            best = "none yet" if self.best is None else f"{self.best:.6g}"
            epochs = "epoch" if self.patience == 1 else "epochs"
            reason = f"{self.monitor} has not improved for {self.patience} {epochs} (best: {best})"
            state.stop("early_stopped", reason)
