"""Reading a CSV, exact about every cell, against pandas' own read of the same file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import Bench, peer, told
from markdown import number
from markdown import table as markdown_table
from rounds import OURS, Contender, Measured, interleaved, ratio

TYPED, UNTYPED = "pandas, types given", "pandas"

AT_MOST = 1.3
"""Largest ratio to pandas with its types given that is wanted."""

BYTES, TINY_BYTES = 100 << 20, 50_000
_PIECE_ROWS = 1000
"""Different rows: a file is these again and again, which no reader makes use of."""


def floats(random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return names and rows of 20 numbers of 6 to 8 digits."""
    cells = random.normal(50, 100, (_PIECE_ROWS, 20)).round(5)
    return [f"x{i}" for i in range(20)], [",".join(map(repr, row)) for row in cells.tolist()]


def full_floats(random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return names and rows of 20 numbers with all the digits that Python writes, mostly 16 to 18."""
    cells = random.normal(size=(_PIECE_ROWS, 20)).tolist()
    return [f"x{i}" for i in range(20)], [",".join(map(repr, row)) for row in cells]


def pixels(random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return names and rows of 785 whole numbers from 0 to 255, most of them 0."""
    cells = random.integers(0, 256, (_PIECE_ROWS, 785)) * (random.random((_PIECE_ROWS, 785)) < 0.3)
    return [f"x{i}" for i in range(785)], [",".join(map(str, row)) for row in cells.tolist()]


def mixed(random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return names and rows of numbers, some of them missing, whole numbers, and text of a few kinds."""
    numbers, wholes = floats(random)[1], random.integers(-1000, 100_000, (_PIECE_ROWS, 4)).tolist()
    kinds, holes = random.integers(0, 20, _PIECE_ROWS).tolist(), random.random(_PIECE_ROWS) < 0.05
    rows = [
        ",".join([*number.split(",")[:8], *map(str, whole), "" if hole else "1.25", f"kind {kind}"])
        for number, whole, kind, hole in zip(numbers, wholes, kinds, holes, strict=True)
    ]
    return [f"x{i}" for i in range(14)], rows


def quoted(random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return names and rows of 10 numbers, and text of a few kinds in quotes."""
    rows = [",".join(row.split(",")[:10]) for row in floats(random)[1]]
    kinds = random.integers(0, 20, _PIECE_ROWS).tolist()
    return [f"x{i}" for i in range(11)], [f'{row},"kind {kind}"' for row, kind in zip(rows, kinds, strict=True)]


CASES: dict[str, tuple[Callable[[np.random.Generator], tuple[list[str], list[str]]], dict[int, str], str]] = {
    "20 columns of floats": (floats, {}, "float64"),
    "20 columns of floats, all digits": (full_floats, {}, "float64"),
    "785 columns of pixels": (pixels, {}, "int64"),
    "floats, whole numbers and text": (
        mixed,
        {8: "int64", 9: "int64", 10: "int64", 11: "int64", 13: "category"},
        "float64",
    ),
    "floats, and text in quotes": (quoted, {10: "category"}, "float64"),
}
"""What makes the rows; the types that pandas is told of some columns, and of all others."""


def cases(bench: Bench) -> Iterable[str]:
    """Return the kinds of tables."""
    return CASES


def measure(name: str, bench: Bench) -> dict[str, Any]:
    """Measure the reading of a file of 100 MB, without the start of the process; values are seconds."""
    make, types, other = CASES[name]
    csv = written(make, bench.data / "reading.csv", TINY_BYTES if bench.tiny else BYTES)
    width = len(csv.open(encoding="utf-8").readline().split(","))
    told_types = [types.get(i, other) for i in range(width)]
    contenders = [
        Contender(who, partial(read, {"reader": who, "csv": str(csv), "types": told_types}))
        for who in (OURS, TYPED, UNTYPED)
    ]
    try:
        return {"bytes": csv.stat().st_size, "contenders": interleaved(contenders, bench.rounds)}
    finally:
        csv.unlink()


def written(make: Callable[[np.random.Generator], tuple[list[str], list[str]]], path: Path, size: int) -> Path:
    """Write a table of about so many bytes."""
    names, rows = make(np.random.default_rng(0))
    piece = "".join(f"{row}\n" for row in rows).encode()
    with path.open("wb") as file:
        file.write((",".join(names) + "\n").encode())
        for _ in range(max(1, size // len(piece))):
            file.write(piece)
    return path


def read(wanted: dict[str, Any], sampled: bool) -> Measured:
    """Read the file in a process of its own."""
    ended = peer("read_table.py", json.dumps(wanted), sampled=sampled)
    answer = told(ended)
    return Measured(answer["seconds"], ended, version=answer["version"])


def table(found: dict[str, Any]) -> str:
    """Return the seconds of each reader, and nntrain's as multiples of pandas'."""
    rows = []
    for name, case in found.items():
        times = case["contenders"]
        over = [ratio({OURS: times[who], "it": times[OURS]}, "it") for who in (TYPED, UNTYPED)]
        seconds = [number(times[who]["median"]) for who in (OURS, TYPED, UNTYPED)]
        rows.append([f"{name}, {case['bytes'] / 1e6:.3g} MB", *seconds, *map(number, over)])
    wanted = f"times pandas, types given (wanted: at most {AT_MOST})"
    return markdown_table(["seconds to read", OURS, TYPED, UNTYPED, wanted, "times pandas"], rows)
