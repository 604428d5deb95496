"""``nntrain runs``: the runs of a folder."""

from __future__ import annotations

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, runs_dir_option
from nntrain.errors import escape


@click.command("runs", epilog=examples("nntrain runs", "nntrain runs --runs-dir experiments --json"))
@runs_dir_option
@json_option
@click.pass_context
def command(ctx: click.Context, runs_dir: str) -> None:
    """List the runs of a folder, the oldest first."""
    with loading():
        from nntrain.cli.tables import runs_table
        from nntrain.runs.catalog import list_runs

    output = output_of(ctx)
    # Before the first training there is no folder yet; one that was named is meant to be there.
    is_named = ctx.get_parameter_source("runs_dir") is not click.core.ParameterSource.DEFAULT
    rows, notices = list_runs(runs_dir, must_exist=is_named)
    for notice in notices:
        output.tell(notice)
    output.result(runs_table(rows) if rows else f"no runs in {escape(runs_dir)}", {"runs": rows})
