"""``fit --seeds N`` and ``data.folds``: several complete runs under one parent, and their spread."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from nntrain.cli.fitting import new_run, offer_to_go_on, tell_dry_run, tell_interrupted, tell_plan, train_watched
from nntrain.cli.output import Output
from nntrain.cli.resuming import check_data, go_on, is_complete, tell_complete
from nntrain.cli.signals import INTERRUPTION
from nntrain.cli.tables import spread_table
from nntrain.config.schema import Config
from nntrain.errors import RunError
from nntrain.fitting import Outcome, note_config, outcome_of
from nntrain.repeats import Member, held_out_columns, kind_of, members, summarize
from nntrain.runs.files import is_there, real_folder
from nntrain.runs.parent import FOLDS
from nntrain.runs.run import Run, is_run


def fit_many(output: Output, config: Config, options: dict[str, Any]) -> int:
    """Train every member in a run directory of its own; write and show mean and spread."""
    seeds = options["seeds"]
    rest = members(config, seeds)
    first = next(rest)
    tell_plan(output, first.experiment)
    if options["dry_run"]:
        output.result("dry run: everything is ready, nothing was trained", {"dry_run": True})
        return 0
    repeats = {"kind": kind_of(seeds), "seeds": seeds}
    with (
        INTERRUPTION.deferred(),
        new_run(first.experiment, options["runs_dir"], options["run_dir"], repeats=repeats) as parent,
    ):
        return _train_all(output, parent, chain([first], rest))


def resume_many(output: Output, config: Config, parent: Run, options: dict[str, Any]) -> int:
    """Go on with the members of a parent: those that are complete stay, the others are resumed or begun."""
    if is_complete(parent, config):
        return tell_complete(output, parent, config)
    if options["dry_run"]:
        return tell_dry_run(output)
    with INTERRUPTION.deferred(), parent.locked():
        return _train_all(output, parent, members(config, parent.info["repeats"]["seeds"]))


def _train_all(output: Output, parent: Run, todo: Iterable[Member]) -> int:
    offer_to_go_on(parent.path)
    folder = real_folder(parent.path / parent.info["repeats"]["kind"])
    outcomes: list[Outcome] = []
    held_out: list[dict[str, Any]] = []
    for member in todo:
        check_data(member.experiment, parent)
        if not outcomes:
            note_config(parent, member.experiment)
        output.notice(f"{member.name}:")
        outcome = _train_member(output, folder, member)
        outcomes.append(outcome)
        if outcome.error is not None or outcome.state.status == "interrupted":
            return _cut_short(output, parent, outcome)
        if folder.name == FOLDS:
            held_out.append(held_out_columns(member.experiment, outcome.run))
    return _finish(output, parent, outcomes, held_out)


def _train_member(output: Output, folder: Path, member: Member) -> Outcome:
    """Train a member, from the start or on from where it was cut off; one that is complete stays as it is."""
    path = folder / member.name
    if not is_run(path):
        if is_there(path):
            help = "restore its run.json, or remove the folder: it is then trained anew"
            raise RunError("not a run directory: it holds no run.json", path=str(path), help=help)
        with new_run(member.experiment, str(folder), str(path), member.name, fold=member.fold) as run:
            return train_watched(output, member.experiment, run)
    run = Run.open(path)
    run.check()
    with run.locked():
        if is_complete(run, member.experiment.config):
            output.notice("already complete")
            return outcome_of(run)
        return go_on(output, member.experiment, run)


def _finish(output: Output, parent: Run, outcomes: list[Outcome], held_out: list[dict[str, Any]]) -> int:
    spread = summarize([outcome.best for outcome in outcomes])
    names = [outcome.run.path.name for outcome in outcomes]
    parent.write_json("summary.json", {"members": names, "summary": spread})
    if held_out:
        parent.write_csv("out_of_fold.csv", _stacked(held_out))
    parent.update(status="finished", stop_reason=f"all {len(outcomes)} runs are done", members=names, summary=spread)
    text = f"{spread_table(spread)}\n{len(outcomes)} runs: {parent.path}"
    output.result(text, {"run": str(parent.path), "summary": spread})
    return 0


def _cut_short(output: Output, parent: Run, last: Outcome) -> int:
    parent.update(status=last.state.status, stop_reason=f"{last.run.path.name}: {last.state.stop_reason}")
    if last.error is not None:
        output.keep({"run": str(parent.path), "status": last.state.status})
        raise last.error
    output.notice(f"interrupted in {last.run.path.name}")
    return tell_interrupted(output, parent.path, "", {"run": str(parent.path), "status": "interrupted"})


def _stacked(parts: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the rows of all folds in the order of the file."""
    stacked: dict[str, list[Any]] = {name: [value for part in parts for value in part[name]] for name in parts[0]}
    order = sorted(range(len(stacked["row"])), key=stacked["row"].__getitem__)
    return {name: [values[i] for i in order] for name, values in stacked.items()}
