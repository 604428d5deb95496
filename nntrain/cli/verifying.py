"""``nntrain verify-resume``: train once through and once in pieces, and compare what is left byte by byte."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from nntrain.cli.configs import user_config
from nntrain.cli.output import Output
from nntrain.cli.rerunning import (
    Countdown,
    compared,
    comparison_table,
    cut_short,
    differing_columns,
    first_difference,
    train_anew,
    was_interrupted,
)
from nntrain.cli.resuming import assemble_again, go_on
from nntrain.config.schema import Config
from nntrain.experiment import assemble
from nntrain.fitting import Outcome
from nntrain.runs.run import Run


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
    if was_interrupted():
        return cut_short(output, "nothing was verified")
    stops = places_to_stop(whole.updates, per_epoch, pieces - 1)
    reached = 0
    for number, stop in enumerate([*stops, None]):
        countdown = Countdown(None if stop is None else stop - reached)
        if number == 0:
            output.notice(f"in {len(stops) + 1} pieces:")
            _begin(output, config, fold, folder / "pieces", countdown)
        else:
            _go_on(output, config, folder / "pieces", countdown)
        if was_interrupted():
            return cut_short(output, "nothing was verified")
        reached = stop or whole.updates
    return _tell(output, folder, outcome, whole.updates, per_epoch, stops)


def _begin(
    output: Output, config: Config, fold: int | None, folder: Path, interrupted: Callable[[], str | None]
) -> tuple[Outcome, int]:
    """Train in a new run directory; return how it ended, and how many updates an epoch has."""
    outcome = train_anew(output, assemble(config, fold), folder, interrupted, fold)
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


def _tell(output: Output, folder: Path, outcome: Outcome, updates: int, per_epoch: int, stops: Sequence[int]) -> int:
    files = compared(folder / "whole", folder / "pieces")
    identical = all(entry["identical"] for entry in files.values())
    inside = sum(stop % per_epoch != 0 for stop in stops)
    first = None if identical else _first_difference(folder)
    epochs, places = outcome.state.epoch, ", ".join(map(str, stops)) or "none"
    lines = [
        f"without a stop: {updates:,} updates, {epochs:,} epochs",
        f"stopped and resumed: after updates {places} ({inside} of {len(stops)} within an epoch)",
        "",
        comparison_table(files),
        "",
        "resumed runs have the same bytes" if identical else f"resumed runs differ{first}",
    ]
    document = {"identical": identical, "updates": updates, "stops": list(stops), "files": files}
    output.result("\n".join(lines), document)
    return 0 if identical else 4


def _first_difference(folder: Path) -> str:
    """Return where the metrics of the two runs part, as the end of a sentence."""
    whole, pieces = (Run.open(folder / name).read_metrics() for name in ("whole", "pieces"))
    if len(whole) != len(pieces):
        return f" in the number of epochs: {len(whole)} and {len(pieces)}"
    different = first_difference(whole, pieces)
    if different is None:
        return " in the state that is kept, not in the metrics"
    return f" from epoch {different[0].get('epoch')} on: {', '.join(differing_columns(*different))}"
