"""Whether a monitored value has become better."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["auto", "min", "max"]


def is_better(value: float | None, than: float | None, mode: Mode, min_delta: float = 0.0) -> bool:
    """Return whether ``value`` improves on ``than`` by more than ``min_delta``.

    An undefined or non-finite value never does; any finite one improves on None.

    >>> is_better(0.9, 0.8, "max"), is_better(0.9, 0.8, "min"), is_better(math.nan, None, "min")
    (True, False, False)
    """
    if value is None or not math.isfinite(value):
        return False
    if than is None:
        return True
    return value > than + min_delta if mode == "max" else value < than - min_delta
