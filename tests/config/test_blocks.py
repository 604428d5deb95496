"""Blocks whose own value is the mapping of their arguments: ``residual: {layers: [...], shortcut: [...]}``."""

from __future__ import annotations

from typing import Any

import pytest

from nntrain.config.load import parse_text
from nntrain.config.schema import config_from
from nntrain.errors import ConfigError


def layers_of(written: str, *overrides: str) -> list[dict[str, Any]]:
    text = f"data: {{train: a.csv, target: y}}\narchitecture:\n  layers: {written}\n"
    layers: list[dict[str, Any]] = config_from(parse_text(text, "c.yaml"), overrides).architecture["layers"]
    return layers


FULL = "[{name: residual, layers: [relu], shortcut: [tanh]}]"


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("[{residual: {layers: [relu], shortcut: [tanh]}}]", FULL),
        ("[{residual: [relu], shortcut: [tanh]}]", FULL),
        ("[{branch: {branches: [[relu], []], merge: add}}]", "[{name: branch, branches: [[relu], []], merge: add}]"),
        ("[{repeat: {times: 2, layers: [relu]}}]", "[{name: repeat, times: 2, layers: [relu]}]"),
        ("[{residual: [{repeat: 2, layers: [relu]}]}]", "[{name: residual, layers: [{repeat: 2, layers: [relu]}]}]"),
    ],
)
def test_arguments_in_a_mapping(written: str, plain: str) -> None:
    assert layers_of(written) == layers_of(plain)


def test_the_shortcut_is_none_where_it_is_left_out() -> None:
    assert layers_of("[{residual: {layers: [relu]}}]")[0]["shortcut"] is None


def test_an_override_reaches_into_the_mapping() -> None:
    written = "[{residual: {layers: [relu], shortcut: [{name: dense, units: 3}]}}]"
    found = layers_of(written, "architecture.layers.0.residual.shortcut.0.units=5")
    assert found[0]["shortcut"][0]["units"] == 5


@pytest.mark.parametrize(
    ("written", "column", "message"),
    [
        ("[{residual: {layers: [rleu]}}]", 33, "architecture.layers.0.residual.layers.0: unknown layer 'rleu'"),
        ("[{residual: {layers: [relu], shortcut: [x]}}]", 51, "architecture.layers.0.residual.shortcut.0: unknown"),
        ("[{residual: {layers: [relu], short: [x]}}]", 40, "architecture.layers.0.residual.short: unknown key"),
        (
            "[{residual: [{residual: {layers: [{name: relu, x: 1}]}}]}]",
            58,
            "architecture.layers.0.residual.0.residual.layers.0.x: unknown key (relu takes no keys)",
        ),
    ],
)
def test_errors_within_the_mapping_keep_their_place(written: str, column: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        layers_of(written)
    (found,) = caught.value.problems
    assert found.message.startswith(message)
    assert (found.line, found.column) == (3, column)
