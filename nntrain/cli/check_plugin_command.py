"""``nntrain check-plugin``: the contract and gradient suites on a user's own layers, losses and the like."""

from __future__ import annotations

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of


@click.command(
    "check-plugin", epilog=examples("nntrain check-plugin my_layers.py", "nntrain check-plugin my_layers.py --json")
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@json_option
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...]) -> None:
    """Check what FILE registers: shapes, types, gradients against finite differences, repetition, memory.

    A layer that needs arguments or inputs of a certain shape says so: checked_on = [({"units": 3}, (4,))].
    """
    with loading():
        from nntrain.cli.configs import use_plugins
        from nntrain.cli.plugin_report import document, failures, report, text
        from nntrain.errors import ConfigError

    output = output_of(ctx)
    use_plugins(output, files)
    things = report()
    output.result(text(things), document(things))
    found = failures(things)
    if found:
        raise ConfigError(found)
