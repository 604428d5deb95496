"""``nntrain fit --resume``: go on with a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nntrain.cli.configs import run_config
from nntrain.cli.fitting import conclude, key_overrides, tell_dry_run, train_watched
from nntrain.cli.output import Output
from nntrain.cli.signals import INTERRUPTION
from nntrain.config.schema import Config
from nntrain.errors import RunError, quote
from nntrain.experiment import Experiment, assemble
from nntrain.fitting import Outcome, complete_config
from nntrain.runs.files import real_folder
from nntrain.runs.run import CHECKPOINTS, Run

MAY_DIFFER = frozenset({"name", "threads", "plugins"})
"""Keys that have no say in what is computed; of plug-ins the content has, wherever they are."""

FOLLOW_THE_DATA = ("loss", "metrics")
"""Keys that a config may leave out, and that are known once the data are read."""


def resume_one(output: Output, run: Run, own: Config, wanted: Config, options: dict[str, Any], compares: bool) -> int:
    """Go on with a run where its last good checkpoint is; return the exit code.

    Args:
        output: of the command.
        run: to go on with.
        own: the run's config.
        wanted: the config to go on with.
        options: of the command.
        compares: whether the configs must agree once the data are read.
    """
    known = run.info
    if is_complete(run, wanted):
        return tell_complete(output, run, wanted)
    experiment = assemble_again(wanted, run)
    if compares and not options["force_config"]:
        refuse_changes(own, own.resolved(), complete_config(wanted, experiment))
    if options["dry_run"]:
        return tell_dry_run(output)
    with INTERRUPTION.deferred(), run.locked():
        if run.info != known and is_complete(run, wanted):  # another process has got there first
            return tell_complete(output, run, wanted)
        return conclude(output, go_on(output, experiment, run))


def go_on(
    output: Output, experiment: Experiment, run: Run, interrupted: Callable[[], str | None] | None = None
) -> Outcome:
    """Train on in a run whose lock is held."""
    real_folder(run.path / CHECKPOINTS)
    for notice in run.notices():
        output.tell(notice)
    return train_watched(output, experiment, run, interrupted)


def is_complete(run: Run, config: Config) -> bool:
    """Return whether a run has ended as planned, no more epochs are asked for, and nothing of it is lost since."""
    has_ended = run.info["status"] in ("finished", "early_stopped") and config.epochs <= run.info.get("epochs", 0)
    return has_ended and run.is_whole()


def tell_complete(output: Output, run: Run, config: Config) -> int:
    """Say that there is nothing to do; return the exit code."""
    done = run.info.get("epoch", config.epochs)
    output.result(f"already complete (epoch {done}/{config.epochs}): {run.path}", {"run": str(run.path)})
    return 0


def assemble_again(config: Config, run: Run, checks_data: bool = True) -> Experiment:
    """Return the experiment of a run: its fold, on the data it was trained on."""
    experiment = assemble(config, run.info.get("fold"))
    if checks_data:
        check_data(experiment, run)
    return experiment.first_batch_alone() if run.info.get("overfit_batch") else experiment


def wanted_config(run: Run, own: Config, given: Config | None, options: dict[str, Any]) -> Config:
    """Return the config to go on with: the run's own, with more epochs where they are asked for."""
    overrides = key_overrides(options)
    if given is None and not overrides:
        return own
    given = given or run_config(run, overrides)
    if not options["force_config"]:
        theirs = given.resolved(absolute_paths=True)
        ours = own.resolved()
        for key in FOLLOW_THE_DATA:
            theirs[key] = ours[key] if theirs[key] is None else theirs[key]
        refuse_changes(own, ours, theirs)
    return given


def refuse_changes(own: Config, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Refuse a config that is not the run's own.

    Raises:
        RunError: with the keys and both values.
    """
    differing = differences(ours, theirs)
    if differing:
        shown = [f"{key}: the run has {quote(a)}, the config {quote(b)}" for key, a, b in differing]
        raise RunError(
            f"the config differs from the run's own in {len(differing)} place{'s' if len(differing) > 1 else ''}:"
            f" {', '.join(key for key, _, _ in differing[:5])}",
            path=own.path,
            help="only epochs may grow; --force-config goes on all the same",
            notes=shown[:10],
        )


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the keys in which a config may not differ from a run's own, with both values.

    >>> differences({"epochs": 5, "loss": {"name": "mse"}}, {"epochs": 9, "loss": {"name": "mae"}})
    [('loss.name', 'mse', 'mae')]
    """
    a, b = _flat(ours), _flat(theirs)
    found = [(key, a.get(key), b.get(key)) for key in sorted({*a, *b}) if a.get(key) != b.get(key)]
    grown = theirs["epochs"] >= ours["epochs"]
    checked = [item for item in found if item[0].partition(".")[0] not in MAY_DIFFER]
    return [item for item in checked if not (item[0] == "epochs" and grown)]


def _flat(values: Any, key: str = "") -> dict[str, Any]:
    """Return nested values by their dotted keys."""
    if not isinstance(values, (dict, list)) or not values:
        return {key: values}
    pairs = values.items() if isinstance(values, dict) else enumerate(values)
    flat: dict[str, Any] = {}
    for name, value in pairs:
        flat |= _flat(value, f"{key}.{name}" if key else str(name))
    return flat


def check_data(experiment: Experiment, run: Run) -> None:
    """Refuse to go on with data that have changed, whatever the files are called now.

    Raises:
        RunError: a file's content is not what the run was trained on.
    """
    for path, sha256 in lost_data(experiment, run):
        then = {source["sha256"] for source in run.info["data"].values()}
        changed = [name for name, found in experiment.prepared.sources.items() if found["sha256"] not in then]
        raise RunError(
            f"the data have changed: {quote(path)} is not what the run was trained on (SHA-256 {sha256[:16]}...)",
            path=changed[0] if changed else str(run.path),
            help="restore the file, or train a new run with nntrain fit",
        )


def lost_data(experiment: Experiment, run: Run) -> list[tuple[str, str]]:
    """Return path and SHA-256 of the files that a run was trained on and that are not there any more, by content."""
    known = {source["sha256"] for source in experiment.prepared.sources.values()}
    then = {path: source["sha256"] for path, source in run.info["data"].items()}
    return [(path, sha256) for path, sha256 in then.items() if sha256 not in known]
