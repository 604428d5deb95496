"""Layers that know nothing of steps keep the contract on padded sequences too."""

from __future__ import annotations

from typing import Any

Example = tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]

EXAMPLES: dict[str, list[Example]] = {
    "identity": [({}, (6,), {}), ({}, (5, 3), {"padded": True})],
    "tanh": [({}, (6,), {}), ({}, (20,), {}), ({}, (5, 3), {"padded": True})],
}
