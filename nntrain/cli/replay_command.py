"""``nntrain replay``: make one update of a run again, and show its numbers."""

from __future__ import annotations

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, plugin_option, runs_dir_option


@click.command(
    "replay",
    epilog=examples("nntrain replay latest --step 1", "nntrain replay runs/iris-20260101-120000-ab12 --step 40 --json"),
)
@click.argument("run")
@click.option(
    "--step",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of the update, from 1; left out: the one that failed, else the last.",
)
@runs_dir_option
@plugin_option
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors on stderr.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, run: str, step: int | None, runs_dir: str, plugins: tuple[str, ...], quiet: bool
) -> int:
    """Make update N of RUN again, and show the range of every layer's output and gradient; RUN stays as it is."""
    with loading():
        from nntrain.cli.configs import use_plugins
        from nntrain.cli.replaying import show_update
        from nntrain.runs.catalog import resolve

    output = output_of(ctx)
    output.quiet = quiet
    use_plugins(output, plugins)
    return show_update(output, resolve(run, runs_dir), step)
