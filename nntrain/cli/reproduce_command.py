"""``nntrain reproduce``: show that a run can be made again, bit by bit."""

from __future__ import annotations

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, plugin_option, runs_dir_option


@click.command(
    "reproduce",
    epilog=examples("nntrain reproduce latest", "nntrain reproduce runs/iris-20260101-120000-ab12 --json"),
)
@click.argument("run")
@runs_dir_option
@plugin_option
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors on stderr.")
@json_option
@click.pass_context
def command(ctx: click.Context, run: str, runs_dir: str, plugins: tuple[str, ...], quiet: bool) -> int:
    """Train RUN again, and tell whether all bits are the same, or where they part and what has changed since."""
    with loading():
        from nntrain.cli.configs import use_plugins
        from nntrain.cli.reproducing import reproduce
        from nntrain.runs.catalog import resolve

    output = output_of(ctx)
    output.quiet = quiet
    use_plugins(output, plugins)
    return reproduce(output, resolve(run, runs_dir))
