"""``nntrain list``: what a config can name."""

from __future__ import annotations

from typing import Any

import click

from nntrain.cli.loading import loading
from nntrain.cli.options import examples, json_option, output_of, plugin_option


@click.command(
    "list",
    epilog=examples(
        "nntrain list", "nntrain list optimizer", "nntrain list layer dense", "nntrain list --plugin my_layers.py"
    ),
)
@click.argument("kind", required=False)
@click.argument("name", required=False)
@plugin_option
@json_option
@click.pass_context
def command(ctx: click.Context, kind: str | None, name: str | None, plugins: tuple[str, ...]) -> None:
    """List what a config can name, with arguments.

    KIND is architecture, layer, loss, optimizer, schedule, metric, initializer or callback (plural works too); NAME is
    one of its names.
    """
    with loading():
        from nntrain.cli.configs import use_plugins
        from nntrain.config.explain import describe
        from nntrain.registry import kinds, registry_of

    output = output_of(ctx)
    use_plugins(output, plugins)
    chosen = kinds() if kind is None else [_singular(kind)]
    if kind is not None and name is not None:
        registry_of(chosen[0]).get(name)
        output.result(describe(chosen[0], name), {"kind": chosen[0], **_entry(chosen[0], name)})
        return
    found = {one: registry_of(one).names() for one in chosen}
    text = "\n\n".join(_section(one, names, with_arguments=kind is not None) for one, names in found.items())
    output.result(text, {one: [_entry(one, n) for n in names] for one, names in found.items()})


def _section(kind: str, names: list[str], with_arguments: bool) -> str:
    """Return the names of a kind with their first sentences, and their arguments where only one kind is asked for."""
    from nntrain.cli.tables import table
    from nntrain.config.explain import describe
    from nntrain.registry import registry_of

    if with_arguments:
        return "\n\n".join(describe(kind, name) for name in names)
    rows = [[f"  {name}", registry_of(kind).get(name).summary] for name in names]
    return table([kind, ""], rows)


def _entry(kind: str, name: str) -> dict[str, Any]:
    from nntrain.config.explain import rows_of
    from nntrain.config.specs import model_of
    from nntrain.registry import registry_of

    rows = rows_of(model_of(kind, name))
    arguments = [{"name": r.key, "type": r.type, "default": r.default, "description": r.doc} for r in rows]
    return {"name": name, "summary": registry_of(kind).get(name).summary, "arguments": arguments}


def _singular(kind: str) -> str:
    from nntrain.errors import ConfigError, did_you_mean, enumerate_names, quote
    from nntrain.registry import kinds

    known = {one: one for one in kinds()} | {_plural(one): one for one in kinds()}
    if kind not in known:
        shown = enumerate_names(kinds())
        raise ConfigError(f"KIND: expected one of {shown}, got {quote(kind)}{did_you_mean(kind, known)}")
    return known[kind]


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"
