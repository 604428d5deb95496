"""``nntrain schema``: the JSON Schema of the config."""

from __future__ import annotations

import json

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, plugin_option


@click.command("schema", epilog=examples("nntrain schema > nntrain.schema.json"))
@plugin_option
@json_option
@click.pass_context
def command(ctx: click.Context, plugins: tuple[str, ...]) -> None:
    """Print the JSON Schema of the config, for completion and checks in an editor."""
    with loading():
        from nntrain.cli.configs import use_plugins
        from nntrain.config.json_schema import json_schema

    output = output_of(ctx)
    use_plugins(output, plugins)
    schema = json_schema()
    output.result(json.dumps(schema, indent=2), {"schema": schema})
