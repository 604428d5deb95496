"""A network as a picture: :func:`draw` makes text for a terminal, Mermaid source, or an SVG."""

from __future__ import annotations

from nntrain.core.network import Network
from nntrain.graph.mermaid import as_mermaid
from nntrain.graph.model import graph_of
from nntrain.graph.svg import as_svg
from nntrain.graph.text import as_text

FORMS = {"text": as_text, "mermaid": as_mermaid, "svg": as_svg}


def draw(network: Network, form: str) -> str:
    """Return the picture of a network in one of the ``FORMS``, ending with a line break."""
    return FORMS[form](graph_of(network))
