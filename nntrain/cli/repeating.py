"""``fit --seeds N`` and ``data.folds``: several complete runs under one parent, and their spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nntrain.cli.fitting import new_run, tell_plan, train_watched
from nntrain.cli.output import Output
from nntrain.cli.progress import number
from nntrain.cli.signals import INTERRUPTION
from nntrain.cli.tables import table
from nntrain.config.schema import Config
from nntrain.fitting import Outcome
from nntrain.repeats import held_out_columns, kind_of, members, summarize
from nntrain.runs.run import Run


def fit_many(output: Output, config: Config, options: dict[str, Any]) -> int:
    """Train every member in a run directory of its own; write and show mean and spread."""
    parent: Run | None = None
    outcomes: list[Outcome] = []
    held_out: list[dict[str, Any]] = []
    for member in members(config, options["seeds"]):
        experiment = member.experiment
        if parent is None:
            tell_plan(output, experiment)
            if options["dry_run"]:
                output.result("dry run: everything is ready, nothing was trained", {"dry_run": True})
                return 0
            parent = new_run(experiment, options["runs_dir"], options["run_dir"])
        output.notice(f"{member.name}:")
        folder = parent.path / kind_of(options["seeds"])
        folder.mkdir(exist_ok=True)
        run = new_run(experiment, str(folder), str(folder / member.name), member.name)
        with run:
            outcome = train_watched(output, experiment, run)
        outcomes.append(outcome)
        if outcome.error is not None or outcome.state.status == "interrupted":
            return _cut_short(output, parent, outcomes)
        if not options["seeds"]:
            held_out.append(held_out_columns(experiment, outcome.run))
    assert parent is not None
    return _finish(output, parent, outcomes, held_out)


def _finish(output: Output, parent: Run, outcomes: list[Outcome], held_out: list[dict[str, Any]]) -> int:
    spread = summarize([outcome.best for outcome in outcomes])
    names = [outcome.run.path.name for outcome in outcomes]
    parent.update(status="finished", stop_reason=f"all {len(outcomes)} runs are done", members=names, summary=spread)
    parent.write_json("summary.json", {"members": names, "summary": spread})
    if held_out:
        parent.write_csv("out_of_fold.csv", _stacked(held_out))
    parent.close()
    output.result(_text(spread, len(outcomes), parent.path), {"run": str(parent.path), "summary": spread})
    return 0


def _cut_short(output: Output, parent: Run, outcomes: list[Outcome]) -> int:
    last = outcomes[-1]
    parent.update(status=last.state.status, stop_reason=f"{last.run.path.name}: {last.state.stop_reason}")
    parent.close()
    if last.error is not None:
        raise last.error
    output.notice(f"interrupted in {last.run.path}; the runs before it are complete")
    return 128 + (INTERRUPTION.number or 2)


def _stacked(parts: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the rows of all folds in the order of the file."""
    stacked: dict[str, list[Any]] = {name: [value for part in parts for value in part[name]] for name in parts[0]}
    order = sorted(range(len(stacked["row"])), key=stacked["row"].__getitem__)
    return {name: [values[i] for i in order] for name, values in stacked.items()}


def _text(spread: dict[str, dict[str, Any]], count: int, path: Path) -> str:
    rows = [
        [name, number(value["mean"]), number(value["deviation"]), number(value["min"]), number(value["max"])]
        for name, value in spread.items()
    ]
    header = ["best epoch's", "mean", "deviation", "min", "max"]
    return f"{table(header, rows, numeric=[1, 2, 3, 4])}\n{count} runs: {path}"
