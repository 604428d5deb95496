"""``nntrain eval``: judge a run on a held-out CSV."""

from __future__ import annotations

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import checkpoint_option, examples, json_option, output_of, plugin_option, runs_dir_option
from nntrain.errors import escape


@click.command(
    "eval",
    epilog=examples("nntrain eval latest held_out.csv", "nntrain eval runs/iris-20260101-120000-ab12 test.csv --json"),
)
@click.argument("run")
@click.argument("csv")
@runs_dir_option
@plugin_option
@checkpoint_option
@click.option(
    "--unknown-class",
    type=click.Choice(["error", "wrong", "skip"]),
    default="error",
    show_default=True,
    help="What to do about rows of a class the training never saw.",
)
@click.option("--output", "folder", metavar="DIR", help="Where to write metrics.json and predictions.csv.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    csv: str,
    runs_dir: str,
    plugins: tuple[str, ...],
    checkpoint: str,
    unknown_class: str,
    folder: str | None,
) -> None:
    """Judge RUN (a directory, a name, or latest) on CSV, which holds the target column."""
    with loading():
        from nntrain.cli.configs import use_plugins
        from nntrain.cli.tables import evaluation_text
        from nntrain.evaluating import evaluate_csv
        from nntrain.runs.catalog import resolve

    output = output_of(ctx)
    use_plugins(output, plugins)
    opened = resolve(run, runs_dir)
    evaluation = evaluate_csv(opened, csv, checkpoint, unknown_class)  # type: ignore[arg-type]
    for notice in evaluation.notices:
        output.tell(notice)
    judged = evaluation.document["checkpoint"]  # the last one where there is no best
    written = opened.write_evaluation(csv, judged, evaluation.document, evaluation.predictions, folder)
    output.result(evaluation_text(evaluation.document), {**evaluation.document, "written": str(written)})
    output.notice(f"written: {escape(str(written))}")
