"""Recurrent layers, over steps of their own number in each row too."""

from __future__ import annotations

from typing import Any

Example = tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]

PADDED = {"padded": True}


def every_way(arguments: dict[str, Any]) -> list[Example]:
    sequences = {**arguments, "units": 3, "return_sequences": True}
    return [
        ({**arguments, "units": 3}, (5, 4), PADDED),
        (sequences, (5, 4), PADDED),
        ({**arguments, "units": 4, "reverse": True}, (6, 1), PADDED),
        ({**sequences, "reverse": True}, (4, 2), PADDED),
        ({**sequences, "units": 1}, (1, 3), PADDED),
        ({**arguments, "units": 20}, (70, 9), {}),
    ]


def both_ways(layer: dict[str, Any]) -> Example:
    return {"layer": layer}, (5, 4), PADDED


EXAMPLES: dict[str, list[Example]] = {
    "rnn": [*every_way({}), *every_way({"activation": "relu"})],
    "lstm": [*every_way({}), ({"units": 2, "forget_bias": 0.0}, (3, 2), {})],
    "gru": [*every_way({}), *every_way({"reset": "before"})],
    "bidirectional": [
        both_ways({"name": "lstm", "units": 3}),
        both_ways({"name": "gru", "units": 3, "return_sequences": True}),
        both_ways({"name": "rnn", "units": 2, "reverse": True}),
    ],
    "last_step": [({}, (5, 3), PADDED), ({}, (1, 1), PADDED)],
}
