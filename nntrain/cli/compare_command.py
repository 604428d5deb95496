"""``nntrain compare``: what differs between runs, and which is better."""

from __future__ import annotations

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, runs_dir_option
from nntrain.errors import ConfigError, Problem


@click.command(
    "compare",
    epilog=examples(
        "nntrain compare runs/iris-*",
        "nntrain compare latest iris-20260101-120000-ab12 --sort val_loss",
        "nntrain compare runs/* --filter 'val_accuracy>0.9' --filter optimizer.name=adam --format md",
    ),
)
@click.argument("runs", nargs=-1, required=True)
@runs_dir_option
@click.option("--sort", metavar="COLUMN", help="Sort by a column; -COLUMN for the other direction.")
@click.option("--filter", "filters", multiple=True, metavar="EXPRESSION", help="Keep runs where it holds; repeatable.")
@click.option("--format", "form", type=click.Choice(["text", "md", "csv", "json"]), default="text", show_default=True)
@json_option
@click.pass_context
def command(
    ctx: click.Context, runs: tuple[str, ...], runs_dir: str, sort: str | None, filters: tuple[str, ...], form: str
) -> int:
    """Compare RUNS: in which keys their configs differ, their metrics, and whether a difference is real."""
    with loading():
        from nntrain.runs.compare import compare

    output = output_of(ctx)
    if output.json and form != "json" and ctx.get_parameter_source("form") is not click.core.ParameterSource.DEFAULT:
        raise ConfigError(f"--json does not go with --format {form}", help="leave one of the two out")
    output.json = output.json or form == "json"
    comparison = compare(runs, runs_dir, sort=sort, filters=filters)
    for notice in comparison.notices:
        output.tell(notice)
    document = comparison.as_json()
    if comparison.exit_code:
        unread = [Problem(f"unreadable: {run.problem}", path=str(run.name)) for run in comparison.runs if run.problem]
        document |= {"status": "partial", "errors": [problem.as_json() for problem in unread]}
    output.result(comparison.render(form), document)
    return comparison.exit_code
