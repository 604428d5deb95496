"""``nntrain list``: what a config can name."""

from __future__ import annotations

import click

from nntrain.cli.options import examples, json_option, output_of


@click.command(
    "list",
    epilog=examples("nntrain list", "nntrain list optimizer", "nntrain list layer dense"),
)
@click.argument("kind", required=False)
@click.argument("name", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, kind: str | None, name: str | None) -> None:
    """List what a config can name, with arguments.

    KIND is architecture, layer, loss, optimizer, schedule, metric, initializer or callback (plural works too); NAME is
    one of its names.
    """
    from nntrain.config.explain import describe, describe_kind, describe_kinds

    if kind is None:
        text, document = describe_kinds()
    elif name is None:
        text, document = describe_kind(kind)
    else:
        text, document = describe(kind, name)
    output_of(ctx).result(text, document)
