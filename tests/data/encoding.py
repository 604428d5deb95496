"""What encoders make of whole columns."""

from __future__ import annotations

import numpy as np

from nntrain.core.array import Array
from nntrain.data.column import Column
from nntrain.data.encoders import Encoder


def inputs_of(encoder: Encoder, column: Column, stretch: int = 2) -> Array:
    """Return the input columns (width, N) float64 of all rows, encoded in stretches of so many rows."""
    write = encoder.encoding(column)
    out = np.full((len(column), len(encoder.outputs())), np.nan)
    for start in range(0, len(column), stretch):
        rows = slice(start, min(start + stretch, len(column)))
        write(rows, out[rows])
    return out.T
