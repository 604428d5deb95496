"""``nntrain verify-resume``: train once through and once in pieces, and compare what is left byte by byte."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nntrain.cli.configs import user_config
from nntrain.cli.fitting import new_run, train_watched
from nntrain.cli.output import Output
from nntrain.cli.resuming import assemble_again, go_on
from nntrain.cli.signals import INTERRUPTION
from nntrain.config.schema import Config
from nntrain.experiment import assemble
from nntrain.fitting import Outcome
from nntrain.runs.run import Run

COMPARED = ("metrics.jsonl", "gradients.jsonl", "checkpoints/best.safetensors", "checkpoints/last.safetensors")
"""Files of a run directory that hold nothing of the clock."""


class Countdown:
    """Asks a training to end after a number of updates, or at once when a signal has come.

    Attributes:
        updates: made so far.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most, self.updates = most, 0

    def __call__(self) -> str | None:
        if INTERRUPTION.reason() is not None:
            return INTERRUPTION.reason()
        if self.updates == self.most:
            return "verify-resume"
        self.updates += 1
        return None


def places_to_stop(updates: int, per_epoch: int, count: int) -> list[int]:
    """Return updates after which to stop: so many, spread over the training, every other one at an epoch's end.

    >>> places_to_stop(100, 10, 4)
    [20, 41, 60, 81]
    >>> places_to_stop(3, 1, 10)
    [1, 2]
    """
    places = set()
    for number in range(1, count + 1):
        place = round(number * updates / (count + 1))
        at_end = max(1, place // per_epoch) * per_epoch
        places.add(at_end if number % 2 else at_end + max(1, per_epoch // 10) * (per_epoch > 1))
    return sorted(place for place in places if 0 < place < updates)


def verify(
    output: Output, path: str, overrides: Sequence[str], plugins: Sequence[str], pieces: int, quiet: bool
) -> int:
    """Compare a training without a stop to one with many; return the exit code, 4 where they differ."""
    output.quiet = quiet
    config = user_config(output, path, overrides, plugins)
    with tempfile.TemporaryDirectory(prefix="nntrain-verify-") as folder:
        return _verify(output, config, Path(folder), pieces)


def _verify(output: Output, config: Config, folder: Path, pieces: int) -> int:
    fold = 0 if config.data.folds else None
    whole = Countdown()
    output.notice("without a stop:")
    outcome, per_epoch = _begin(output, config, fold, folder / "whole", whole)
    if _was_interrupted():
        return _cut_short(output)
    stops = places_to_stop(whole.updates, per_epoch, pieces - 1)
    reached = 0
    for number, stop in enumerate([*stops, None]):
        countdown = Countdown(None if stop is None else stop - reached)
        if number == 0:
            output.notice(f"in {len(stops) + 1} pieces:")
            _begin(output, config, fold, folder / "pieces", countdown)
        else:
            _go_on(output, config, folder / "pieces", countdown)
        if _was_interrupted():
            return _cut_short(output)
        reached = stop or whole.updates
    return _tell(output, folder, outcome, whole.updates, per_epoch, stops)


def _begin(
    output: Output, config: Config, fold: int | None, folder: Path, interrupted: Callable[[], str | None]
) -> tuple[Outcome, int]:
    """Train in a new run directory; return how it ended, and how many updates an epoch has."""
    experiment = assemble(config, fold)
    with new_run(experiment, "", str(folder), fold=fold) as run:
        outcome = train_watched(output, experiment, run, interrupted)
    if outcome.error is not None:
        raise outcome.error
    return outcome, max(1, outcome.state.step // max(1, outcome.state.epoch))


def _go_on(output: Output, config: Config, folder: Path, interrupted: Callable[[], str | None]) -> None:
    run = Run.open(folder)
    experiment = assemble_again(config, run)
    with run.locked():
        outcome = go_on(output, experiment, run, interrupted)
    if outcome.error is not None:
        raise outcome.error


def _was_interrupted() -> bool:
    return INTERRUPTION.number is not None


def _cut_short(output: Output) -> int:
    output.notice("interrupted: nothing was verified")
    return 128 + (INTERRUPTION.number or 2)


def _tell(output: Output, folder: Path, outcome: Outcome, updates: int, per_epoch: int, stops: Sequence[int]) -> int:
    from nntrain.cli.tables import table

    rows: list[list[str]] = []
    files: dict[str, Any] = {}
    for name in COMPARED:
        whole, pieces = folder / "whole" / name, folder / "pieces" / name
        if whole.exists() or pieces.exists():
            same = whole.exists() and pieces.exists() and whole.read_bytes() == pieces.read_bytes()
            digest = hashlib.sha256(whole.read_bytes()).hexdigest()[:16] if whole.exists() else "-"
            files[name] = {"identical": same, "sha256": digest}
            rows.append([name, "identical" if same else "DIFFERS", digest])
    identical = all(entry["identical"] for entry in files.values())
    inside = sum(stop % per_epoch != 0 for stop in stops)
    first = None if identical else _first_difference(folder)
    epochs, places = outcome.state.epoch, ", ".join(map(str, stops)) or "none"
    lines = [
        f"without a stop: {updates:,} updates, {epochs:,} epochs",
        f"stopped and resumed: after updates {places} ({inside} of {len(stops)} within an epoch)",
        "",
        table(["file", "", "sha256"], rows),
        "",
        "resumed runs have the same bytes" if identical else f"resumed runs differ{first}",
    ]
    document = {"identical": identical, "updates": updates, "stops": list(stops), "files": files}
    output.result("\n".join(lines), document)
    return 0 if identical else 4


def _first_difference(folder: Path) -> str:
    """Return where the metrics of the two runs part, as the end of a sentence."""
    whole, pieces = (Run.open(folder / name).read_metrics() for name in ("whole", "pieces"))
    for one, other in zip(whole, pieces, strict=False):
        if one != other:
            columns = [key for key in one if one[key] != other.get(key)]
            return f" from epoch {one.get('epoch')} on: {', '.join(columns)}"
    if len(whole) != len(pieces):
        return f" in the number of epochs: {len(whole)} and {len(pieces)}"
    return " in the state that is kept, not in the metrics"
