"""Columns and options of the tests of forecasting."""

from __future__ import annotations

import math
import random
from typing import Any

from nntrain.data.options import SeriesOptions
from nntrain.data.preparation import Prepared
from tests.data.conftest import Columns, Workplace

ROWS = 40
SHARE = 0.25


def columns_of(rows: int = ROWS, seed: int = 0, **more: Any) -> dict[str, list[Any]]:
    """Return a walk above 0, an exogenous column and the years as order."""
    values = random.Random(seed)
    level, y = 100.0, []
    for _ in range(rows):
        level *= math.exp(values.gauss(0.01, 0.1))
        y.append(round(level, 3))
    return {"year": list(range(1900, 1900 + rows)), "a": [round(values.gauss(0, 1), 3) for _ in range(rows)], "y": y}


def series(window: int, **options: Any) -> SeriesOptions:
    return SeriesOptions(window=window, **options)


def prepared(workplace: Workplace, columns: Columns, window: int, **options: Any) -> Prepared:
    own = ("horizon", "step", "include_target", "log", "difference")
    form = series(window, **{key: options.pop(key) for key in own if key in options})
    return workplace.prepare(columns, **{"series": form, "order": "year", "validation": SHARE, **options})


def panel(rows: int = 30) -> dict[str, list[Any]]:
    """Return two series of one length and a short one, side by side in time."""
    whole = columns_of(rows)
    found: dict[str, list[Any]] = {"s": [], "year": [], "y": []}
    for i in range(rows):
        for name, length in (("north", rows), ("south", rows), ("islet", 4)):
            if i >= rows - length:
                found["s"].append(name)
                found["year"].append(whole["year"][i])
                found["y"].append(whole["y"][i] * (1 + len(name)) + i)
    return found
