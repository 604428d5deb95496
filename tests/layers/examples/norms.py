"""Normalization and dropout by channel."""

from __future__ import annotations

from typing import Any

Example = tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]

PADDED = {"padded": True}

EXAMPLES: dict[str, list[Example]] = {
    "group_norm": [
        ({"groups": 2}, (5, 6), PADDED),
        ({"groups": 1}, (4, 3), PADDED),
        ({"groups": 3, "affine": False}, (4, 3), PADDED),
        ({"groups": 2}, (3, 2, 4), PADDED),
        ({"groups": 3}, (6,), {}),
    ],
    "spatial_dropout": [
        ({}, (4, 6), {}),
        ({"rate": 0.3}, (3, 4, 5), {}),
        ({}, (6,), {}),
        ({"rate": 0.0}, (5, 3), PADDED),
    ],
}
