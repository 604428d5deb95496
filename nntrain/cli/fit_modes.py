"""The ways of ``nntrain fit``: one training, several, or one that goes on; each loads what it alone needs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from nntrain.cli.configs import refuse_changed_plugins, run_config, use_plugins, user_config
from nntrain.cli.fitting import conclude, key_overrides, new_run, offer_to_go_on, tell_dry_run, tell_plan, train_watched
from nntrain.cli.output import Output
from nntrain.cli.signals import INTERRUPTION
from nntrain.config.schema import Config
from nntrain.data.cache import reading_anew
from nntrain.errors import ConfigError
from nntrain.experiment import assemble

OF_NEW_RUNS = {"seeds": "--seeds", "run_dir": "--run-dir", "overfit_batch": "--overfit-batch"}
"""Options that a run has from when it was begun."""


def fit(output: Output, config: str | None, **options: Any) -> int:
    """Train as the options say; return the exit code."""
    output.quiet = options["quiet"]
    with reading_anew() if options["no_cache"] else nullcontext():
        return _fit(output, config, options)


def _fit(output: Output, config: str | None, options: dict[str, Any]) -> int:
    _refuse_without_effect(options)
    if options["resume"] is not None:
        return _resume(output, config, options)
    if config is None:
        raise ConfigError("fit needs a CONFIG, or --resume RUN", help="nntrain fit config.yaml")
    loaded = user_config(output, config, key_overrides(options), options["plugins"])
    if options["seeds"] or loaded.data.folds:
        from nntrain.cli.repeating import fit_many

        _refuse_mixture(options["seeds"], loaded.data.folds, options["overfit_batch"])
        return fit_many(output, loaded, options)
    return _fit_one(output, loaded, options)


def _fit_one(output: Output, config: Config, options: dict[str, Any]) -> int:
    experiment = assemble(config)
    if options["overfit_batch"]:
        experiment = experiment.first_batch_alone()
    tell_plan(output, experiment)
    if options["dry_run"]:
        return tell_dry_run(output)
    marks: dict[str, Any] = {"overfit_batch": True} if options["overfit_batch"] else {}
    with INTERRUPTION.deferred(), new_run(experiment, options["runs_dir"], options["run_dir"], **marks) as run:
        return conclude(output, train_watched(output, experiment, run))


def _resume(output: Output, config: str | None, options: dict[str, Any]) -> int:
    from nntrain.cli.repeating import resume_many
    from nntrain.cli.resuming import resume_one, wanted_config
    from nntrain.runs.catalog import resolve

    run = resolve(options["resume"], options["runs_dir"])
    offer_to_go_on(run.path)
    given = None
    if config is None:
        use_plugins(output, options["plugins"])
    else:
        given = user_config(output, config, key_overrides(options), options["plugins"])
    own = run_config(run)
    refuse_changed_plugins(run, options["force_config"])
    wanted = wanted_config(run, own, given, options)
    if "repeats" in run.info:
        return resume_many(output, wanted, run, options)
    return resume_one(output, run, own, wanted, options, compares=config is not None)


def _refuse_without_effect(options: dict[str, Any]) -> None:
    if options["resume"] is None:
        if options["force_config"]:
            help = "leave it out, or name the run to go on with: --resume RUN"
            raise ConfigError("--force-config does not go without --resume: a new run takes any config", help=help)
        return
    given = " and ".join(name for key, name in OF_NEW_RUNS.items() if options[key] not in (None, False))
    if given:
        help = f"leave out {given} to go on with the run, or --resume to train a new one"
        raise ConfigError(f"--resume does not go with {given}: a run goes on as it was begun", help=help)


def _refuse_mixture(seeds: int | None, folds: int | None, overfit_batch: bool) -> None:
    if overfit_batch:
        raise ConfigError("--overfit-batch trains one network: it does not go with --seeds or data.folds")
    if seeds and folds:
        raise ConfigError("--seeds does not go with data.folds", help="leave one of the two out")
