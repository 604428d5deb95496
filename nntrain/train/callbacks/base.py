"""The callback: looks at each epoch's row, remembers what it needs, and may end the run or change the rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from nntrain.registry import Registered, Registry
from nntrain.train.state import TrainState

EpochRow: TypeAlias = Mapping[str, float | int | None]
"""One row of ``metrics.jsonl``."""


class Callback:
    """Base of all callbacks.

    A callback reads the epoch's row and writes to the run's state; it never calls another callback, and it stops a run
    by :meth:`TrainState.stop`, never by an exception. What it remembers travels in the checkpoint.
    """

    def epoch_end(self, row: EpochRow, state: TrainState) -> None:
        """Take note of a completed epoch."""

    def monitored(self) -> str | None:
        """Return the column of ``metrics.jsonl`` that the callback reads, or None."""
        return None

    def state(self) -> dict[str, Any]:
        """Return what the callback remembers, as plain values."""
        return {}

    def load(self, plain: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""


CALLBACKS: Registry[Callback] = Registry("callback", Callback, "nntrain.train.callbacks")

CallbackLike: TypeAlias = Annotated[str | dict[str, Any] | Callback, Registered("callback")]
