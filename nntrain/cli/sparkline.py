"""A curve in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[Any], width: int = 50) -> str:
    """Return a curve of at most ``width`` characters, then its first and last value; what is no number is a gap.

    >>> sparkline([0.0, 0.5, 1.0]), sparkline([1.0, "odd", 10**400, 2.0])
    ('▁▅█  0.0000 to 1.0000', '▁  █  1.0000 to 2.0000')
    """
    from nntrain.cli.progress import number

    numbers = [_finite(value) for value in values]
    count = min(width, len(numbers))
    chosen = [numbers[i * (len(numbers) - 1) // max(1, count - 1)] for i in range(count)]
    known = [value for value in chosen if value is not None]
    if not known:
        return "-"
    low, span = min(known), (max(known) - min(known)) or 1.0
    marks = (" " if v is None else _BLOCKS[round((v - low) / span * 7)] for v in chosen)
    return f"{''.join(marks)}  {number(numbers[0])} to {number(numbers[-1])}"


def _finite(value: Any) -> float | None:
    """Return a finite number, None for whatever else a damaged file may hold."""
    try:
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
    except OverflowError:  # an integer beyond all floats
        return None
