"""``nntrain new``: a first config for a CSV."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of


@click.command("new", epilog=examples("nntrain new iris.csv --target species", "nntrain fit iris.yaml"))
@click.argument("csv")
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option("-o", "--output", "file", metavar="FILE", help="The config to write; by default the CSV's stem, here.")
@click.option("--force", is_flag=True, help="Replace the file where it exists.")
@json_option
@click.pass_context
def command(ctx: click.Context, csv: str, target: str, file: str | None, force: bool) -> None:
    """Write a commented, ready-to-run config for CSV."""
    with loading():
        from nntrain.cli.written import write_result
        from nntrain.errors import ConfigError, enumerate_names, escape, quote
        from nntrain.starter import write_starter
        from nntrain.user_files import typed

    output = output_of(ctx)
    path = Path(file) if file is not None else Path(f"{Path(csv).name.split('.')[0] or 'config'}.yaml")
    if os.path.exists(path) and not force:  # noqa: PTH110 - Path.exists fails where one may not look
        raise ConfigError("the file exists", path=str(path), help="choose another with -o FILE, or replace it: --force")
    starter = write_starter(csv, typed(target), path.parent)
    write_result(str(path), starter.text.encode(), [csv])
    for line in starter.prepared.summary.lines():
        output.notice(line)
    for notice in starter.prepared.notices:
        output.tell(notice)
    if starter.ignored:
        output.tell(f"left out as names or identifiers: {enumerate_names([quote(name) for name in starter.ignored])}")
    name = shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))
    output.result(
        f"written: {escape(str(path))}\nnext: nntrain fit {escape(name)}",
        {"config": str(path), "ignored": starter.ignored, "data": starter.prepared.summary.as_json()},
    )
