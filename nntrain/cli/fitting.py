"""What all ways of fitting share: telling the plan, making the run directory, training, telling how it ended."""

from __future__ import annotations

import shlex
import signal
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nntrain.cli.output import Output, ReaderGoneError
from nntrain.cli.progress import Progress
from nntrain.cli.signals import INTERRUPTION, Interrupted
from nntrain.cli.tables import fit_summary, layer_table
from nntrain.errors import ResourceError
from nntrain.experiment import Experiment
from nntrain.fitting import Outcome, config_text, train
from nntrain.runs.run import Run
from nntrain.train.callbacks.base import EpochRow
from nntrain.train.trainer import Trainer


def key_overrides(options: dict[str, Any]) -> list[str]:
    """Return ``--set`` and the options that stand for a key of the config."""
    overrides = list(options["overrides"])
    if options["threads"] is not None:
        overrides.append(f"threads={options['threads']}")
    return overrides


def tell_dry_run(output: Output) -> int:
    """Say that training is left out; return the exit code."""
    output.result("dry run: everything is ready, nothing was trained", {"dry_run": True})
    return 0


def tell_plan(output: Output, experiment: Experiment) -> None:
    """Tell what will be trained on what: defaults taken, data found, the network."""
    for line in experiment.prepared.summary.lines():
        output.notice(line)
    for notice in experiment.notices:
        output.tell(notice)
    if output.quiet:  # the rest is long to make and would not be shown
        return
    output.notice(layer_table(experiment.network))
    taken = f"defaults: {', '.join(defaults_taken(experiment))}"
    output.notice(textwrap.fill(taken, 110, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))


def defaults_taken(experiment: Experiment) -> list[str]:
    """Return the keys that the config leaves out, with the values they got."""
    from nntrain.config.explain import written

    taken = []
    resolved = experiment.config.resolved()
    for key in experiment.config.defaulted:
        value: Any = resolved
        for part in key.split("."):
            value = value[part]
        taken.append(f"{key} {written(value)}")
    names = {"loss": experiment.loss_spec, "metrics": list(experiment.metric_specs)}
    taken += [f"{key} {written(spec)}" for key, spec in names.items() if getattr(experiment.config, key) is None]
    return taken


def new_run(experiment: Experiment, runs_dir: str, run_dir: str | None, name: str | None = None, **marks: Any) -> Run:
    """Make the run directory of an experiment; ``marks`` are further entries of its ``run.json``."""
    from nntrain import blas

    config = experiment.config
    info = {
        "seed": config.seed,
        "task": experiment.task.kind,
        "parameters": experiment.network.store.size,
        "epochs": config.epochs,
        "monitor": experiment.monitor,
        "data": experiment.prepared.sources,
        "rows": experiment.prepared.row_counts(),
        "plugins": experiment.plugins,
        "blas": blas.describe(),
        "threads": config.threads,
        **marks,
    }
    text = config_text(config, experiment)
    return Run.create(name or config.name, runs_dir, run_dir, text, config.source, info)


def train_watched(
    output: Output,
    experiment: Experiment,
    run: Run,
    interrupted: Callable[[], str | None] | None = None,
    seen: Callable[[EpochRow], None] | None = None,
) -> Outcome:
    """Train in a run directory, with progress, so that a signal ends it cleanly.

    Args:
        output: of the command.
        experiment: to train.
        run: its directory, whose lock is held.
        interrupted: returns why the run shall end now, or None; left out: tells of signals.
        seen: called with the row of each epoch that ends.
    """
    output.notice(f"run: {run.path}")
    progress: list[Progress] = []

    def observer(trainer: Trainer) -> Progress:
        progress.append(Progress(output, trainer.epochs, trainer.updates_per_epoch, trainer.state.step, seen))
        return progress[0]

    if interrupted is None:
        offer_to_go_on(run.path)
    with INTERRUPTION.deferred():
        try:
            return train(experiment, run, observer, interrupted or INTERRUPTION.reason)
        except Interrupted:  # the second Ctrl-C, or a plug-in that goes on and on
            if interrupted is None:
                output.warning("stopped at once, without saving")
            raise
        finally:
            for bar in progress:
                bar.close()


def conclude(output: Output, outcome: Outcome) -> int:
    """Tell how a training ended; return the exit code."""
    document = {
        "run": str(outcome.run.path),
        "status": outcome.state.status,
        "stop_reason": outcome.state.stop_reason,
        "epoch": outcome.state.epoch,
        "best_epoch": outcome.state.best.epoch,
        "metrics": outcome.best,
        "test": outcome.test,
    }
    if outcome.error is not None:
        output.keep(document)
        if outcome.error.step is not None:
            output.notice(f"look into it with: nntrain replay {outcome.run.path} --step {outcome.error.step}")
        raise outcome.error
    if outcome.state.status == "interrupted":
        return tell_interrupted(output, outcome.run.path, fit_summary(outcome), document)
    output.result(fit_summary(outcome), document)
    return 0


def tell_interrupted(output: Output, path: Path, text: str, document: dict[str, Any]) -> int:
    """Tell, with --quiet too, how to go on with a run that a signal has ended after saving; return the exit code."""
    output.warning(f"interrupted and saved; go on with: {resume_command(path)}")
    with suppress(ResourceError, ReaderGoneError):  # a terminal that has closed is what the signal told of
        output.result(text, document)
    return 128 + (INTERRUPTION.number or signal.SIGINT)


def offer_to_go_on(path: Path) -> None:
    """Have whoever ends the command from now on told how to go on with a run, or with the parent told of before."""
    INTERRUPTION.help = INTERRUPTION.help or f"go on with: {resume_command(path)}"


def resume_command(path: Path) -> str:
    """Return the command that goes on with a run, for a shell: with the plug-ins, which no run loads by itself."""
    plugins = sys.modules.get("nntrain.plugins")
    named = [] if plugins is None else [plugin.named for plugin in plugins.active_plugins()]
    given = [word for name in named for word in ("--plugin", name)]
    return shlex.join(["nntrain", "fit", "--resume", str(path), *given])
