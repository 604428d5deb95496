"""``nntrain reproduce``: train a run again from its first update, and tell where the numbers part, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nntrain.cli.configs import run_config
from nntrain.cli.output import Output
from nntrain.cli.rerunning import (
    COMPARED,
    Countdown,
    Row,
    compared,
    comparison_table,
    cut_short,
    differing_columns,
    first_difference,
    train_anew,
    was_interrupted,
)
from nntrain.cli.resuming import assemble_again, lost_data
from nntrain.errors import ResourceError, RunError
from nntrain.evaluating import refuse_parent
from nntrain.experiment import Experiment
from nntrain.fitting import Outcome
from nntrain.plugins import changed_plugins
from nntrain.runs import plain_json
from nntrain.runs.environment import changed_since, describe_environment
from nntrain.runs.run import Run

Change = tuple[str, str, str]


class Follower(Countdown):
    """Ends a training where its rows are no longer those of a run, which no later epoch can change.

    Args:
        rows: of the run's ``metrics.jsonl``.
        most: updates to make; None for all.

    Attributes:
        parted: the rows of the first epoch that differs, the run's and the new one, or None.
    """

    def __init__(self, rows: Sequence[Row], most: int | None) -> None:
        super().__init__(most)
        self.rows, self.seen = rows, 0
        self.parted: tuple[Row, Row] | None = None

    def __call__(self) -> str | None:
        return super().__call__() if self.parted is None else "the rows differ"

    def see(self, row: Mapping[str, Any]) -> None:
        """Compare the row of an epoch that has ended."""
        now = plain_json.parse(plain_json.line(row))
        self.parted = self.parted or first_difference(self.rows[self.seen : self.seen + 1], [now])
        self.seen += 1


def reproduce(output: Output, run: Run) -> int:
    """Train a run again and compare; return the exit code, 4 where the bits differ."""
    refuse_parent(run)
    if run.status == "running":
        raise ResourceError("the run is still training", path=str(run.path), help="reproduce it when it has ended")
    state, ended = run.checkpoints.look(), run.info["status"] in ("finished", "early_stopped", "diverged")
    if state is None and not ended:
        raise RunError("the run has no checkpoint, so there is nothing to reproduce", path=str(run.path))
    experiment = assemble_again(run_config(run), run, checks_data=False)
    rows = run.read_metrics()
    if state is not None and not ended:
        rows = rows[: state["epoch"]]
    follower = Follower(rows, None if ended or state is None else state["train"]["step"])
    with tempfile.TemporaryDirectory(prefix="nntrain-reproduce-") as folder:
        again = Path(folder) / "again"
        outcome = train_anew(output, experiment, again, follower, run.info.get("fold"), follower.see)
        if was_interrupted():
            return cut_short(output, "nothing was reproduced")
        files = compared(run.path, again, _comparable(run))
    changes = _changes(experiment, run, outcome.run)
    return _tell(output, run, follower, outcome, files, changes)


def _comparable(run: Run) -> Sequence[str]:
    """Return the files to compare: rows that a killed run has written after its last checkpoint are none."""
    return COMPARED[2:] if run.info["status"] == "running" else COMPARED


def _changes(experiment: Experiment, run: Run, again: Run) -> list[Change]:
    """Return what has changed since the run: data, versions, kernel, and its config while it trained."""
    found = [
        (f"data {path}", f"SHA-256 {sha256[:16]}", "gone or changed") for path, sha256 in lost_data(experiment, run)
    ]
    for plugin, before in changed_plugins(run.info.get("plugins") or [], str(run.path)):
        found.append((f"plug-in {plugin.source.path}", f"SHA-256 {before[:16]}", plugin.source.sha256[:16]))
    found += changed_since(run.info, {**describe_environment(), "blas": again.info["blas"]})
    for epoch in run.info.get("config_changed_after", []):
        found.append(("config", f"another one up to epoch {epoch}", "config.yaml from the start"))
    return found


def _tell(
    output: Output,
    run: Run,
    follower: Follower,
    outcome: Outcome,
    files: dict[str, dict[str, Any]],
    changes: Sequence[Change],
) -> int:
    identical = follower.parted is None and all(file["identical"] for file in files.values())
    difference = None if follower.parted is None else _difference(follower)
    lines = [f"{run.path}: {run.status}, {len(follower.rows):,} epochs", *_changed_lines(changes), ""]
    lines += [] if difference else [comparison_table(files), ""]
    lines.append(_verdict(identical, difference, changes, outcome.state.step))
    document = {
        "run": str(run.path),
        "identical": identical,
        "updates": outcome.state.step,
        "first_difference": difference,
        "changed": [{"what": what, "then": then, "now": now} for what, then, now in changes],
        "files": {} if difference else files,
    }
    output.result("\n".join(lines), document)
    return 0 if identical else 4


def _difference(follower: Follower) -> dict[str, Any]:
    """Return the first epoch that differs, its updates, and the values of the columns that do."""
    assert follower.parted is not None, "the rows are equal"
    then, now = follower.parted
    number = follower.rows.index(then) if then else len(follower.rows)
    before = follower.rows[number - 1]["step"] if number else 0
    columns = {name: [then.get(name), now.get(name)] for name in differing_columns(then, now)}
    last = max(row.get("step", 0) for row in (then, now))
    return {"epoch": number + 1, "first_step": before + 1, "last_step": last, "columns": columns}


def _changed_lines(changes: Sequence[Change]) -> list[str]:
    if not changes:
        return ["changed since then: nothing that is recorded (data, config, versions, processor, BLAS kernel)"]
    return ["changed since then:", *(f"  {what}: {then} then, {now} now" for what, then, now in changes)]


def _verdict(identical: bool, difference: dict[str, Any] | None, changes: Sequence[Change], updates: int) -> str:
    if identical:
        return f"reproduced: all {updates:,} updates give the same bits"
    if difference is None:
        return "not reproduced: the rows agree, what the checkpoints hold does not"
    steps = f"updates {difference['first_step']:,} to {difference['last_step']:,}"
    shown = [f"{name} {then} then, {now} now" for name, (then, now) in list(difference["columns"].items())[:3]]
    why = "" if changes else "\nnothing that is recorded explains it: please report it as a bug of nntrain"
    return f"not reproduced: epoch {difference['epoch']:,} ({steps}) is the first to differ: {'; '.join(shown)}{why}"
