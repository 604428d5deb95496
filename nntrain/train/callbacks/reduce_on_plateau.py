"""A lower learning rate when nothing improves any more."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Lt

from nntrain.train.callbacks.base import CALLBACKS, EpochRow
from nntrain.train.callbacks.early_stopping import Patience
from nntrain.train.monitor import Mode
from nntrain.train.state import TrainState


@CALLBACKS.register("reduce_on_plateau")
class ReduceOnPlateau(Patience):
    """Multiplies the learning rate by ``factor`` when a monitored value has not improved for ``patience`` epochs.

    The factor applies on top of the optimizer's own schedule; the rate never falls below ``minimum``.

    Args:
        monitor: column of ``metrics.jsonl``; ``val_loss`` where left out, ``train_loss`` where nothing is validated.
        factor: what the rate is multiplied by.
        patience: epochs without improvement before that happens.
        min_delta: an improvement is a change by more than this.
        minimum: the learning rate is not reduced below this.
        mode: ``min`` or ``max``; ``auto`` is the direction of the loss or metric.

    >>> plateau = ReduceOnPlateau("val_loss", factor=0.1, patience=1, mode="min")
    >>> state = TrainState(learning_rate=0.5)
    >>> for loss in (1.0, 1.0):
    ...     plateau.epoch_end({"val_loss": loss}, state)
    >>> state.rate_factor
    0.1
    """

    def __init__(
        self,
        monitor: str | None = None,
        factor: Annotated[float, Gt(0), Lt(1)] = 0.1,
        patience: Annotated[int, Ge(1)] = 10,
        min_delta: Annotated[float, Ge(0)] = 0.0,
        minimum: Annotated[float, Ge(0)] = 0.0,
        mode: Mode = "auto",
    ) -> None:
        super().__init__(monitor, patience, min_delta, mode)
        self.factor = factor
        self.minimum = minimum

    def epoch_end(self, row: EpochRow, state: TrainState) -> None:
        if not self.runs_out(row):
            return
        self.waited = 0
        if state.learning_rate * self.factor >= self.minimum:
            state.rate_factor *= self.factor
