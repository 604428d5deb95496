"""``nntrain fit``: train."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, plugin_option, runs_dir_option, set_option
from nntrain.errors import ConfigError


@click.command(
    "fit",
    epilog=examples(
        "nntrain fit configs/iris_mlp.yaml",
        "nntrain fit iris.yaml --set optimizer.learning_rate=1e-2 --set epochs=50",
        "nntrain fit --resume latest",
        "nntrain fit iris.yaml --seeds 5",
    ),
)
@click.argument("config", required=False)
@set_option
@plugin_option
@runs_dir_option
@click.option("--run-dir", metavar="DIR", help="Exactly this directory, which must not exist.")
@click.option("--resume", metavar="RUN", help="Go on with this run; a CONFIG given is compared with its own.")
@click.option("--force-config", is_flag=True, help="With --resume: take CONFIG even where it differs.")
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="Train N times, with seeds one apart.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Processors to use at most; changes no bit.")
@click.option("--no-cache", is_flag=True, help="Read the CSV anew.")
@click.option("--overfit-batch", is_flag=True, help="Train on the first batch alone: can the network learn at all?")
@click.option("--dry-run", is_flag=True, help="Do everything but train.")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors on stderr.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, config: str | None, **options: Any) -> int:
    """Train a network as CONFIG says and leave a run directory."""
    if options["run_dir"] is not None and ctx.get_parameter_source("runs_dir") is ParameterSource.COMMANDLINE:
        raise ConfigError("--run-dir does not go with --runs-dir: it names the whole path", help="leave one out")
    with loading():
        from nntrain.cli.fit_modes import fit

    return fit(output_of(ctx), config, **options)
