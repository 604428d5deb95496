"""Pictures of networks: what is in them, where it stands, and that text, Mermaid and SVG show the same."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.core.layer import LAYERS
from nntrain.core.network import Network
from nntrain.graph import FORMS, draw
from nntrain.graph import svg as svg_module
from nntrain.graph import text as text_module
from nntrain.graph.layout import Piece, layout
from nntrain.graph.mermaid import as_mermaid
from nntrain.graph.model import Chain, Graph, Group, Node, graph_of, shape_text
from nntrain.graph.svg import as_svg
from nntrain.graph.text import as_text
from nntrain.layers.sequential import Sequential

DENSE = {"name": "dense", "units": 3}
BLOCK = {"name": "transformer_block", "heads": 1}
SPECS = [
    "tanh",
    "layer_norm",
    {"name": "dense", "units": 6, "activation": "relu"},
    {"name": "dense", "units": 1234},
    BLOCK,
    {**BLOCK, "norm": "last", "dropout": 0.1, "hidden": 3},
    {"name": "bidirectional", "layer": {"name": "gru", "units": 3, "return_sequences": True}},
]


def _within(inner: Any) -> Any:
    lists = st.lists(inner, max_size=3)
    return st.one_of(
        st.builds(lambda layers: {"name": "residual", "layers": layers}, lists),
        st.builds(
            lambda layers, around: {"name": "residual", "layers": [*layers, DENSE], "shortcut": [*around, DENSE]},
            lists,
            lists,
        ),
        st.builds(lambda layers: {"name": "sequential", "layers": layers}, lists),
        st.builds(lambda layers: {"name": "repeat", "times": 2, "layers": layers}, lists),
        st.builds(lambda branches: {"name": "branch", "branches": branches}, st.lists(lists, min_size=1, max_size=3)),
    )


ANY_NETWORK = st.lists(st.recursive(st.sampled_from(SPECS), _within, max_leaves=4), max_size=3)
"""Lists of layers for sequences (4, 2), nested at will."""


def graph(*layers: Any, in_shape: tuple[int, ...] = (4, 2)) -> Graph:
    return graph_of(Network(Sequential(list(layers)), in_shape))


def arrows(found: Graph) -> list[tuple[str, str, str]]:
    return [(edge.source.title, shape_text(edge.shape), edge.target.title) for edge in found.edges]


def test_a_chain() -> None:
    found = graph({**DENSE, "activation": "gelu"}, "softmax", in_shape=(4,))
    expected = [("input", "4", "dense_1 + gelu"), ("dense_1 + gelu", "3", "softmax_1"), ("softmax_1", "3", "output")]
    assert arrows(found) == expected
    assert [node.parameters for node in found.nodes] == [0, 15, 0, 0]
    assert found.caption == "15 trainable parameters"


def test_a_network_of_nothing() -> None:
    found = graph_of(Network(Sequential([]), (4,)))
    assert arrows(found) == [("input", "4", "output")]
    assert as_text(found) == " input\n   │ 4\noutput\n\n0 trainable parameters\n"


def test_a_layer_that_is_the_network() -> None:
    found = graph_of(Network(LAYERS.build({"name": "residual", "layers": [DENSE]}), (4,)))
    assert arrows(found) == [
        ("input", "4", "dense_1"),
        ("input", "4", "projection"),
        ("dense_1", "3", "+"),
        ("projection", "3", "+"),
        ("+", "3", "output"),
    ]


def test_a_shortcut_is_an_empty_branch() -> None:
    found = graph({"name": "residual", "layers": ["tanh"]})
    assert arrows(found) == [
        ("input", "4 × 2", "tanh_1"),
        ("tanh_1", "4 × 2", "+"),
        ("input", "4 × 2", "+"),
        ("+", "4 × 2", "output"),
    ]


def test_the_layers_of_a_shortcut_are_drawn() -> None:
    around = [{"name": "dense", "units": 3, "bias": False}, "tanh"]
    found = graph({"name": "residual", "layers": [DENSE], "shortcut": around})
    assert arrows(found) == [
        ("input", "4 × 2", "dense_1"),
        ("input", "4 × 2", "dense_1"),
        ("dense_1", "4 × 3", "tanh_1"),
        ("dense_1", "4 × 3", "+"),
        ("tanh_1", "4 × 3", "+"),
        ("+", "4 × 3", "output"),
    ]


@pytest.mark.parametrize(("merge", "title"), [("add", "+"), ("multiply", "×"), ("concatenate", "concatenate")])
def test_branches(merge: str, title: str) -> None:
    found = graph(
        {"name": "branch", "branches": [["tanh"], [DENSE, {"name": "dense", "units": 2}], []], "merge": merge}
    )
    behind = "4 × 6" if merge == "concatenate" else "4 × 2"
    assert arrows(found) == [
        ("input", "4 × 2", "tanh_1"),
        ("input", "4 × 2", "dense_1"),
        ("dense_1", "4 × 3", "dense_2"),
        ("tanh_1", "4 × 2", title),
        ("dense_2", "4 × 2", title),
        ("input", "4 × 2", title),
        (title, behind, "output"),
    ]


def test_a_single_branch_is_no_fork() -> None:
    found = graph({"name": "branch", "branches": [["tanh", "relu"]]})
    assert [node.title for node in found.nodes] == ["input", "tanh_1", "relu_1", "output"]


def test_both_directions_are_branches() -> None:
    found = graph({"name": "bidirectional", "layer": {"name": "lstm", "units": 5}})
    assert [edge[1:] for edge in arrows(found)][-3:] == [("5", "concatenate"), ("5", "concatenate"), ("10", "output")]


def test_containers_with_a_name_are_groups() -> None:
    found = graph({"name": "repeat", "times": 2, "layers": [BLOCK]}, {"name": "sequential", "layers": ["tanh"]})
    _, repeat, sequential, _ = found.chain.parts
    assert isinstance(repeat, Group)
    assert isinstance(sequential, Group)
    blocks = [part.title for part in repeat.chain.parts if isinstance(part, Group)]
    assert (repeat.title, blocks, sequential.title) == (
        "repeat_1",
        ["transformer_block_1", "transformer_block_2"],
        "sequential_1",
    )
    assert sum(node.parameters for node in found.nodes) == found.parameters


@settings(max_examples=25)
@given(layers=ANY_NETWORK)
def test_every_layer_and_parameter_is_drawn(layers: list[Any]) -> None:
    network = Network(Sequential(layers), (4, 2))
    found = graph_of(network)
    drawn = {node.key: node.parameters for node in found.nodes if node.kind == "layer"}
    assert drawn == {row.name: row.parameters for row in network.table()}
    assert len({node.key for node in found.nodes}) == len(found.nodes)
    targets, sources = [edge.target.key for edge in found.edges], [edge.source.key for edge in found.edges]
    for node in found.nodes:
        assert (node.key in targets) == (node.kind != "input")
        assert (node.key in sources) == (node.kind != "output")
        assert node.kind == "join" or targets.count(node.key) <= 1


@settings(max_examples=25)
@given(layers=ANY_NETWORK, measures=st.sampled_from([text_module.MEASURES, svg_module.MEASURES]))
def test_nothing_is_drawn_over_something_else(layers: list[Any], measures: Any) -> None:
    found = graph(*layers)
    piece = layout(found, measures)
    assert len(piece.boxes) == len(found.nodes)
    assert {label.text for label in piece.labels} == {shape_text(edge.shape) for edge in found.edges}
    boxes = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in piece.boxes]
    labels = [
        (label.x + 1, label.y, label.x + measures.text(label.text), label.y + measures.edge) for label in piece.labels
    ]
    for one, other in combinations([*boxes, *labels], 2):
        assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3], (one, other)
    for left, top, right, bottom in [*boxes, *labels]:
        assert 0 <= left <= right <= piece.width
        assert 0 <= top <= bottom <= piece.height
    for line in piece.lines:
        for (x, y), (next_x, next_y) in zip(line.points, line.points[1:], strict=False):
            assert x == next_x or y == next_y
            for left, top, right, bottom in boxes:
                low, high = sorted((y, next_y))
                assert not (left < x < right and x == next_x and max(low, top) < min(high, bottom))
    _check_frames(piece)


def _check_frames(piece: Piece) -> None:
    """Check that a box is either within a frame, with room to its border, or outside of it."""
    for frame in piece.frames:
        right, bottom = frame.x + frame.width, frame.y + frame.height
        for box in piece.boxes:
            inside = frame.x < box.x and box.x + box.width < right and frame.y < box.y and box.y + box.height < bottom
            outside = box.y >= bottom or box.y + box.height <= frame.y or box.x >= right or box.x + box.width <= frame.x
            assert inside != outside


def test_lines_end_where_nodes_begin() -> None:
    piece = layout(graph({"name": "residual", "layers": [DENSE, "tanh"]}, BLOCK), svg_module.MEASURES)
    tops = {(box.x + box.width // 2, box.y) for box in piece.boxes}
    entered = {line.points[-1] for line in piece.lines if line.enters}
    assert entered == {top for top in tops if top[1] > 0}


def test_text_of_a_fork() -> None:
    layers = [{"name": "residual", "layers": ["tanh", DENSE]}]
    lines = as_text(graph(*layers, in_shape=(4,))).splitlines()
    assert lines[1].strip() == "│ 4"
    assert re.fullmatch(r" +┌─+┴─+┐", lines[2])
    assert [line.strip() for line in lines[-5:]] == ["(+)", "│ 3", "output", "", "27 trainable parameters"]
    shapes = next(line for line in lines if "3" in line and line.count("│") == 2 and "parameters" not in line)
    assert re.fullmatch(r" +│ 3 +│ 3", shapes)


def test_text_of_a_group_is_framed() -> None:
    lines = as_text(graph(BLOCK)).splitlines()
    top = next(line for line in lines if "transformer_block_1" in line)
    assert re.fullmatch(r" *╭[ a-z_0-9┄│]*╮", top)
    assert sum(line.count("╰") for line in lines) == 1
    frame = [line for line in lines if "┆" in line]
    assert len({(line.index("┆"), line.rindex("┆")) for line in frame}) == 1


@settings(max_examples=25)
@given(layers=ANY_NETWORK)
def test_text_names_all_and_joins_all(layers: list[Any]) -> None:
    found = graph(*layers)
    drawn = as_text(found)
    for node in found.nodes:
        assert node.title in drawn
    assert drawn.count("┌") >= sum(node.kind == "layer" for node in found.nodes)
    assert all(line == line.rstrip() for line in drawn.splitlines())
    _check_lines_meet(drawn)


OPEN_TO = {
    "up": set("│└┘├┤┴┼"),
    "down": set("│┌┐├┤┬┼"),
    "left": set("─┐┘┤┬┴┼"),
    "right": set("─┌└├┬┴┼"),
}


def _check_lines_meet(drawn: str) -> None:
    """Check that no line ends in nothing: sideways it meets a line, up and down a line or words."""
    rows = drawn.splitlines()

    def at(x: int, y: int) -> str:
        return rows[y][x] if 0 <= y < len(rows) and 0 <= x < len(rows[y]) else " "

    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            if character in OPEN_TO["right"]:
                assert at(x + 1, y) in OPEN_TO["left"], (x, y, drawn)
            if character in OPEN_TO["left"]:
                assert at(x - 1, y) in OPEN_TO["right"], (x, y, drawn)
            if character in OPEN_TO["down"]:
                assert at(x, y + 1) != " ", (x, y, drawn)
            if character in OPEN_TO["up"]:
                assert at(x, y - 1) != " ", (x, y, drawn)


NODE_LINE = re.compile(r'n(\d+)(\["[^"]*"\]|\(\["[^"]*"\]\)|\(\("[^"]*"\)\))')
EDGE_LINE = re.compile(r'  n(\d+) -->\|"([^"]*)"\| n(\d+)')


@settings(max_examples=25)
@given(layers=ANY_NETWORK)
def test_mermaid_has_the_nodes_and_edges(layers: list[Any]) -> None:
    found = graph(*layers)
    first, *lines = as_mermaid(found).splitlines()
    assert first == "flowchart TD"
    nodes, edges, depth = [], [], 0
    for line in lines:
        node, edge = NODE_LINE.fullmatch(line.strip()), EDGE_LINE.fullmatch(line)
        if node:
            nodes.append(int(node[1]))
        elif edge:
            edges.append((int(edge[1]), edge[2], int(edge[3])))
        else:
            assert re.fullmatch(r' *(subgraph g\d+\["[a-z_0-9]+"\]|end)', line)
            depth += 1 if "subgraph" in line else -1
            assert depth >= 0
    assert depth == 0
    assert nodes == list(range(len(found.nodes)))
    keys = [node.key for node in found.nodes]
    assert edges == [
        (keys.index(edge.source.key), shape_text(edge.shape), keys.index(edge.target.key)) for edge in found.edges
    ]


def test_mermaid_escapes_names() -> None:
    odd = Node("odd", "layer", 'a "b"] <script>#1; `&`\nend', (2,))
    drawn = as_mermaid(Graph(Chain((Node("input", "input", "input", (2,)), Group('say "x"', Chain((odd,))))), 0))
    assert "  subgraph" in drawn
    assert 'n1["a #quot;b#quot;] #lt;script#gt;#35;1; #96;#amp;#96; end"]' in drawn
    assert 'g1["say #quot;x#quot;"]' in drawn


def _elements(drawn: str, tag: str, kind: str = "") -> list[ElementTree.Element]:
    found = ElementTree.fromstring(drawn).iter(f"{{http://www.w3.org/2000/svg}}{tag}")
    return [element for element in found if kind in ("", element.get("class"))]


@settings(max_examples=25)
@given(layers=ANY_NETWORK)
def test_svg_shows_what_the_model_holds(layers: list[Any]) -> None:
    found = graph(*layers)
    drawn = as_svg(found)
    assert [element.text for element in _elements(drawn, "text", "title")] == [
        box.node.title for box in layout(found, svg_module.MEASURES).boxes
    ]
    assert {element.text for element in _elements(drawn, "text", "shape")} == {
        shape_text(edge.shape) for edge in found.edges
    }
    assert len(_elements(drawn, "text", "count")) == sum(node.parameters > 0 for node in found.nodes)
    root = ElementTree.fromstring(drawn)
    width, height = int(root.get("width", "0")), int(root.get("height", "0"))
    for box in _elements(drawn, "rect"):
        assert int(box.get("x", "0")) + int(box.get("width", "0")) <= width
        assert int(box.get("y", "0")) + int(box.get("height", "0")) <= height


def test_svg_is_one_file_for_light_and_dark() -> None:
    drawn = as_svg(graph(BLOCK))
    links = re.findall(r"https?://[^\"]*", drawn)
    assert links == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|url\(|<image|<script|href", drawn)
    light, dark = drawn.split("@media (prefers-color-scheme: dark)")
    colored = set(re.findall(r"\.([a-z]+)[ ,{]", light.split("<style>")[1].split("</style>")[0])) - {"title"}
    assert colored <= set(re.findall(r"\.([a-z]+)", dark.split("</style>")[0]))


def test_svg_escapes_names() -> None:
    odd = Node("odd", "layer", "<b>&\x1b]", (2,))
    drawn = as_svg(Graph(Chain((Node("input", "input", "input", (2,)), Group('"<i>"', Chain((odd,))))), 0))
    assert _elements(drawn, "text", "title")[1].text == "<b>&\\x1b]"
    assert _elements(drawn, "text", "group")[0].text == '"<i>"'


def test_draw_knows_the_forms() -> None:
    network = Network(Sequential([DENSE]), (4,))
    assert {form: draw(network, form)[:9] for form in FORMS} == {
        "text": "         ",
        "mermaid": "flowchart",
        "svg": "<svg xmln",
    }
    assert all(draw(network, form).endswith("\n") for form in FORMS)


def test_drawing_leaves_the_network_as_it_was() -> None:
    network = Network(Sequential(["batch_norm", DENSE]), (4,))
    before = {name: value.copy() for name, value in network.state().items()}
    draw(network, "text")
    for name, value in network.state().items():
        assert (value == before[name]).all()
