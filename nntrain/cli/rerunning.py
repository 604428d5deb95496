"""Training again what was trained before, and comparing what is left byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeAlias

from nntrain.cli.fitting import new_run, train_watched
from nntrain.cli.output import Output
from nntrain.cli.signals import INTERRUPTION
from nntrain.experiment import Experiment
from nntrain.fitting import Outcome
from nntrain.runs.files import is_there, read_file
from nntrain.runs.store import LARGEST_CHECKPOINT
from nntrain.train.callbacks.base import EpochRow

Row: TypeAlias = Mapping[str, Any]

COMPARED = ("metrics.jsonl", "gradients.jsonl", "checkpoints/best.safetensors", "checkpoints/last.safetensors")
"""Files of a run directory that hold nothing of the clock."""


class Countdown:
    """Asks a training to end after a number of updates, or at once when a signal has come.

    Args:
        most: updates to make; None for all.

    Attributes:
        updates: made so far.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most, self.updates = most, 0

    def __call__(self) -> str | None:
        if INTERRUPTION.reason() is not None:
            return INTERRUPTION.reason()
        if self.updates == self.most:
            return f"after {self.most} updates"
        self.updates += 1
        return None


def train_anew(
    output: Output,
    experiment: Experiment,
    folder: Path,
    interrupted: Callable[[], str | None],
    fold: int | None = None,
    seen: Callable[[EpochRow], None] | None = None,
) -> Outcome:
    """Train from the first update in a new run directory; return how it ended, be it with an error."""
    with new_run(experiment, "", str(folder), fold=fold) as run:
        return train_watched(output, experiment, run, interrupted, seen)


def was_interrupted() -> bool:
    """Return whether a signal has ended the training, in place of the countdown."""
    return INTERRUPTION.number is not None


def cut_short(output: Output, what: str) -> int:
    """Tell that a signal came before there was a result; return the exit code."""
    output.notice(f"interrupted: {what}")
    return 128 + (INTERRUPTION.number or 2)


def compared(whole: Path, other: Path, names: Sequence[str] = COMPARED) -> dict[str, dict[str, Any]]:
    """Return, for each file that either of two runs has, whether both are ``identical``, and the first's ``sha256``."""
    found = {}
    for name in names:
        paths = (whole / name, other / name)
        contents = [read_file(path, LARGEST_CHECKPOINT) if is_there(path) else None for path in paths]
        if contents != [None, None]:
            digest = "-" if contents[0] is None else hashlib.sha256(contents[0]).hexdigest()[:16]
            found[name] = {"identical": contents[0] == contents[1], "sha256": digest}
    return found


def comparison_table(files: dict[str, dict[str, Any]]) -> str:
    """Return a comparison of files for people."""
    from nntrain.cli.tables import table

    rows = [[name, "identical" if file["identical"] else "DIFFERS", file["sha256"]] for name, file in files.items()]
    return table(["file", "", "sha256"], rows)


def first_difference(then: Sequence[Row], now: Sequence[Row]) -> tuple[Row, Row] | None:
    """Return the first rows of ``metrics.jsonl`` that are not equal, an empty one where a run has no such epoch.

    >>> first_difference([{"epoch": 1}, {"epoch": 2}], [{"epoch": 1}])
    ({'epoch': 2}, {})
    >>> first_difference([{"epoch": 1}], [{"epoch": 1}]) is None
    True
    """
    nothing: Row = {}
    pairs = zip_longest(then, now, fillvalue=nothing)
    return next(((one, other) for one, other in pairs if one != other), None)


def differing_columns(one: Row, other: Row) -> list[str]:
    """Return the columns in which two rows differ."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
