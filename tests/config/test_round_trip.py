"""Writing and reading back; and any bytes at all are a config or a ConfigError."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nntrain.config.dump import dump_yaml
from nntrain.config.load import parse_document, parse_text
from nntrain.config.schema import config_from
from nntrain.errors import ConfigError

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_words = [
    "no",
    "1e-3",
    "0o17",
    "~",
    "null",
    "true",
    "<<",
    "=",
    "“x”",
    "1_0",
    "'",
    '"',
    "\\",
    "@x",
    "&a",
    "*a",
    "!x",
    "%",
    "|",
    ">",
    "[",
    "{",
    "---",
    "...",
    "?",
    ":",
    "::",
    "a:",
    "-",
    "\x1b",
    "\ufeff",
]
_tricky = st.sampled_from(_words) | st.sampled_from(
    [
        "",
        " ",
        "- a",
        "a: b",
        "# c",
        "a\n b\n",
        "\t",
        "9" * 400,
        "\u2028",
        "\r",
        "\x85",
        " a",
        "a ",
        "? a",
        "<<<<<<< HEAD",
    ]
)
_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text | _tricky
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text | _tricky, inner, max_size=4),
    max_leaves=25,
)


@given(_values)
def test_any_plain_values_read_back_as_they_were(values: Any) -> None:
    document = parse_text(dump_yaml({"top": values}), "c.yaml")
    assert not document.problems
    assert document.values == {"top": values}
    assert repr(document.values) == repr({"top": values})


def test_long_text_stays_one_line() -> None:
    assert dump_yaml({"a": "word " * 100 + "end"}).count("\n") == 1


_share = st.floats(0, 1, exclude_max=True)
_rate = st.floats(1e-12, 1e3)
_layers: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["relu", "tanh", {"name": "sigmoid"}])
    | st.builds(lambda units: {"name": "dense", "units": units}, st.integers(1, 99)),
    lambda inner: (
        st.builds(lambda layers: {"residual": layers}, st.lists(inner, min_size=1, max_size=2))
        | st.builds(lambda n, layers: {"repeat": n, "layers": layers}, st.integers(1, 4), st.lists(inner, min_size=1))
        | st.builds(
            lambda layers: {"branch": [layers, layers], "merge": "add"}, st.lists(inner, min_size=1, max_size=2)
        )
    ),
    max_leaves=6,
)
_configs = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"train": _text.filter(bool) | st.lists(_text.filter(bool), min_size=1, max_size=3), "target": _text},
            optional={
                "validation": _share | st.sampled_from(["none", "val.csv"]),
                "test": st.none() | _share | st.just("t.csv"),
                "missing_values": st.lists(_text, max_size=3),
                "columns": st.dictionaries(_text, st.just({"type": "text"}), max_size=2),
                "header": st.booleans() | st.lists(_text.filter(bool), min_size=1, max_size=3, unique=True),
                "positive_class": st.none() | _text | st.integers(),
            },
        ),
        "architecture": st.sampled_from(["mlp", "linear", {"name": "mlp", "hidden": [3, 4]}])
        | st.builds(lambda layers: {"layers": layers}, st.lists(_layers, min_size=1, max_size=3)),
    },
    optional={
        "optimizer": st.builds(lambda rate: {"name": "sgd", "learning_rate": rate}, _rate)
        | st.just({"name": "adam", "learning_rate": {"name": "cosine", "initial": 0.1}}),
        "seed": st.integers(0, 2**80),
        "epochs": st.integers(0, 1000),
        "batch_size": st.integers(1, 1000) | st.just("full"),
        "class_weight": st.just("balanced") | st.dictionaries(_text, _rate, max_size=3),
        "regularization": st.fixed_dictionaries({}, optional={"l1": _share, "l2": _share}),
        "metrics": st.just("mae") | st.lists(st.sampled_from(["mae", "mse"]), max_size=2),
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(_configs)
def test_a_resolved_config_is_a_config_and_the_same(values: dict[str, Any]) -> None:
    # What a target may not be at the same time as a class list is no concern here.
    first = config_from(parse_text(dump_yaml(values), "c.yaml"))
    second = config_from(parse_text(dump_yaml(first.resolved()), "other.yaml"))
    assert second == first
    assert second.resolved() == first.resolved()
    assert second.defaulted == []
    assert dump_yaml(second.resolved()) == dump_yaml(first.resolved())


def _is_config_or_error(content: bytes) -> None:
    try:
        config_from(parse_document(content, "c.yaml"))
    except ConfigError as error:
        assert error.exit_code == 2
        assert error.problems
        assert all(problem.path == "c.yaml" for problem in error.problems)
        for line in str(error).splitlines():
            assert line.isprintable()


@given(st.binary(max_size=60))
def test_any_bytes_are_a_config_or_a_config_error(content: bytes) -> None:
    _is_config_or_error(content)


_keys = [
    "data",
    "train",
    "target",
    "a.csv",
    "architecture",
    "mlp",
    "layers",
    "dense",
    "units",
    "name",
    "optimizer",
    "lr",
    "residual",
    "branch",
    "repeat",
]
_signs = st.sampled_from(
    [": ", ":", "\n", "\n  ", "\n    ", "- ", "{", "}", "[", "]", ", ", "&a ", "*a", "<<: ", "!!x "]
)
_rest = st.sampled_from(
    ["'", '"', "| ", "> ", "1", "1e-3", "null", ".nan", "? ", "# ", "%", "@", "\t", "---\n", "...\n"]
)
_pieces = st.sampled_from(_keys) | _signs | _rest


@settings(max_examples=300)
@given(st.lists(_pieces, max_size=30))
def test_any_pieces_of_yaml_are_a_config_or_a_config_error(pieces: list[str]) -> None:
    _is_config_or_error("".join(pieces).encode())


_nearly = st.recursive(
    _scalars | st.sampled_from(["mlp", "adam", "dense", "relu", "full", "a.csv"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "train", "target", "units", "layers", "residual", "branch", "repeat", "hidden", "norm"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(
            ["data", "architecture", "optimizer", "loss", "metrics", "callbacks", "class_weight", "checkpoint", "name"]
        ),
        _nearly,
    )
)
def test_any_values_under_known_keys_are_a_config_or_a_config_error(values: dict[str, Any]) -> None:
    _is_config_or_error(dump_yaml(values).encode())


@pytest.mark.parametrize("depth", [10, 24, 40])
def test_deep_blocks_are_read_or_refused(depth: int) -> None:
    layers: Any = ["relu"]
    for _ in range(depth):
        layers = [{"residual": layers}]
    _is_config_or_error(dump_yaml({"data": {"train": "a", "target": "y"}, "architecture": {"layers": layers}}).encode())
