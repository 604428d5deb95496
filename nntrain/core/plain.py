"""Plain values: those that JSON gives back as they were."""

from __future__ import annotations

import math
from typing import Any

from nntrain.errors import quote

DEEPEST = 100
"""Lists and mappings within each other; what holds itself is nested deeper."""


def odd_part(value: Any) -> str | None:
    """Return what of a value is not plain and why, or None: text, finite numbers, true, false, None, lists, mappings.

    >>> odd_part({"best": 0.5, "seen": [1, None, "a"]}) is None
    True
    >>> odd_part({"seen": [1, {2}]}), odd_part({"best": float("inf")}), odd_part({1: 2})
    ("'seen.1' is of type set", "'best' is inf", 'the key 1 is no text')
    """
    found = _odd(value, 0)
    if found is None:
        return None
    path, what = found
    return f"{quote('.'.join(path))} {what}" if path else what


def _odd(value: Any, depth: int) -> tuple[list[str], str] | None:
    """Return where, as keys and numbers, and what."""
    if depth > DEEPEST:
        return [], "is nested too deeply"
    if isinstance(value, (dict, list, tuple)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(value, dict) and type(key) is not str:
                return [], f"the key {quote(key)} is no text"
            found = _odd(inner, depth + 1)
            if found is not None:
                return [str(key), *found[0]], found[1]
    elif value is not None and type(value) not in (str, int, float, bool):
        return [], f"is of type {type(value).__name__}"
    elif isinstance(value, float) and not math.isfinite(value):
        return [], f"is {value}"
    return None
