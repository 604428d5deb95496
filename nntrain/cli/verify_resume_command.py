"""``nntrain verify-resume``: show that a resumed run is the run that was never stopped."""

from __future__ import annotations

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, plugin_option, set_option


@click.command(
    "verify-resume",
    epilog=examples(
        "nntrain verify-resume configs/iris_mlp.yaml",
        "nntrain verify-resume big.yaml --set epochs=3 --pieces 4",
    ),
)
@click.argument("config")
@set_option
@plugin_option
@click.option(
    "--pieces",
    type=click.IntRange(min=2),
    default=10,
    show_default=True,
    metavar="N",
    help="Into how many pieces to cut the training.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors on stderr.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    config: str,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    pieces: int,
    quiet: bool,
) -> int:
    """Train as CONFIG says twice, once stopped and resumed again and again; compare metrics and checkpoints."""
    with loading():
        from nntrain.cli.verifying import verify

    return verify(output_of(ctx), config, overrides, plugins, pieces, quiet)
