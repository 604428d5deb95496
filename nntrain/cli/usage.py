"""Command lines that cannot be understood: what is said about them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from nntrain.errors import ConfigError, did_you_mean, quote


def usage_error(error: click.ClickException, arguments: Sequence[str]) -> ConfigError:
    """Return what the user is told about a command line that click refuses."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        return _unknown_option(error.option_name, error.ctx)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        is_option = isinstance(error.param, click.Option)
        name = error.param.opts[0] if is_option else str(error.param.name).upper()
        return ConfigError(f"{name} is missing", help=_hint(error, arguments))
    if not arguments:
        return ConfigError("a command is missing", help="nntrain --help lists the commands")
    message = error.format_message()
    return ConfigError(f"{message[:1].lower()}{message[1:].rstrip('.')}", help=_hint(error, arguments))


def _unknown_option(name: str, ctx: click.Context) -> ConfigError:
    known = [option for parameter in ctx.command.get_params(ctx) for option in parameter.opts if option[:2] == "--"]
    guess = did_you_mean(name, known)
    key = name.lstrip("-").replace("-", "_")
    help = f"{ctx.command_path} --help shows the options"
    if "--set" in known and not guess and key.isidentifier() and len(key) > 1:
        help += f"; a key of the config is set with --set {key}=VALUE"
    return ConfigError(f"unknown option {quote(name)}{guess}", help=help)


def _hint(error: click.ClickException, arguments: Sequence[str]) -> str:
    ctx = getattr(error, "ctx", None)
    command = ctx.command_path if ctx else " ".join(["nntrain", *arguments[:1]])
    return f"{command} --help shows what is expected"
