"""``nntrain show``: a run's summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, plugin_option, runs_dir_option
from nntrain.cli.picture import PictureCommand, give_picture, graph_options

if TYPE_CHECKING:
    from nntrain.cli.output import Output
    from nntrain.runs.run import Run


@click.command(
    "show",
    cls=PictureCommand,
    epilog=examples(
        "nntrain show latest",
        "nntrain show iris-20260101-120000-ab12 --json",
        "nntrain show latest --graph=mermaid",
    ),
)
@click.argument("run")
@runs_dir_option
@plugin_option
@graph_options
@json_option
@click.pass_context
def command(
    ctx: click.Context, run: str, runs_dir: str, plugins: tuple[str, ...], graph: str | None, file: str | None
) -> None:
    """Show RUN: how it ended, its best epoch, its layers, and how its metrics went.

    Of several seeds or folds: mean and spread of the metrics over them, and each.
    """
    with loading():
        from nntrain.cli.configs import use_plugins
        from nntrain.evaluating import load_trained
        from nntrain.runs.catalog import resolve
        from nntrain.runs.parent import is_parent

    use_plugins(output_of(ctx), plugins)
    opened = resolve(run, runs_dir)
    wants_picture = graph is not None or file is not None
    if wants_picture and give_picture(ctx, load_trained(opened, "last").network, graph, file):
        return
    rows = opened.read_metrics()
    told = {**opened.info, "status": opened.status}  # one that says it is running may be dead
    document = {"run": told, "metrics": rows}
    if is_parent(told):
        document["members"] = members = _members(output_of(ctx), opened)
        lines = [*_facts(told), *_spread(told, members)]
    else:
        lines = [*_facts(told), *_curves(rows), *_layers(opened)]
    output_of(ctx).result("\n".join(lines), document)


def _facts(info: dict[str, Any]) -> list[str]:
    from nntrain.cli.tables import epoch_table, judged_lines, table, when

    keys = ["id", "status", "stop_reason", "created", "epoch", "best_epoch", "seed", "task", "parameters"]
    shown = {key: info[key] for key in keys if info.get(key) is not None}
    shown["created"] = when(info["created"])
    if isinstance(info.get("parameters"), int):
        shown["parameters"] = f"{info['parameters']:,}"
    lines = [table(["run", ""], [[key, str(value)] for key, value in shown.items()])]
    metrics, test = info.get("metrics"), info.get("test")
    best = metrics.get("best") if isinstance(metrics, dict) else None
    if isinstance(best, dict) and best:
        lines += ["", f"best epoch {info.get('best_epoch')}:", epoch_table(best)]
    if isinstance(test, dict) and isinstance(test.get("rows"), int):
        lines += ["", *judged_lines(test, info.get("best_epoch"))]
    return lines


def _members(output: Output, parent: Run) -> list[dict[str, Any]]:
    """Return the runs of a parent as ``nntrain runs`` lists them; what is wrong with any is told."""
    from nntrain.runs.catalog import list_runs
    from nntrain.runs.parent import kind_of_members

    kind = kind_of_members(parent.info)
    if kind is None:
        return []
    members, notices = list_runs(str(parent.path / kind))
    for notice in notices:
        output.tell(notice)
    return members


def _spread(info: dict[str, Any], members: list[dict[str, Any]]) -> list[str]:
    from nntrain.cli.tables import runs_table, spread_table
    from nntrain.runs.parent import spread_of

    spread = spread_of(info)
    return [*(["", spread_table(spread)] if spread else []), *(["", runs_table(members)] if members else [])]


def _curves(rows: list[dict[str, Any]]) -> list[str]:
    from nntrain.cli.sparkline import sparkline
    from nntrain.runs.rows import NOT_VALUES

    if len(rows) < 2:
        return []
    names = [name for name in rows[0] if name not in NOT_VALUES]
    width = max(map(len, names))
    return ["", "curves:", *(f"  {name:<{width}}  {sparkline([row.get(name) for row in rows])}" for name in names)]


def _layers(run: Run) -> list[str]:
    from nntrain.cli.tables import layer_table
    from nntrain.errors import ResourceError, RunError
    from nntrain.evaluating import load_trained

    try:
        return ["", layer_table(load_trained(run, "last").network)]
    except (RunError, ResourceError) as error:
        return ["", f"no layers to show: {error.problems[0].message}"]
