"""A curve in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int = 50) -> str:
    """Return a curve of at most ``width`` characters, then its first and last value.

    >>> sparkline([0.0, 0.5, 1.0])
    '▁▅█  0.0000 to 1.0000'
    """
    from nntrain.cli.progress import number

    chosen = [
        values[i * (len(values) - 1) // max(1, min(width, len(values)) - 1)] for i in range(min(width, len(values)))
    ]
    known = [value for value in chosen if value is not None and math.isfinite(value)]
    if not known:
        return "-"
    low, span = min(known), (max(known) - min(known)) or 1.0
    marks = (" " if v is None or not math.isfinite(v) else _BLOCKS[round((v - low) / span * 7)] for v in chosen)
    return f"{''.join(marks)}  {number(values[0])} to {number(values[-1])}"
