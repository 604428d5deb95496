"""The plug-ins that a config names: loaded before its names are looked up, and never because a run's config says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nntrain.config.load import Document
from nntrain.config.problems import locate
from nntrain.errors import ConfigError, Problem, quote
from nntrain.gathering import Gathering

if TYPE_CHECKING:
    from nntrain.plugins import Plugin

RUN_FILE = "run.json"
"""What makes a directory that of a run."""


def load_named(document: Document, directory: Path, given: Sequence[str]) -> None:
    """Make exactly those plug-ins active that a config and the command line name.

    A config in the directory of a run may have come from anywhere: it loads none, and what it names must be given. The
    config gets what is given beside it as its own, so that it is complete.

    Args:
        document: the config; its ``plugins`` are added to.
        directory: of the config, where relative names start.
        given: on the command line, relative to the current directory.

    Raises:
        ConfigError: a plug-in is not there or cannot be used.
        RunError: the config is a run's, and names a plug-in that is not given.
    """
    named = _named(document)
    if not (named or given or "nntrain.plugins" in sys.modules):
        return
    is_of_run = (directory / RUN_FILE).exists()
    load_plugins(given)
    if is_of_run:
        refuse_missing(document)
    own, checks = [], Gathering()
    for i, name in enumerate([] if is_of_run else named):
        with checks.next():
            own.append(_load_own(document, name, i, directory))
    checks.end()
    also = [_whole_name(name) for name in given if _load(name, Path()) not in own]
    written = document.values.get("plugins", [])
    if also and isinstance(written, (str, list)):
        kept = [written] if isinstance(written, str) else written
        document.values["plugins"] = also if is_of_run else [*kept, *also]


def load_plugins(names: Sequence[str]) -> None:
    """Make exactly the plug-ins active that the command line names."""
    from nntrain.plugins import forget_plugins

    forget_plugins()
    for name in names:
        _load(name, Path())


def refuse_missing(document: Document) -> None:
    """Refuse a run's config that names plug-ins which are not active.

    Raises:
        RunError: with the first of them.
    """
    named = _named(document)
    if not named:
        return
    from nntrain.plugins import active_plugins, missing, name_of

    there = {plugin.source.name for plugin in active_plugins()}
    for i, name in enumerate(named):
        if name_of(name) not in there:
            path, line, _ = locate(document, ("plugins", i))
            raise missing(name_of(name), path, line=line)


def _named(document: Document) -> list[str]:
    """Return the names a config holds; what is wrong with others is found with all that is wrong with a config."""
    names = document.values.get("plugins")
    names = [names] if isinstance(names, str) else names
    return [name for name in names if isinstance(name, str) and name] if isinstance(names, list) else []


def _whole_name(name: str) -> str:
    from nntrain.plugins import is_file_name

    return str(Path.cwd() / name) if is_file_name(name) else name


def _load_own(document: Document, name: str, number: int, directory: Path) -> Plugin:
    """Load a plug-in that a config names; what is wrong with the name is told at its place in the config."""
    try:
        return _load(name, directory)
    except ConfigError as error:
        path, line, column = locate(document, ("plugins", number))
        raise ConfigError(
            problem if problem.line is not None else _moved(problem, path, line, column) for problem in error.problems
        ) from None


def _moved(problem: Problem, path: str, line: int | None, column: int | None) -> Problem:
    file = "" if problem.path is None else f"{quote(problem.path)}: "
    return replace(problem, message=f"plugins: {file}{problem.message}", path=path, line=line, column=column)


def _load(name: str, directory: Path) -> Plugin:
    """Load a plug-in whose names a config can use: a schema can be made of each constructor."""
    from nntrain.config.specs import model_of
    from nntrain.plugins import add_plugin, forget_plugins

    plugin = add_plugin(name, directory)
    for kind, entry in plugin.entries:
        try:
            model_of(kind, entry.name).model_json_schema()
        except Exception as error:
            forget_plugins()
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            message = f"{kind} {quote(entry.name)}: its constructor's annotations are nothing that a config can hold"
            raise ConfigError(f"{message}: {reason}", **plugin.place_of(entry.factory)) from None
    return plugin
