"""``nntrain check``: validate a config and its data without training."""

from __future__ import annotations

from pathlib import Path

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, plugin_option, set_option
from nntrain.cli.picture import PictureCommand, give_picture, graph_options
from nntrain.errors import escape


@click.command(
    "check",
    cls=PictureCommand,
    epilog=examples(
        "nntrain check configs/iris_mlp.yaml",
        "nntrain check iris.yaml --json",
        "nntrain check iris.yaml --graph",
        "nntrain check iris.yaml -o network.svg",
    ),
)
@click.argument("config")
@set_option
@plugin_option
@graph_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    config: str,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    graph: str | None,
    file: str | None,
) -> None:
    """Validate CONFIG and its data without training: shapes, parameters, FLOPs, memory, what the data hold."""
    with loading():
        from nntrain import blas
        from nntrain.cli.configs import user_config
        from nntrain.cli.output import labelled
        from nntrain.cli.tables import layer_table, layers_as_json
        from nntrain.experiment import assemble

    output = output_of(ctx)
    checked = user_config(output, config, overrides, plugins)
    experiment = assemble(checked, fold=None if checked.data.folds is None else 0)
    prepared, network, notices = experiment.prepared, experiment.network, experiment.notices
    memory = experiment.memory_bytes()  # first, since it says at which layer there is too little
    made_from = [config, *plugins, *(str(Path(config).parent / name) for name in prepared.sources)]
    if give_picture(ctx, network, graph, file, made_from):
        for notice in notices:
            output.tell(notice)
        return
    lines = [
        *prepared.summary.lines(),
        *(labelled(notice) for notice in notices),
        "",
        layer_table(network),
        f"training memory: about {memory / 1e6:,.1f} MB",
        *(labelled(notice) for notice in blas.notices()),
        f"{escape(config)}: ok",
    ]
    document = {
        "config": experiment.config.resolved(),
        "data": prepared.summary.as_json(),
        "notices": notices,
        "layers": layers_as_json(network),
        "parameters": network.store.size,
        "memory_bytes": memory,
    }
    output.result("\n".join(lines), document)
