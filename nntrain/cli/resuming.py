"""``nntrain fit --resume``: go on with a run."""

from __future__ import annotations

from typing import Any

from nntrain.cli.fitting import conclude, train_watched
from nntrain.cli.output import Output
from nntrain.config import load_config
from nntrain.config.schema import Config
from nntrain.errors import RunError, quote
from nntrain.experiment import Experiment, assemble
from nntrain.runs.catalog import resolve
from nntrain.runs.compare import flatten
from nntrain.runs.run import Run

MAY_DIFFER = frozenset({"name", "threads"})
"""Keys that have no say in what is computed."""


def resume_run(output: Output, config: str | None, **options: Any) -> int:
    """Go on with a run where its last good checkpoint is; return the exit code."""
    run = resolve(options["resume"], options["runs_dir"])
    own = load_config(str(run.path / "config.yaml"))
    wanted = _wanted(own, config, options)
    experiment = assemble(wanted)
    check_data(experiment, run)
    with run.locked():
        done = run.info.get("epoch") or 0
        if run.info["status"] in ("finished", "early_stopped") and wanted.epochs <= own.epochs:
            output.result(f"already complete (epoch {done}/{own.epochs}): {run.path}", {"run": str(run.path)})
            return 0
        for notice in run.notices():
            output.notice(f"notice: {notice}")
        return conclude(output, train_watched(output, experiment, run))


def _wanted(own: Config, config: str | None, options: dict[str, Any]) -> Config:
    """Return the config to go on with: the run's own, with more epochs where they are asked for."""
    overrides = list(options["overrides"])
    if config is None and not overrides:
        return own
    given = load_config(own.path if config is None else config, overrides)
    differing = differences(own, given)
    if differing and not options["force_config"]:
        shown = [f"{key}: the run has {quote(a)}, the config {quote(b)}" for key, a, b in differing]
        raise RunError(
            f"the config differs from the run's own in {len(differing)} place{'s' if len(differing) > 1 else ''}",
            path=own.path,
            help="only epochs may grow; --force-config goes on all the same",
            notes=shown[:10],
        )
    return given


def differences(own: Config, given: Config) -> list[tuple[str, Any, Any]]:
    """Return the keys in which a config may not differ from the run's own, with both values."""
    a, b = flatten(own.resolved()), flatten(given.resolved())
    found = [(key, a.get(key), b.get(key)) for key in sorted({*a, *b}) if a.get(key) != b.get(key)]
    grown = given.epochs >= own.epochs
    return [item for item in found if item[0] not in MAY_DIFFER and not (item[0] == "epochs" and grown)]


def check_data(experiment: Experiment, run: Run) -> None:
    """Refuse to go on with data that have changed.

    Raises:
        RunError: a file's content is not what the run was trained on.
    """
    for path, then in run.info["data"].items():
        now = experiment.prepared.sources.get(path)
        if now is None or now["sha256"] != then["sha256"]:
            found = "is not read any more" if now is None else f"has the SHA-256 {now['sha256'][:16]}..."
            raise RunError(
                f"the data have changed: {quote(path)} {found}, the run was trained on {then['sha256'][:16]}...",
                path=str(run.path),
                help="restore the file, or train a new run with nntrain fit",
            )
