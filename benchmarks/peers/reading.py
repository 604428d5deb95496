"""What a peer is told: the case as one JSON argument, its rows from the CSV that nntrain reads too."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pandas as pd

Case = dict[str, Any]


def read_case() -> tuple[Case, np.ndarray, np.ndarray]:
    """Return the case, the inputs (N, *shape of an example) as float32, and the labels (N,) or numbers (N, 1)."""
    case = json.loads(sys.argv[1])
    table = pd.read_csv(case["csv"])
    label = table.pop("label")
    # Pandas hands out columns; gathering rows wants the rows together.
    x = np.array(table, "float32", order="C").reshape(-1, *case["shape"])
    if case["pixels"]:
        x /= 255
    if case["classes"]:
        return case, x, label.str[1:].to_numpy("int32", copy=True)
    return case, x, label.to_numpy("float32", copy=True)[:, None]


def report(seconds: list[float], version: str) -> None:
    """Print the seconds of each epoch, as the last line of stdout."""
    print(json.dumps({"epochs": seconds, "version": version}))
