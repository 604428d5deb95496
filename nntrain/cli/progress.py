"""Progress of a run: a bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from nntrain.cli.output import Output

if TYPE_CHECKING:
    from nntrain.train.callbacks.base import EpochRow

SECONDS_BETWEEN_LINES = 10.0

NARROWEST = 20
"""Columns of the narrowest terminal on which a bar is drawn: on fewer it would run over into the next line."""

_BAR = "{desc}{percentage:3.0f}% |{bar:16}| {elapsed}<{remaining}{postfix}"


class Progress:
    """Watches a run.

    On a terminal a bar redraws in place. Elsewhere (a log file, a pipe) plain lines tell epochs 1, 2, 5, 10, 20, 50,
    ... and one every ten seconds, so that a long run shows that it lives and a log stays short.

    Args:
        output: of the command.
        epochs: of the run.
        updates_per_epoch: of the run.
        done: updates made already, by a run that goes on.
        seen: called with the row of each epoch that ends.
    """

    def __init__(
        self,
        output: Output,
        epochs: int,
        updates_per_epoch: int,
        done: int = 0,
        seen: Callable[[EpochRow], None] | None = None,
    ) -> None:
        self._output, self._epochs, self._seen = output, epochs, seen
        self._bar: Any = None
        self._printed_at = time.monotonic()
        self._last: EpochRow | None = None
        self._told: EpochRow | None = None
        if not output.quiet and can_redraw(sys.stderr):
            from tqdm import tqdm

            total = epochs * updates_per_epoch
            self._bar = tqdm(
                total=total, initial=done, file=sys.stderr, dynamic_ncols=True, leave=False, bar_format=_BAR
            )

    def updated(self) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def epoch_ended(self, row: EpochRow) -> None:
        """Show an epoch's row."""
        if self._seen is not None:
            self._seen(row)
        self._last = row
        if self._bar is not None:
            self._bar.set_description_str(f"epoch {row['epoch']}/{self._epochs}", refresh=False)
            self._bar.set_postfix_str(summary(row), refresh=False)
        elif _is_round(int(row["epoch"] or 0)) or time.monotonic() - self._printed_at > SECONDS_BETWEEN_LINES:
            self._tell(row)

    def close(self) -> None:
        """Take the bar away, and tell of the last epoch."""
        if self._bar is not None:
            self._bar.close()
        if self._last is not None and self._told is not self._last:
            self._tell(self._last)

    def _tell(self, row: EpochRow) -> None:
        self._printed_at, self._told = time.monotonic(), row
        self._output.notice(f"epoch {row['epoch']:>{len(str(self._epochs))}}/{self._epochs}  {summary(row)}")


def can_redraw(stream: TextIO) -> bool:
    """Return whether a stream is a terminal on which a line can be drawn over: no dumb one, and one of some width."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return False
    with suppress(OSError):  # it does not tell its size
        return os.get_terminal_size(stream.fileno()).columns >= NARROWEST
    return False


def summary(row: EpochRow) -> str:
    """Return the losses and validation metrics of a row in one line.

    >>> summary({"epoch": 1, "train_loss": 0.5, "val_loss": 0.25, "train_accuracy": 0.8, "val_accuracy": 0.9})
    'train_loss 0.5000  val_loss 0.2500  val_accuracy 0.9000'
    """
    has_validation = any(name.startswith("val_") for name in row)
    prefix = "val_" if has_validation else "train_"
    shown = {"train_loss": row.get("train_loss")} | {name: row[name] for name in row if name.startswith(prefix)}
    return "  ".join(f"{name} {number(value)}" for name, value in shown.items())


def number(value: float | None) -> str:
    """Return a number as tables and progress show it, four digits, or a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3e}"


def _is_round(epoch: int) -> bool:
    while epoch >= 10 and epoch % 10 == 0:
        epoch //= 10
    return epoch in (1, 2, 5)
