"""Configs as flat mappings of dotted keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nntrain.errors import RunError

MOST_KEYS = 10_000
MOST_LEVELS = 50


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested config by dotted key; lists of plain values stay whole, lists of mappings are numbered from 0.

    Raises:
        RunError: more keys or levels than any config has, as aliases in a hostile file can make them.

    >>> flatten({"optimizer": {"name": "adam"}, "architecture": {"hidden": [16, 16]}})
    {'optimizer.name': 'adam', 'architecture.hidden': [16, 16]}
    """
    flat: dict[str, Any] = {}
    for count, (key, value) in enumerate(_leaves("", config, 0)):
        if count >= MOST_KEYS:
            raise RunError(f"the config has more than {MOST_KEYS:,} keys")
        flat[key] = value
    return flat


def _leaves(prefix: str, value: Any, level: int) -> Iterator[tuple[str, Any]]:
    if level > MOST_LEVELS:
        raise RunError(f"the config is nested more than {MOST_LEVELS} levels deep")
    if isinstance(value, Mapping) and value:
        items: Any = value.items()
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        items = enumerate(value)
    else:
        yield prefix, value
        return
    for key, inner in items:
        yield from _leaves(f"{prefix}.{key}" if prefix else str(key), inner, level + 1)
