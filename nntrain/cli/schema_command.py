"""``nntrain schema``: the JSON Schema of the config."""

from __future__ import annotations

import json

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of


@click.command("schema", epilog=examples("nntrain schema > nntrain.schema.json"))
@json_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print the JSON Schema of the config, for completion and checks in an editor."""
    with loading():
        from nntrain.config.json_schema import json_schema

    schema = json_schema()
    output_of(ctx).result(json.dumps(schema, indent=2), {"schema": schema})
