"""``nntrain predict``: predictions for a CSV."""

from __future__ import annotations

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import checkpoint_option, examples, json_option, output_of, plugin_option, runs_dir_option
from nntrain.errors import escape


@click.command("predict", epilog=examples("nntrain predict latest new_rows.csv -o predictions.csv"))
@click.argument("run")
@click.argument("csv")
@runs_dir_option
@plugin_option
@checkpoint_option
@click.option("-o", "--output", "file", metavar="FILE", help="Write here instead of to stdout.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    csv: str,
    runs_dir: str,
    plugins: tuple[str, ...],
    checkpoint: str,
    file: str | None,
) -> None:
    """Write RUN's predictions for the rows of CSV, as CSV; the target column may be absent."""
    with loading():
        from nntrain.cli.configs import use_plugins
        from nntrain.cli.written import write_result
        from nntrain.evaluating import predict_csv
        from nntrain.runs.catalog import resolve
        from nntrain.runs.files import csv_text

    output = output_of(ctx)
    use_plugins(output, plugins)
    columns, notices = predict_csv(resolve(run, runs_dir), csv, checkpoint)
    for notice in notices:
        output.tell(notice)
    rows = len(columns["row"])
    text = csv_text(columns)
    if file is None:
        output.raw(text, {"rows": rows, "predictions": columns})
        return
    write_result(file, text.encode(), [csv, *plugins])
    output.notice(f"{rows:,} predictions written to {escape(file)}")
    output.result("", {"rows": rows, "written": file})
