"""The picture as Mermaid source, which GitHub and many editors draw."""

from __future__ import annotations

from collections.abc import Iterator

from nntrain.graph.model import Chain, Graph, Group, Node, Part, parameters_text, shape_text

BOX, ROUND, CIRCLE = ('["', '"]'), ('(["', '"])'), ('(("', '"))')


def as_mermaid(graph: Graph) -> str:
    """Return a network as a Mermaid flowchart, with shapes on the edges and the parameters of each layer.

    >>> from nntrain.core.network import Network
    >>> from nntrain.graph.model import graph_of
    >>> from nntrain.layers.dense import Dense
    >>> print(as_mermaid(graph_of(Network(Dense(3), (4,)))), end="")
    flowchart TD
      n0(["input"])
      n1["dense<br/>15 parameters"]
      n2(["output"])
      n0 -->|"4"| n1
      n1 -->|"3"| n2
    """
    writer = _Writer(graph)
    nodes = [f"  {line}" for line in writer.chain(graph.chain)]
    edges = [
        f'  {writer.names[edge.source.key]} -->|"{escaped(shape_text(edge.shape))}"| {writer.names[edge.target.key]}'
        for edge in graph.edges
    ]
    return "\n".join(["flowchart TD", *nodes, *edges]) + "\n"


def escaped(words: str) -> str:
    """Return a text as it stands within quotes in Mermaid source.

    >>> escaped('a "b" <i> #1 & more')
    'a #quot;b#quot; #lt;i#gt; #35;1 #amp; more'
    """
    entities = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "\n": " "}
    return "".join(entities.get(character, character) for character in words)


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.names = {node.key: f"n{i}" for i, node in enumerate(graph.nodes)}
        self.groups = 0

    def chain(self, chain: Chain) -> Iterator[str]:
        for part in chain.parts:
            yield from self.part(part)

    def part(self, part: Part) -> Iterator[str]:
        if isinstance(part, Node):
            yield self.node(part)
        elif isinstance(part, Group):
            self.groups += 1
            yield f'subgraph g{self.groups}["{escaped(part.title)}"]'
            yield from (f"  {line}" for line in self.chain(part.chain))
            yield "end"
        else:
            for branch in part.branches:
                yield from self.chain(branch)
            yield self.node(part.join)

    def node(self, node: Node) -> str:
        sign = node.kind == "join" and len(node.title) == 1
        before, after = BOX if node.kind == "layer" else CIRCLE if sign else ROUND
        lines = filter(None, (node.title, parameters_text(node.parameters)))
        return f"{self.names[node.key]}{before}{'<br/>'.join(map(escaped, lines))}{after}"
