"""Sequences for tests, in long and in wide form, as columns of cells."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from nntrain.data.batches import Dataset
from nntrain.data.options import SequenceOptions
from nntrain.data.preparation import Prepared
from nntrain.errors import ConfigError, DataError

Columns = dict[str, list[Any]]


def long(**keys: Any) -> SequenceOptions:
    return SequenceOptions(**{"group": "id", "order": "t", **keys})


def walks(count: int = 30, seed: int = 0, longest: int = 6, per_row: bool = False) -> Columns:
    """Return sequences of 1 to ``longest`` rows, all rows of the file in random order."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        for t in range(int(random.integers(1, longest + 1))):
            label = (number + t * per_row) % 3
            rows.append((f"s{number}", t * 2 + 1, *random.normal(3, 2, 2).round(3).tolist(), "abc"[label]))
    shuffled = [rows[i] for i in random.permutation(len(rows))]
    return dict(zip(("id", "t", "u", "v", "y"), map(list, zip(*shuffled, strict=True)), strict=True))


def by_loops(columns: Columns) -> dict[str, list[int]]:
    """Return the row numbers of each id in its order, the ids as they first appear."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(columns["id"]):
        found.setdefault(name, []).append(row)
    return {name: sorted(rows, key=lambda row: columns["t"][row]) for name, rows in found.items()}


def parts(prepared: Prepared) -> list[Dataset]:
    return [part for part in (prepared.train, prepared.validation, prepared.test) if part is not None]


def plain(prepared: Prepared) -> tuple[str, dict[str, bytes]]:
    state, arrays = prepared.preprocessing.state()
    return json.dumps(state, allow_nan=False), {name: array.tobytes() for name, array in arrays.items()}


def ids_of(columns: Columns, data: Dataset) -> set[str]:
    rows = data.rows.ravel()
    return {columns["id"][row] for row in rows[rows >= 0]}


def refusal(workplace: Any, columns: Columns, sequence: SequenceOptions, **options: Any) -> str:
    """Return what is said where columns are refused."""
    with pytest.raises((DataError, ConfigError)) as caught:
        workplace.prepare(columns, sequence=sequence, **options)
    return caught.value.render()


def waves(
    count: int = 30, steps: int = 5, channels: int = 2, seed: int = 0, gaps: float = 0.0, length: bool = False
) -> Columns:
    """Return sequences of 1 to ``steps`` steps, empty behind them, with a share of gaps among their cells."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, steps + 1, count)
    values = random.normal(5, 3, (count, steps, channels)).round(3)
    missing = (random.random(values.shape) < gaps) | (np.arange(steps) >= lengths[:, None])[..., None]
    for row, true in enumerate(lengths):
        missing[row, true - 1, row % channels] = False  # the last step is there
    found: Columns = {"y": ["abc"[row % 3] for row in range(count)]}
    if length:
        found["n"] = lengths.tolist()
    for step in range(steps):
        for channel in range(channels):
            cells = values[:, step, channel].tolist()
            found[f"t{step}_c{channel}"] = [
                None if absent else cell for cell, absent in zip(cells, missing[:, step, channel], strict=True)
            ]
    return found


def wide(steps: int = 5, channels: int | None = 2, **keys: Any) -> SequenceOptions:
    return SequenceOptions(steps=steps, channels=channels, **keys)


def known_cells(columns: Columns, rows: list[int], steps: int, channels: int) -> list[list[float]]:
    """Return the cells of each channel in some rows that hold something."""
    return [
        [columns[f"t{t}_c{c}"][row] for row in rows for t in range(steps) if columns[f"t{t}_c{c}"][row] is not None]
        for c in range(channels)
    ]


def true_length(columns: Columns, row: int, steps: int, channels: int) -> int:
    return max(t + 1 for t in range(steps) for c in range(channels) if columns[f"t{t}_c{c}"][row] is not None)
