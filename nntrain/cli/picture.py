"""``--graph``: the picture of a network, for the commands that have one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from nntrain.cli.options import F, output_of
from nntrain.errors import ConfigError, escape, quote

if TYPE_CHECKING:
    from nntrain.core.network import Network

FORMS = ("text", "mermaid", "svg")
BY_SUFFIX = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}
_NOT_DRAWN = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".pdf", ".ps", ".eps"})
NO_FORM = "nntrain.graph without a form"
"""Key of the command line's notes: ``--graph`` stands alone, so the file's name decides, and else it is text."""


class PictureCommand(click.Command):
    """A command whose ``--graph`` may be followed by an argument, which is then not taken for the form."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        found: list[str] = []
        for argument, following in zip_longest(args, args[1:]):
            alone = argument == "--graph" and following not in FORMS
            ctx.meta[NO_FORM] = ctx.meta.get(NO_FORM, False) or alone
            found.append("--graph=text" if alone else argument)
        return super().parse_args(ctx, found)


def graph_options(command: F) -> F:
    """Add ``--graph`` and ``-o``."""
    form = click.option(
        "--graph",
        type=click.Choice(FORMS),
        metavar="[=text|mermaid|svg]",
        help="Draw the network instead; as text where no form is named.",
    )
    file = click.option(
        "-o", "--output", "file", metavar="FILE", help="Write the drawing to a .svg, .mmd or text file."
    )
    return form(file(command))


def give_picture(
    ctx: click.Context, network: Network, graph: str | None, file: str | None, made_from: Iterable[str] = ()
) -> bool:
    """Give the picture that was asked for, if any; return whether stdout has it, and thus nothing else.

    Args:
        ctx: of the command.
        network: to draw.
        graph: the form, or None.
        file: where to, or None.
        made_from: files that must not be written over.
    """
    if graph is None and file is None:
        return False
    from nntrain.cli.written import write_result
    from nntrain.graph import draw

    suffix = PurePath(file or "").suffix.lower()
    if suffix in _NOT_DRAWN and (ctx.meta[NO_FORM] or not graph):
        message = f"-o: expected a .svg, .mmd or text file for the drawing, got {quote(file)}"
        raise ConfigError(message, help="a browser shows .svg, and most programs make other pictures of it")
    output = output_of(ctx)
    form = BY_SUFFIX.get(suffix, "text") if ctx.meta[NO_FORM] or not graph else graph
    document: dict[str, Any] = {"graph": draw(network, "mermaid")}
    if file is None:
        output.raw(draw(network, form), document)
        return not output.json
    write_result(file, draw(network, form).encode(), made_from)
    output.notice(f"network drawn in {escape(file)}")
    output.keep({**document, "written": file})
    return False
