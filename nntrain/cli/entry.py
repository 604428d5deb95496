"""The group of all commands, and the one point where errors are printed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from nntrain import __version__
from nntrain.cli.output import Output, ReaderGoneError
from nntrain.cli.signals import INTERRUPTION, Interrupted
from nntrain.cli.usage import usage_error
from nntrain.errors import ConfigError, NntrainError, Problem, did_you_mean, enumerate_names, quote
from nntrain.explaining import explained, told_of

_COMMANDS = {
    "fit": "Train a network as a config file says.",
    "eval": "Judge a trained network on a held-out CSV.",
    "predict": "Write a trained network's predictions for a CSV.",
    "compare": "Compare runs: what differs, and which is better.",
    "verify-resume": "Show that a resumed run is the run never stopped.",
    "reproduce": "Train a run again: the same bits, or where they part.",
    "replay": "Make one update of a run again and show its numbers.",
    "check": "Validate a config and its data without training.",
    "check-plugin": "Check layers, losses and the like of your own.",
    "new": "Write a commented, ready-to-run config for a CSV.",
    "show": "Show a run: summary, layers, metrics.",
    "runs": "List the runs of a folder.",
    "list": "List what a config can name, with arguments.",
    "schema": "Print the JSON Schema of the config.",
}


class _Commands(click.Group):
    """Imports a command's module when it is asked for; ``nntrain --help`` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"nntrain.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            known = enumerate_names(list(_COMMANDS))
            raise ConfigError(
                f"unknown command {quote(args[0])}{did_you_mean(args[0], _COMMANDS)} (commands: {known})",
                help="nntrain --help tells what each does",
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BaseException as error:
            # Before click takes up what it thinks its own: Ctrl-C, an end of file, an exit, a pipe that nobody reads.
            known = ReaderGoneError() if isinstance(error, BrokenPipeError) else explained(error)
            if known is None:
                raise
            raise known from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _tell_version(ctx: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked:
        ctx.obj["output"].result(f"nntrain {__version__}", {"version": __version__})
        ctx.exit()


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start: nntrain new data.csv --target COLUMN, then nntrain fit on the file it writes.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Show the version."
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def group() -> None:
    """Train neural networks on CSV files from one YAML file."""


def run(arguments: list[str] | None = None) -> int:
    """Run a command line; return its exit code. Everything that goes wrong is printed here, and nowhere else."""
    # These two are understood anywhere, so that a command line that cannot be understood answers as it was asked to.
    flags, arguments = _take(sys.argv[1:] if arguments is None else arguments, ("--json", "--debug"))
    output = Output(json="--json" in flags)
    output.prepare_streams()
    if _plugins() is not None:  # those of an earlier command in this process
        _plugins().forget_plugins()
    INTERRUPTION.help = None
    try:
        INTERRUPTION.check()
        if not (arguments or output.json or "_NNTRAIN_COMPLETE" in os.environ):
            output.notice(group.get_help(click.Context(group, info_name="nntrain")))
            return 2
        result = group.main(args=arguments, prog_name="nntrain", standalone_mode=False, obj={"output": output})
        code = result if isinstance(result, int) else 0
        output.finish(code)
        return code
    except BaseException as error:
        if "--debug" in flags and not isinstance(error, (SystemExit, click.exceptions.Exit)):
            import traceback

            traceback.print_exc()
        return _report(error, output, arguments)
    finally:
        output.give_stdout_back()


def _take(arguments: Sequence[str], flags: Sequence[str]) -> tuple[set[str], list[str]]:
    """Return the flags that are among the arguments before ``--``, and the arguments without them."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [argument for argument in arguments[:end] if argument not in flags]
    return {*flags} & {*arguments[:end]}, [*rest, *arguments[end:]]


def _report(error: BaseException, output: Output, arguments: Sequence[str]) -> int:
    """Print an error and return the exit code."""
    if isinstance(error, (SystemExit, click.exceptions.Exit)):
        code = error.code if isinstance(error, SystemExit) else error.exit_code
        return code if isinstance(code, int) else 1
    if isinstance(error, (ReaderGoneError, BrokenPipeError)):
        output.close_stdout()
        return 141
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        code = error.exit_code if isinstance(error, Interrupted) else 130
        # Who has waited for a plug-in without end is told where it was.
        path, line = (_plugins() and _plugins().place_of_error(error)) or (None, None)
        problem = Problem("interrupted", path=path, line=line, help=INTERRUPTION.help)
        output.failure(code, [problem], status="interrupted")
        return code
    known = _as_nntrain_error(error, arguments)
    output.failure(known.exit_code, known.problems)
    return known.exit_code


def _as_nntrain_error(error: BaseException, arguments: Sequence[str]) -> NntrainError:
    if isinstance(error, click.Abort):
        return ConfigError("aborted")
    if isinstance(error, click.ClickException):
        return usage_error(error, arguments)
    return told_of(error)


def _plugins() -> Any:
    """Return the package of plug-ins where something has loaded it, else None."""
    return sys.modules.get("nntrain.plugins")
