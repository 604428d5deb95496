"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from nntrain.cli.output import Output
from nntrain.errors import quote

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, expose_value=False, help="Print one JSON document.")(command)


def runs_dir_option(command: F) -> F:
    """Add ``--runs-dir``."""
    option = click.option(
        "--runs-dir", default="runs", show_default=True, metavar="DIR", help="Folder that holds the runs."
    )
    return option(command)


def set_option(command: F) -> F:
    """Add ``-s/--set``."""
    option = click.option(
        "-s", "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set a key of the config; repeatable."
    )
    return option(command)


def plugin_option(command: F) -> F:
    """Add ``--plugin``."""
    option = click.option(
        "--plugin",
        "plugins",
        multiple=True,
        metavar="FILE",
        help="Load layers, losses and the like of your own from this Python file; repeatable.",
    )
    return option(command)


def checkpoint_option(command: F) -> F:
    """Add ``--checkpoint``."""
    option = click.option(
        "--checkpoint",
        callback=_checked_checkpoint,
        default="best",
        show_default=True,
        metavar="best|last|step-N",
        help="Which weights; step-N after N updates, where checkpoint.keep has kept them.",
    )
    return option(command)


def _checked_checkpoint(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    from nntrain.runs.kept import kept_step

    if value not in ("best", "last") and kept_step(value) is None:
        raise click.BadParameter(f"expected best, last or step-N, got {quote(value)}", ctx, parameter)
    return value


def output_of(ctx: click.Context) -> Output:
    """Return where the command prints."""
    output: Output = ctx.obj["output"]
    return output


def examples(*lines: str) -> str:
    """Return the examples that end a command's ``--help``."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
