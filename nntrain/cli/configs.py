"""A command's config and plug-ins: the one place where a command line leads to code of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nntrain.cli.output import Output

if TYPE_CHECKING:
    from nntrain.config.schema import Config
    from nntrain.runs.run import Run


def user_config(output: Output, path: str, overrides: Sequence[str], plugins: Sequence[str]) -> Config:
    """Return the config that a command line names, its plug-ins loaded and those of ``--plugin`` beside them."""
    from nntrain.config.schema import load_config

    output.keep_stdout()  # a plug-in may print as soon as it is loaded
    config = load_config(path, overrides, plugins)
    if not config.plugins:
        output.give_stdout_back()
    return config


def run_config(run: Run, overrides: Sequence[str] = ()) -> Config:
    """Return a run's own config, which loads no plug-in: those it names are to be loaded already.

    Raises:
        RunError: one of them is not, or the file is missing or not what nntrain writes.
        ResourceError: the system refused to give it.
        ConfigError: an override is wrong.
    """
    from nntrain.config.load import parse_document
    from nntrain.config.schema import config_from
    from nntrain.errors import ConfigError, RunError
    from nntrain.runs.files import read_file
    from nntrain.runs.run import CONFIG_FILE

    run.check()
    path = run.path / CONFIG_FILE
    content = read_file(path)
    try:
        return config_from(parse_document(content, str(path)), overrides, plugins=None)
    except ConfigError as error:
        if overrides:
            raise
        raise RunError(error.problems) from None  # no mistake of the user's: the run is damaged


def use_plugins(output: Output, plugins: Sequence[str]) -> None:
    """Load the plug-ins of ``--plugin`` for a command without a config."""
    if plugins:
        from nntrain.config.plugging import load_plugins

        output.keep_stdout()
        load_plugins(plugins)


def refuse_changed_plugins(run: Run, goes_on: bool) -> None:
    """Refuse to go on with a run whose plug-ins are not what it was trained with.

    Args:
        run: to go on with.
        goes_on: whether to go on with changed ones all the same.

    Raises:
        RunError: one is missing, or has changed.
    """
    remembered = run.info.get("plugins")
    if not remembered:
        return
    from nntrain.errors import Problem, RunError
    from nntrain.plugins import changed_plugins, refuse_missing, told_changed

    refuse_missing(remembered, str(run.path))
    changed = changed_plugins(remembered, str(run.path))
    if changed and not goes_on:
        help = "restore it, or go on with it as it is now: --force-config"
        raise RunError(Problem(told_changed(p, before), path=p.source.path, help=help) for p, before in changed)
