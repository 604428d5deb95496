"""Large CSVs of random numbers, written as fast as the disk takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CELL = len("0.0000,")
CELLS_A_PIECE = 4_000_000


def write_table(path: Path, rows: int, columns: int, classes: int, seed: int = 0) -> Path:
    """Write columns x0, x1, ... of numbers from 0.0000 to 9.9999, and ``label`` (c0000, c0001, ...); return the path.

    Each cell is as many bytes as any other, so a piece of the file is one array of characters. Row i of the first rows
    has class i: every class is there, however few rows there are.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    piece = max(1, CELLS_A_PIECE // columns)
    with path.open("wb") as file:
        file.write(",".join([*(f"x{number}" for number in range(columns)), "label\n"]).encode())
        for start in range(0, rows, piece):
            count = min(piece, rows - start)
            labels = generator.integers(0, classes, count)
            labels[: max(0, classes - start)] = np.arange(start, classes)[:count]
            file.write(characters(generator.integers(0, 100_000, (count, columns), "int32"), labels).tobytes())
    return path


def characters(numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the lines (N, bytes of a line) of numbers (N, columns) in units of 0.0001 and of labels (N,)."""
    rows, columns = numbers.shape
    cells = np.empty((rows, columns, CELL), "uint8")
    for place, power in zip((0, 2, 3, 4, 5), (10_000, 1000, 100, 10, 1), strict=True):
        cells[..., place] = numbers // power % 10 + ord("0")
    cells[..., 1], cells[..., 6] = ord("."), ord(",")
    label = np.empty((rows, 6), "uint8")
    label[:, 0], label[:, 5] = ord("c"), ord("\n")
    for place, power in enumerate((1000, 100, 10, 1), start=1):
        label[:, place] = labels // power % 10 + ord("0")
    return np.concatenate([cells.reshape(rows, -1), label], axis=1)
